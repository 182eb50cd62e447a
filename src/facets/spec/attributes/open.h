// Integers that may be open: numbers, or sizes with symbols in them. A value is of the one type or of the other, so
// that who knows numbers alone is never handed anything else.
#pragma once

#include "facets/spec/attributes/kind.h"

namespace h5bridge {

/// A number, or text such as "length//2". Throws MalformedFile.
Size size_from(const Json& json);
/// The number, or the size that is open.
AttributeValue integer_of(const Size& size);
/// The numbers, or all of them as sizes where one is open.
AttributeValue integers_of(const SymbolicShape& sizes);
/// Whether it is an integer that is open, or integers of which one is.
bool holds_open(const AttributeValue& value);

/// What kinds of integers have in common.
class OpenKind : public AttributeKind {
 public:
  AttributeValue bind(const AttributeValue& value, const std::map<std::string, std::int64_t>& sizes) const override;
  bool is_open(const AttributeValue& value) const override { return holds_open(value); }
  std::int64_t since(const AttributeValue& value) const override { return holds_open(value) ? 2 : 1; }
  /// What is open may come to any number.
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const final;

 protected:
  virtual bool numbers_agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const = 0;
};

}  // namespace h5bridge
