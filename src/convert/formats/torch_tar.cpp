// The form that torch.save had in the first versions of PyTorch 0.1.
#include "convert/formats/format.h"
#include "pytorch/file.h"

namespace h5bridge {

Format torch_tar_format() {
  return {
      .name = "torch",
      .holds = Holds::Weights,
      .looks_like = [](const SourceFile& file) { return is_torch_tar(*file.bytes()); },
      .described = "a tar archive of PyTorch 0.1's torch.save (which torch.load(..., weights_only=False) still reads)",
  };
}

}  // namespace h5bridge
