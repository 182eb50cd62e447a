#include "facets/spec/attributes/open.h"

#include <algorithm>

namespace h5bridge {

Size size_from(const Json& json) { return json.is_string() ? Size::parse(json.as_string()) : Size(json.as_integer()); }

AttributeValue integer_of(const Size& size) {
  const auto number = size.value();
  return number ? AttributeValue(*number) : AttributeValue(size);
}

AttributeValue integers_of(const SymbolicShape& sizes) {
  const auto numbers = fixed(sizes);
  return numbers ? AttributeValue(*numbers) : AttributeValue(sizes);
}

bool holds_open(const AttributeValue& value) {
  return std::holds_alternative<Size>(value) || std::holds_alternative<SymbolicShape>(value);
}

AttributeValue OpenKind::bind(const AttributeValue& value, const std::map<std::string, std::int64_t>& sizes) const {
  if (const auto* one = std::get_if<Size>(&value)) return integer_of(one->bind(sizes));
  const auto* several = std::get_if<SymbolicShape>(&value);
  if (!several) return value;
  SymbolicShape bound = *several;
  for (Size& size : bound) size = size.bind(sizes);
  return integers_of(bound);
}

bool OpenKind::agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const {
  if (!holds_open(a) && !holds_open(b)) return numbers_agree(a, b, rank);
  const auto sizes_in = [](const AttributeValue& value) -> SymbolicShape {
    if (const auto* size = std::get_if<Size>(&value)) return {*size};
    if (const auto* number = std::get_if<std::int64_t>(&value)) return {Size(*number)};
    if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&value)) return {numbers->begin(), numbers->end()};
    const auto* several = std::get_if<SymbolicShape>(&value);
    return several ? *several : SymbolicShape{};
  };
  const auto may_be = [](const Size& x, const Size& y) { return x.is_open() || y.is_open() || x == y; };
  return std::ranges::equal(sizes_in(a), sizes_in(b), may_be);
}

}  // namespace h5bridge
