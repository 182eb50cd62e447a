// The layout pass: one architecture with its channels first or last becomes the other.
//
// Every value keeps a record of how its stored axes relate to the original ones (facets/spec/layout_rule.h). Layers
// with a data format take it on, others have their axes counted anew, moved axes vanish, and a flatten's reordering
// travels to the dense layer behind it, whose weights take it up. A permute is inserted only where nothing cheaper is
// right.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "facets/spec/layout_rule.h"
#include "facets/spec/weight_rule.h"
#include "h5bridge/architecture.h"
#include "h5bridge/model.h"

namespace h5bridge {

struct LayoutChange {
  Architecture architecture;
  /// What takes the source's tensors to the new architecture's (in to_keras's direction), for those that change.
  std::map<std::string, std::vector<WeightStep>> weights;
  /// How inputs (by name) and outputs (in order) are stored now: new = original.permute(axes).
  std::map<std::string, std::vector<std::int64_t>> inputs;
  std::vector<std::vector<std::int64_t>> outputs;
};

/// For a PyTorch model or for a Keras one: only Keras has a flatten that moves the channels to the end before, and a
/// model that came with one gets it back. Throws MalformedFile if the architecture is not sound.
LayoutChange change_layout(Architecture architecture, DataFormat wanted, Framework framework = Framework::Torch);

/// Whether that changes more than nothing.
bool changes_layout(const Architecture& architecture, DataFormat wanted, Framework framework = Framework::Torch);

/// The architecture as it is, in the form of a change.
LayoutChange same_layout(Architecture architecture);

/// Whether any layer with spatial axes has another data format than `wanted`.
bool differs_from(const Architecture& architecture, DataFormat wanted);

}  // namespace h5bridge
