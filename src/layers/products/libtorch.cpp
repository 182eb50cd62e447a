#include "facets/libtorch/layer.h"
#include "layers/products/equation.h"

namespace h5bridge::products {
namespace {

using torch::Tensor;

TorchLayer of_two(const char* type, Tensor (*function)(const Tensor&, const Tensor&)) {
  return {
      type, [function](const Layer&) {
        return function_of_all([function](const TorchValues& inputs) { return function(inputs.at(0), inputs.at(1)); });
      }};
}

using torch::Scalar;

TorchLayer added(const char* type,
                 Tensor (*function)(const Tensor&, const Tensor&, const Tensor&, const Scalar&, const Scalar&)) {
  return {type, [function](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return function_of_all([function, beta = scalar_of(a.at("beta")),
                                    alpha = scalar_of(a.at("alpha"))](const TorchValues& inputs) {
              return function(inputs.at(0), inputs.at(1), inputs.at(2), beta, alpha);
            });
          }};
}

TorchInstance build_cross(const Layer& layer) {
  return function_of_all([a = layer.attributes](const TorchValues& inputs) {
    return torch::cross(inputs.at(0), inputs.at(1), a.is_none("dim") ? std::nullopt : std::optional(a.integer("dim")));
  });
}

TorchInstance build_linalg_cross(const Layer& layer) {
  return function_of_all([dim = layer.attributes.integer("dim")](const TorchValues& inputs) {
    return torch::linalg_cross(inputs.at(0), inputs.at(1), dim);
  });
}

TorchInstance build_einsum(const Layer& layer) {
  return function_of_all([equation = layer.attributes.text("equation")](const TorchValues& inputs) {
    return torch::einsum(equation, inputs);
  });
}

// Source: keras/src/ops/nn.py, _normalize.
Tensor normalised(const Tensor& x, std::int64_t axis) {
  return x * torch::clamp_max(torch::rsqrt(torch::sum(torch::square(x), axis, true)), 1e7);
}

// As matrices of all other axes by the axis that is summed over.
TorchInstance build_dot(const Layer& layer) {
  return function_of_all([a = layer.attributes](const TorchValues& inputs) {
    Tensor x = inputs.at(0);
    Tensor y = inputs.at(1);
    const auto [first, second] = dot_axes(a, x.dim(), y.dim());
    if (a.boolean("normalize")) {
      x = normalised(x, first);
      y = normalised(y, second);
    }
    x = x.movedim(first, -1);
    y = y.movedim(second, 1);
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end() - 1);
    shape.insert(shape.end(), y.sizes().begin() + 2, y.sizes().end());
    if (shape.size() == 1) shape.push_back(1);
    return torch::bmm(x.reshape({x.size(0), -1, x.size(-1)}), y.reshape({y.size(0), y.size(1), -1})).reshape(shape);
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      of_two("matmul", torch::matmul),
      of_two("bmm", [](const Tensor& a, const Tensor& b) { return torch::bmm(a, b); }),
      of_two("outer", torch::outer),
      {"cross", build_cross},
      {"linalg_cross", build_linalg_cross},
      added("addmm", torch::addmm),
      added("addmv", torch::addmv),
      added("addr", torch::addr),
      added("baddbmm", torch::baddbmm),
      added("addbmm", torch::addbmm),
      {"einsum", build_einsum},
      {"Dot", build_dot},
  };
}

}  // namespace h5bridge::products
