// Other names for the tensors of a state_dict: those that the architecture at hand has for them.
#pragma once

#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// Renames the model's tensors, and the parameters that its optimizer names, by options.names and then by each of
/// options.renames in turn. Throws UsageError for a name that the file does not have and for what is no
/// "EXPRESSION=REPLACEMENT", MalformedFile where two names become one, or a name becomes none.
void rename_tensors(Model& model, const LoadOptions& options);

/// Whether there is anything to rename.
bool renames(const LoadOptions& options);

}  // namespace h5bridge
