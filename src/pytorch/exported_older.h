// What torch.export.save wrote before PyTorch 2.8: the same program, beside files of torch.save.
#pragma once

#include "files/pt2_archive.h"
#include "files/zip.h"

namespace h5bridge {

bool is_older_program(const ZipReader& archive);

/// Throws MalformedFile, and Unsupported, naming them, for tensors that cannot be read.
Pt2Model read_older_program(const ZipReader& archive);

}  // namespace h5bridge
