#include "facets/spec/attributes/scalar.h"

#include "facets/spec/attributes/open.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

double as_double(const AttributeValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  return std::get<double>(value);
}

class ScalarKind : public OpenKind {
  AttributeValue read(const Json& json) const override {
    return json.is_integer() || json.is_string() ? integer_of(size_from(json)) : AttributeValue(json.as_float());
  }
  Json schema() const override { return schema::any_of(schema::of_type("number"), schema::reference("size")); }
  std::string describe() const override { return "number"; }
  bool numbers_agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    const auto* x = std::get_if<std::int64_t>(&a);
    const auto* y = std::get_if<std::int64_t>(&b);
    return x && y ? integers_agree(*x, *y, rank) : h5bridge::numbers_agree(as_double(a), as_double(b));
  }
};

}  // namespace

AttributeSpec required_scalar(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<ScalarKind>(), std::move(meaning)};
}

AttributeSpec scalar(std::string name, AttributeValue fallback, std::string meaning) {
  return {std::move(name), std::make_shared<ScalarKind>(), std::move(meaning), std::move(fallback)};
}

}  // namespace h5bridge
