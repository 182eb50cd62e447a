// Folders of DeepSpeed's save_checkpoint with ZeRO.
#include "pytorch/deepspeed.h"

#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

Model read_deepspeed(const SourceFile& file, const LoadOptions& options) {
  DeepspeedContent opened = open_deepspeed_checkpoint(file.path());
  Model model = read_torch_file(TorchFile(std::move(opened.content)),
                                {options.key, options.optimizer, options.fix_sizes, options.optimizer_key});
  if (options.optimizer && !opened.optimizer_left_out.empty())
    model.optimizer_left_out =
        "of DeepSpeed's checkpoint " + opened.optimizer_left_out + "; LoadOptions::optimizer = false leaves it out";
  return model;
}

FilePart inspect_deepspeed(const SourceFile& file, const LoadOptions& options) {
  return inspect_torch_file(TorchFile(open_deepspeed_checkpoint(file.path()).content), options);
}

}  // namespace

Format deepspeed_format() {
  return {
      .name = "torch",
      .holds = Holds::Weights,
      .has_entries = true,
      .looks_like = [](const SourceFile& file) { return is_deepspeed_checkpoint(file.path()); },
      .is_folder = true,
      .read = [](const SourceFile& file,
                 const LoadOptions& options) { return FileContent{.torch = read_deepspeed(file, options)}; },
      .inspect = inspect_deepspeed,
  };
}

}  // namespace h5bridge
