// What torch.export.save writes: architecture and weights in one.
#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "pytorch/exported_program/model.h"

namespace h5bridge {
namespace {

// Also of a program whose graph cannot be read.
FilePart inspect_program(const SourceFile& file, const LoadOptions& options) {
  Model model = weights_of_exported_program(*file.zip(), options.key);
  FilePart part;
  for (const NamedTensor& named : model.weights) {
    const auto trainable = model.trainable.find(named.name);
    part.tensors.push_back({named.name, named.tensor,
                            trainable == model.trainable.end() ? std::nullopt : std::optional(trainable->second)});
  }
  part.metadata = std::move(model.metadata);
  part.states_architecture = true;
  return part;
}

}  // namespace

Format pt2_format() {
  return {
      .name = "pt2",
      .has_entries = true,
      .looks_like = [](const SourceFile& file) { return file.zip() && is_exported_program(*file.zip()); },
      .read =
          [](const SourceFile& file, const LoadOptions& options) {
            return FileContent{.torch = model_from_exported_program(*file.zip(), options.key)};
          },
      .inspect = inspect_program,
  };
}

}  // namespace h5bridge
