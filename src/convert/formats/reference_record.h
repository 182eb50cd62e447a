// Where files of PyTorch's keep a reference (Model::reference): a record of the archive, which PyTorch passes by.
#pragma once

#include <optional>

#include "convert/save.h"
#include "files/zip.h"
#include "pytorch/record.h"

namespace h5bridge {

/// None where the model has no reference, or one of weights that are rounded now, of which a note tells.
ArchiveRecords reference_records(const Model& model, const SaveOptions& options, Notes& notes);

/// What stands in such a record. Throws MalformedFile.
std::optional<Reference> reference_in(const ZipReader& archive);

}  // namespace h5bridge
