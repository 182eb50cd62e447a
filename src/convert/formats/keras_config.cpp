// What model.to_json() of any Keras gives.
#include "convert/architecture_json.h"
#include "convert/formats/format.h"
#include "convert/inspection_parts.h"

namespace h5bridge {

Format keras_config_format() {
  return {
      .name = "keras-config",
      .framework = Framework::Keras,
      .holds = Holds::Architecture,
      .looks_like = [](const SourceFile& file) { return file.json() && looks_like_keras_config(*file.json()); },
      .read = [](const SourceFile& file, const LoadOptions&) { return FileContent{.keras_json = *file.json()}; },
      .inspect =
          [](const SourceFile& file, const LoadOptions&) {
            FilePart part{.states_architecture = true};
            part.metadata.set("model_config", *file.json());
            return part;
          },
  };
}

}  // namespace h5bridge
