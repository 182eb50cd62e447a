// Archives of torch.export.save as models.
#pragma once

#include <string>

#include "files/zip.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// Whether an archive is of any form that torch.export.save has had.
bool is_exported_program(const ZipReader& file);

/// The architecture that the exported graph is and the state_dict beside it, whose bytes stay in the file. `key` names
/// one of several models. Throws what read_pt2_model and architecture_of_graph do.
Model model_from_exported_program(const ZipReader& file, const std::string& key);

/// Likewise without the graph, for what only looks at a file: weights, and of the architecture only its absence.
Model weights_of_exported_program(const ZipReader& file, const std::string& key);

}  // namespace h5bridge
