// Checkpoints of Orbax, which Keras 3 writes on JAX.
#include <algorithm>
#include <array>
#include <filesystem>

#include "convert/formats/folder.h"
#include "convert/formats/format.h"

namespace h5bridge {
namespace {

// What stands in a checkpoint, one of a step or, in a folder of them, below it (keras 3.15, saving/orbax_util.py).
constexpr std::array<const char*, 6> kMarks{"orbax.checkpoint",     "pytree.orbax-checkpoint", "checkpoint_metadata",
                                            "_CHECKPOINT_METADATA", "manifest.ocdbt",          "ocdbt.process_0"};

bool has_marks(const std::string& folder) {
  return std::ranges::any_of(kMarks, [&](const char* name) { return folder_has(folder, name); });
}

bool is_number(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

Format orbax_format() {
  return {
      .name = "orbax",
      .looks_like =
          [](const SourceFile& file) {
            if (has_marks(file.path())) return true;
            const std::vector<std::string> names = names_in_folder(file.path());
            return std::ranges::any_of(names, [&](const std::string& name) {
              return is_number(name) && has_marks((std::filesystem::path(file.path()) / name).string());
            });
          },
      .is_folder = true,
      .described = "a checkpoint of Orbax",
      .way_out =
          "Keras makes a .h5 of it: model = keras.saving.load_model(\"FOLDER\"), or model.load_weights(\"FOLDER\") "
          "of a model that is there, then model.save(\"model.h5\")",
  };
}

}  // namespace h5bridge
