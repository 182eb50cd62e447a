#include "facets/spec/attributes/number.h"

#include "facets/spec/attributes/number_kind.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {

Json NumberKind::schema() const { return schema::of_type("number"); }

bool NumberKind::agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const {
  return numbers_agree(std::get<double>(a), std::get<double>(b));
}

AttributeSpec required_number(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<NumberKind>(), std::move(meaning)};
}

AttributeSpec number(std::string name, double fallback, std::string meaning) {
  return {std::move(name), std::make_shared<NumberKind>(), std::move(meaning), fallback};
}

}  // namespace h5bridge
