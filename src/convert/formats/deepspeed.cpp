// Folders of DeepSpeed's save_checkpoint with ZeRO.
#include "pytorch/deepspeed.h"

#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

Model read_deepspeed(const SourceFile& file, const LoadOptions& options) {
  Model model = read_torch_file(TorchFile(open_deepspeed_checkpoint(file.path())));
  if (options.optimizer)
    model.optimizer_left_out =
        "DeepSpeed's ranks have it in pieces, which are not read; LoadOptions::optimizer = false leaves it out";
  return model;
}

}  // namespace

Format deepspeed_format() {
  return {
      .name = "torch",
      .holds = Holds::Weights,
      .looks_like = [](const SourceFile& file) { return is_deepspeed_checkpoint(file.path()); },
      .is_folder = true,
      .read = [](const SourceFile& file,
                 const LoadOptions& options) { return FileContent{.torch = read_deepspeed(file, options)}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions& options) { return inspect_state_dict(read_deepspeed(file, options)); },
  };
}

}  // namespace h5bridge
