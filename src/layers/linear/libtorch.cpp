#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "layers/linear/function.h"

namespace h5bridge::linear {

std::vector<TorchLayer> torch_layers() {
  const auto linear = [](const Layer& layer) {
    const Attributes& a = layer.attributes;
    torch::nn::Linear module(torch::nn::LinearOptions(1, 1).bias(a.boolean("bias")));
    module->options.in_features(a.integer("in_features")).out_features(a.integer("out_features"));
    // The module's own forward multiplies and adds in two steps, which is not Python's last bit.
    return unary(module.ptr(), with_activation(a, [module](const torch::Tensor& input) {
                   return torch::linear(input, module->weight, module->bias);
                 }));
  };
  const auto linear_operation = [](const Layer& layer, const torch::nn::Module* module) -> plan::Operation {
    const auto& own = dynamic_cast<const torch::nn::LinearImpl&>(*module);
    return plan::Linear{own.weight, own.bias, plan::afterwards_of(layer.attributes)};
  };
  const auto bilinear = [](const Layer& layer) {
    const Attributes& a = layer.attributes;
    torch::nn::Bilinear module(torch::nn::BilinearOptions(1, 1, 1).bias(a.boolean("bias")));
    module->options.in1_features(a.integer("in1_features"))
        .in2_features(a.integer("in2_features"))
        .out_features(a.integer("out_features"));
    return TorchInstance{module.ptr(), [module](const TorchCall& call) mutable {
                           return TorchValues{module->forward(call.inputs.at(0), call.inputs.at(1))};
                         }};
  };
  const auto einsum_dense = [](const Layer& layer) {
    const Attributes& a = layer.attributes;
    const auto module = std::make_shared<torch::nn::Module>("EinsumDense");
    module->register_parameter("weight", torch::empty({0}));
    if (!a.is_none("bias_shape")) module->register_parameter("bias", torch::empty({0}));
    return unary(module, with_activation(a, [module, equation = a.text("equation")](const torch::Tensor& input) {
                   const auto parameters = module->named_parameters(/*recurse=*/false);
                   const torch::Tensor result = torch::einsum(equation, {input, parameters["weight"]});
                   const torch::Tensor* bias = parameters.find("bias");
                   return bias ? result + *bias : result;
                 }));
  };
  const auto linear_of_values = [](const Layer&) {
    return function_of_operands(linear_function(),
                                [](const Operands& x) { return torch::linear(x[0], x[1], given(x[2])); });
  };
  const auto bilinear_of_values = [](const Layer&) {
    return function_of_operands(bilinear_function(),
                                [](const Operands& x) { return torch::bilinear(x[0], x[1], x[2], given(x[3])); });
  };
  return {{"linear", linear_of_values},
          {"bilinear", bilinear_of_values},
          {"Linear", linear, linear_operation},
          {"Bilinear", bilinear},
          {"EinsumDense", einsum_dense}};
}

}  // namespace h5bridge::linear
