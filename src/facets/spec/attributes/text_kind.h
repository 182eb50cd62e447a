// Any text, or one of some words; and what kinds that compare texts otherwise have in common.
#pragma once

#include <string>
#include <vector>

#include "facets/spec/attributes/kind.h"

namespace h5bridge {

class TextKind : public AttributeKind {
 public:
  explicit TextKind(std::vector<std::string> choices = {}) : choices_(std::move(choices)) {}

  AttributeValue read(const Json& json) const override;
  Json schema() const override;
  std::string describe() const override;

 private:
  std::vector<std::string> choices_;
};

}  // namespace h5bridge
