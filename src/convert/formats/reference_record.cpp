#include "convert/formats/reference_record.h"

#include "convert/reference.h"

namespace h5bridge {
namespace {

constexpr const char* kRecord = "extra/h5bridge_reference.safetensors";  // behind the archive's folder

}  // namespace

ArchiveRecords reference_records(const Model& model, const SaveOptions& options, Notes& notes) {
  const std::optional<Reference> reference = kept_reference(model, options.dtype, notes);
  if (!reference) return {};
  return {{kRecord, reference_bytes(*reference)}};
}

std::optional<Reference> reference_in(const ZipReader& archive) {
  for (const ZipEntry& entry : archive.entries())
    if (entry.name.ends_with(std::string("/") + kRecord)) return reference_from_bytes(archive.open(entry));
  return std::nullopt;
}

}  // namespace h5bridge
