// TorchScript archives, as torch.jit.save writes them: modules as a pickle, their code as text, of the same writer as
// PyTorch source.
#pragma once

#include <iosfwd>
#include <string>

#include "h5bridge/model.h"
#include "pytorch/record.h"

namespace h5bridge {

/// Writes what torch.jit.load takes, in Python and in C++, without h5bridge: parameters and buffers by the names of the
/// state_dict, in evaluation mode. `architecture` goes into the archive beside it (extra/h5bridge.json), so that
/// torchscript_architecture finds it again, and `records` besides. A model with named outputs gives a dictionary, one
/// with several a tuple. Throws UsageError without an architecture, Unsupported naming all layers that have no
/// TorchScript, and SystemFailure where writing fails.
void write_torchscript_file(const Model& model, const std::string& architecture, const ArchiveRecords& records,
                            std::ostream& out);

}  // namespace h5bridge
