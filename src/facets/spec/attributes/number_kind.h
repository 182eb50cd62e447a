// Any number, as JSON has floats; and what kinds that allow fewer have in common.
#pragma once

#include "facets/spec/attributes/kind.h"

namespace h5bridge {

class NumberKind : public AttributeKind {
 public:
  AttributeValue read(const Json& json) const override { return json.as_float(); }
  Json schema() const override;
  std::string describe() const override { return "number"; }
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override;
};

}  // namespace h5bridge
