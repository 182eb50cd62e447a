// What torch.jit.save writes.
#include "convert/formats/format.h"
#include "pytorch/file.h"

namespace h5bridge {

Format torchscript_format() {
  return {
      .name = "torchscript",
      .suffixes = {".ts"},
      .looks_like = [](const SourceFile& file) { return file.zip() && is_torchscript_archive(*file.zip()); },
      .described = "a TorchScript archive",
  };
}

}  // namespace h5bridge
