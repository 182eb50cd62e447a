// The architecture JSON (docs/architecture_json.md).
#include "convert/architecture_json.h"
#include "convert/formats/format.h"
#include "convert/formats/torch_destination.h"
#include "convert/inspection_parts.h"
#include "convert/layout_conversion.h"
#include "convert/model_check.h"
#include "h5bridge/error.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

void write_architecture(const Model& model, const std::string& path, const SaveOptions&, Notes&) {
  require_architecture(model);
  const Json json =
      architecture_to_json(with_frozen_names(architecture_for_torch(*model.architecture), model.trainable));
  write_stream(path, [&](std::ostream& out) { out << json.dump(2) << '\n'; });
}

}  // namespace

Format architecture_format() {
  return {
      .name = "architecture",
      .suffixes = {".json"},
      .holds = Holds::Architecture,
      .looks_like = [](const SourceFile& file) { return file.json() && looks_like_architecture(*file.json()); },
      .read =
          [](const SourceFile& file, const LoadOptions&) {
            return FileContent{.architecture = checked(architecture_from_json(*file.json()))};
          },
      .inspect = [](const SourceFile&, const LoadOptions&) { return FilePart{.states_architecture = true}; },
      .write = write_architecture,
  };
}

}  // namespace h5bridge
