#include "layers/keras_kernel.h"

namespace h5bridge {

std::vector<Correspondence> kernel_rows(std::size_t axes, std::vector<Correspondence> own) {
  own.insert(own.end(), {
                            {"kernel_size", "kernel_size", spelling::integers(axes)},
                            {"stride", "strides", spelling::integers(axes)},
                            {"data_format", "data_format", spelling::text()},
                            {"dilation", "dilation_rate", spelling::integers(axes)},
                            {"activation", "activation", spelling::activation()},
                            {"bias", "use_bias", spelling::boolean()},
                        });
  return own;
}

WeightRules kernel_weights(const Attributes& a, std::vector<WeightStep> steps) {
  WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}, .steps = std::move(steps)}}};
  if (a.boolean("bias")) result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}});
  return result;
}

}  // namespace h5bridge
