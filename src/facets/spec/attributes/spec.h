// An attribute that a layer type declares.
#pragma once

#include <optional>
#include <string>

#include "facets/spec/attributes/kind.h"

namespace h5bridge {

/// What a setting decides, where two layers that stand for each other are compared.
enum class Decides {
  Result,    // what is computed
  Margins,   // likewise, and what a layer of padding before it may decide as well
  Training,  // what is computed in training only: dropout, running averages
  Form       // how it is put: which outputs there are, where the channels stand
};

struct AttributeSpec {
  std::string name;
  AttributeKindPtr kind;
  std::string meaning;
  std::optional<AttributeValue> fallback = {};  // none: the attribute is required
  Decides decides = Decides::Result;
  bool of_call = false;  // is a setting of a call: several calls of one layer may have it otherwise
};

/// `spec`, which decides something else than the result.
AttributeSpec deciding(Decides what, AttributeSpec spec);
/// `spec`, which is a setting of a call. The layer's own value is that of all calls that set none.
AttributeSpec of_call(AttributeSpec spec);

}  // namespace h5bridge
