#include "facets/torch_source/signature.h"

namespace h5bridge::patches {

std::vector<TorchSource> torch_sources() {
  return {torch_module("nn.Unfold(kernel_size, *, dilation, padding, stride)"),
          torch_module("nn.Fold(output_size, kernel_size, *, dilation, padding, stride)")};
}

}  // namespace h5bridge::patches
