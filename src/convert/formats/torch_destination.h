// What the formats of PyTorch's have in common when they are written.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "convert/save.h"

namespace h5bridge {

/// Opens `path` for `write`; throws SystemFailure where a write failed.
void write_stream(const std::string& path, const std::function<void(std::ostream&)>& write);

/// Throws UsageError for a model without weights whose layers have some, or that has no architecture, either.
void require_weights(const Model& model);

/// The model in PyTorch's layout, with notes for what a state_dict does not say.
Model torch_destination(const Model& model, Notes& notes);

}  // namespace h5bridge
