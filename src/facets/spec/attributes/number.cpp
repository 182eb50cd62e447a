#include "facets/spec/attributes/number.h"

#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

class NumberKind : public AttributeKind {
  AttributeValue read(const Json& json) const override { return json.as_float(); }
  Json schema() const override { return schema::of_type("number"); }
  std::string describe() const override { return "number"; }
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const override {
    return numbers_agree(std::get<double>(a), std::get<double>(b));
  }
};

}  // namespace

AttributeSpec required_number(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<NumberKind>(), std::move(meaning)};
}

AttributeSpec number(std::string name, double fallback, std::string meaning) {
  return {std::move(name), std::make_shared<NumberKind>(), std::move(meaning), fallback};
}

}  // namespace h5bridge
