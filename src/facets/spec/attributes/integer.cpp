#include "facets/spec/attributes/integer.h"

#include "facets/spec/attributes/open.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

class IntegerKind : public OpenKind {
  AttributeValue read(const Json& json) const override { return integer_of(size_from(json)); }
  Json schema() const override { return schema::reference("size"); }
  std::string describe() const override { return "integer"; }
  bool numbers_agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    return integers_agree(std::get<std::int64_t>(a), std::get<std::int64_t>(b), rank);
  }
};

}  // namespace

AttributeSpec required_integer(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<IntegerKind>(), std::move(meaning)};
}

AttributeSpec integer(std::string name, std::int64_t fallback, std::string meaning) {
  return {std::move(name), std::make_shared<IntegerKind>(), std::move(meaning), fallback};
}

}  // namespace h5bridge
