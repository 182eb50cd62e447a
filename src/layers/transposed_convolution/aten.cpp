#include "layers/convolution/aten.h"

#include "facets/aten/row.h"
#include "facets/spec/kernel.h"

namespace h5bridge::transposed_convolution {

std::vector<aten::Row> aten_rows() {
  std::vector<aten::Row> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    const std::string name = "conv_transpose" + torch_suffix(axes);
    result.push_back(
        {.operators = {name}, .type = name, .parameters = {"weight", "bias"}, .as_module = convolution::as_module});
  }
  return result;
}

}  // namespace h5bridge::transposed_convolution
