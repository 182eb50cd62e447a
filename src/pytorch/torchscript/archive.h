// TorchScript archives, of torch.jit.save: their tensors and modules, as data. Their code is text, of which only the
// lists of parameters and buffers are looked at; none of it is run.
#pragma once

#include <optional>

#include "files/zip.h"
#include "h5bridge/json.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// The state_dict that torch.jit.load would give: of each module its parameters, its buffers (all of them, since such
/// an archive does not say which are not persistent), and its submodules. metadata["modules"] has the tree:
/// {"name", "class", "settings"} each. Throws MalformedFile, and Unsupported for a tensor that is no plain one.
Model read_torchscript_file(const ZipReaderPtr& archive);

/// The architecture JSON that write_torchscript_file put beside the code; nothing in another program's archive. Throws
/// MalformedFile.
std::optional<Json> torchscript_architecture(const ZipReader& archive);

}  // namespace h5bridge
