// What torch.export.save wrote before PyTorch 2.9, and still writes of tensors of classes of their own: the same
// program beside files of torch.save.
#pragma once

#include "files/pt2_archive.h"
#include "files/zip.h"

namespace h5bridge {

bool is_older_program(const ZipReader& archive);

/// Throws MalformedFile, and Unsupported, naming them, for tensors that cannot be read.
Pt2Model read_older_program(const ZipReader& archive);

/// Reads what the archive has as files of torch.save, and puts it among the model's tensors. Throws as
/// read_older_program does.
void read_pickled(const ZipReader& archive, Pt2Model& model);

}  // namespace h5bridge
