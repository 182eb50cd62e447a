#include "facets/keras/affine.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

Shape sizes_of(const SymbolicShape& shape, const std::vector<std::int64_t>& axes) {
  Shape result;
  for (const std::int64_t axis : axes) {
    const auto size = shape.at(axis).value();
    if (!size)
      throw Unsupported("a normalised axis of its input is open (" + to_string(shape) +
                        "); LoadOptions::fix_sizes may help");
    result.push_back(*size);
  }
  return result;
}

}  // namespace

WeightRules affine_weights(const Attributes& attributes) {
  const Affine affine = affine_of(attributes);
  WeightRules result;
  if (affine.weight) result.rules.push_back({.torch = {"weight"}, .keras = {"gamma"}});
  if (affine.bias) result.rules.push_back({.torch = {"bias"}, .keras = {"beta"}});
  return result;
}

void set_affine(const Attributes& attributes, Json::Object& config) {
  const Affine affine = affine_of(attributes);
  config.set("center", affine.bias);
  config.set("scale", affine.weight);
}

Json::Object affine_training_settings() {
  return {{"beta_initializer", "ones"}, {"gamma_initializer", "zeros"}, {"beta_regularizer", "l1"},
          {"gamma_regularizer", "l2"},  {"beta_constraint", "non_neg"}, {"gamma_constraint", "unit_norm"}};
}

Json::Object einsum_affine(const Attributes& attributes, const SymbolicShape& shape,
                           const std::vector<std::int64_t>& axes) {
  const Affine affine = affine_of(attributes);
  if (!affine.weight) throw Unsupported("a bias without a weight, after operations that normalise, has no Keras layer");
  std::string all;
  std::string own;
  Json::Array output_shape;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const char letter = static_cast<char>('a' + axis);
    all += letter;
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end()) own += letter;
    if (axis > 0) output_shape.push_back(shape[axis].value() ? Json(*shape[axis].value()) : Json());
  }
  return {{"equation", all + "," + own + "->" + all},
          {"output_shape", output_shape},
          {"bias_axes", affine.bias ? Json(own) : Json()}};
}

WeightRules einsum_affine_weights(const Attributes& attributes, const SymbolicShape& shape,
                                  const std::vector<std::int64_t>& axes) {
  const Affine affine = affine_of(attributes);
  const Shape sizes = sizes_of(shape, axes);
  // A bias of Keras's has ones for the axes after its first one.
  Shape with_ones(shape.size() - static_cast<std::size_t>(axes.front()), 1);
  for (std::size_t i = 0; i < axes.size(); ++i) with_ones[axes[i] - axes.front()] = sizes[i];
  WeightRules result;
  if (affine.weight) result.rules.push_back({.torch = {"weight"}, .keras = {"kernel"}});
  if (affine.bias)
    result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}, .steps = {ChangeShape{sizes, with_ones}}});
  return result;
}

}  // namespace h5bridge
