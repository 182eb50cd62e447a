// Folders of torch.distributed.checkpoint.
#include "pytorch/distributed.h"

#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "pytorch/file.h"

namespace h5bridge {

Format distributed_format() {
  return {
      .name = "torch",
      .holds = Holds::Weights,
      .has_entries = true,
      .looks_like = [](const SourceFile& file) { return is_distributed_checkpoint(file.path()); },
      .is_folder = true,
      .read =
          [](const SourceFile& file, const LoadOptions& options) {
            const TorchFile torch(open_distributed_checkpoint(file.path()));
            return FileContent{.torch = read_torch_file(
                                   torch, {options.key, options.optimizer, options.fix_sizes, options.optimizer_key})};
          },
      .inspect =
          [](const SourceFile& file, const LoadOptions& options) {
            return inspect_torch_file(TorchFile(open_distributed_checkpoint(file.path())), options);
          },
  };
}

}  // namespace h5bridge
