// What torch.jit.save writes: its tensors are read, and its code is not run.
#include "pytorch/torchscript.h"

#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "pytorch/file.h"

namespace h5bridge {

Format torchscript_format() {
  return {
      .name = "torchscript",
      .suffixes = {".ts"},
      .holds = Holds::Weights,
      .looks_like = [](const SourceFile& file) { return file.zip() && is_torchscript_archive(*file.zip()); },
      .read = [](const SourceFile& file,
                 const LoadOptions&) { return FileContent{.torch = read_torchscript_file(file.bytes())}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions&) { return inspect_state_dict(read_torchscript_file(file.bytes())); },
  };
}

}  // namespace h5bridge
