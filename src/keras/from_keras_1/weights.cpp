#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <span>

#include "h5bridge/error.h"
#include "keras/dialects/theano_kernel.h"
#include "keras/from_keras_1/layer.h"
#include "keras/from_keras_1/settings.h"

namespace h5bridge {
namespace {

using Axes = std::vector<std::int64_t>;

Tensor moved(const Tensor& tensor, const Axes& axes) {
  if (tensor.rank() != static_cast<std::int64_t>(axes.size()))
    throw MalformedFile("its kernel has shape " + to_string(tensor.shape()) + ", expected " +
                        std::to_string(axes.size()) + " axes");
  return tensor.permute(axes);
}

// What a layer's arrays are in Keras 2, by the names of its variables.
class Weights2 {
 public:
  Weights2(const OldLayer& layer, const std::string& ordering) : layer_(layer), ordering_(ordering) {}

  std::vector<KerasLayerWeights> run() {
    const std::string& name = layer_.class_name;
    if (name == "Dense" || name == "TimeDistributedDense") return one({{"kernel", array(0)}}, 1);
    if (name == "Convolution1D" || name == "AtrousConvolution1D") return one({{"kernel", kernel_of_1d()}}, 1);
    if (name == "Convolution2D" || name == "AtrousConvolution2D")
      return one({{"kernel", flipped(is_first() ? moved(array(0), {2, 3, 1, 0}) : array(0))}}, 1);
    if (name == "Convolution3D")
      return one({{"kernel", flipped(is_first() ? moved(array(0), {2, 3, 4, 1, 0}) : array(0))}}, 1);
    if (name == "Deconvolution2D")
      return one({{"kernel", flipped(moved(array(0), is_first() ? Axes{2, 3, 0, 1} : Axes{0, 1, 3, 2}))}}, 1);
    if (name == "SeparableConvolution2D") return separable();
    if (name == "BatchNormalization") return normalization();
    if (name == "Embedding") return one({{"embeddings", array(0)}}, 1);
    if (name == "PReLU") return one({{"alpha", array(0)}}, 1);
    if (name == "Highway") return highway();
    if (name == "MaxoutDense") {
      std::vector<KerasLayerWeights> result = one({{"kernel", array(0)}}, 1);
      result[0].layer = "_features";
      return result;
    }
    if (name == "ParametricSoftplus")
      return {{"_beta", {kernel(without_ones(array(1)))}}, {"", {kernel(without_ones(array(0)))}}};
    if (const auto gates = kGates.find(name); gates != kGates.end()) return recurrent(gates->second);
    if (const auto inner = wrapped(layer_)) return of_wrapper(*inner);
    return {{"", layer_.arrays}};
  }

 private:
  // The places of gates i, f, c, o and z, r, h among the arrays (keras 1.2.2, layers/recurrent.py, trainable_weights).
  static inline const std::map<std::string, std::vector<std::size_t>, std::less<>> kGates{
      {"ConvLSTM2D", {0, 2, 1, 3}}, {"GRU", {0, 1, 2}}, {"LSTM", {0, 2, 1, 3}}, {"SimpleRNN", {0}}};

  const Tensor& array(std::size_t place) const {
    if (place >= layer_.arrays.size())
      throw MalformedFile("it has " + std::to_string(layer_.arrays.size()) + " arrays, expected more");
    return layer_.arrays[place].tensor;
  }

  bool is_first() const { return is_channels_first(layer_.config, ordering_); }
  Tensor flipped(const Tensor& tensor) const { return layer_.is_theano ? turned_round(tensor) : tensor; }

  static KerasVariable kernel(Tensor tensor) { return {"kernel", std::move(tensor)}; }

  // A bias behind these, if there is one more array.
  std::vector<KerasLayerWeights> one(std::vector<KerasVariable> variables, std::size_t bias) const {
    if (layer_.arrays.size() > bias) variables.push_back({"bias", array(bias)});
    return {{"", std::move(variables)}};
  }

  // (length, 1, in, out), and up to 1.0.8 (out, in, length, 1).
  Tensor kernel_of_1d() const {
    const Tensor& tensor = array(0);
    if (tensor.rank() != 4)
      throw MalformedFile("its kernel has shape " + to_string(tensor.shape()) + ", expected 4 axes");
    const Shape& shape = tensor.shape();
    const Json length = layer_.config.at("filter_length"), filters = layer_.config.at("nb_filter");
    const bool is_new = Json(shape[0]) == length && shape[1] == 1 && Json(shape[3]) == filters;
    if (!is_new && (Json(shape[0]) != filters || Json(shape[2]) != length || shape[3] != 1))
      throw MalformedFile("its kernel has shape " + to_string(shape) + ", expected (" + length.dump() + ", 1, ..., " +
                          filters.dump() + ") or (" + filters.dump() + ", ..., " + length.dump() + ", 1)");
    const Tensor ordered = flipped(is_new ? tensor : tensor.permute(Axes{2, 3, 1, 0}));
    return ordered.reshape({ordered.shape()[0], ordered.shape()[2], ordered.shape()[3]});
  }

  std::vector<KerasLayerWeights> separable() const {
    const auto ordered = [&](std::size_t place) {
      return is_first() ? moved(array(place), {2, 3, 1, 0}) : array(place);
    };
    return one({{"depthwise_kernel", ordered(0)}, {"pointwise_kernel", ordered(1)}}, 2);
  }

  std::vector<KerasLayerWeights> normalization() const {
    return {
        {"", {{"gamma", array(0)}, {"beta", array(1)}, {"moving_mean", array(2)}, {"moving_variance", variance()}}}};
  }

  // (x - mean) / (deviation + epsilon) as 3.15 says it: the root of variance + epsilon is that sum.
  Tensor variance() const {
    const Tensor& given = array(3);
    if (!layer_.is_deviation) return given;
    const double epsilon = layer_.config.at("epsilon").as_float();
    if (given.dtype() != DType::Float32)
      throw Unsupported("its running_std is of type " + std::string(name_of(given.dtype())) + ", expected float32");
    std::vector<float> values = given.values<float>();
    for (float& value : values) {
      const double sum = static_cast<double>(value) + epsilon;
      value = static_cast<float>(sum * sum - epsilon);
    }
    return tensor_of(given.dtype(), given.shape(), values);
  }

  // W, b, W_carry, b_carry; from 1.2 on W, W_carry, b, b_carry.
  std::vector<KerasLayerWeights> highway() const {
    if (layer_.arrays.size() == 2) return {{"_dense", {kernel(array(0))}}, {"_transform", {kernel(array(1))}}};
    const bool is_by_kind = array(1).rank() == 2;
    return {{"_dense", {kernel(array(0)), {"bias", array(is_by_kind ? 2 : 1)}}},
            {"_transform", {kernel(array(is_by_kind ? 1 : 2)), {"bias", array(3)}}}};
  }

  // An EinsumDense's kernel has the axes that differ.
  static Tensor without_ones(const Tensor& tensor) {
    Shape shape;
    for (const std::int64_t extent : tensor.shape())
      if (extent != 1) shape.push_back(extent);
    if (shape.empty()) shape.push_back(1);
    return tensor.reshape(std::move(shape));
  }

  std::vector<KerasLayerWeights> recurrent(const std::vector<std::size_t>& gates) const {
    std::vector<KerasVariable> variables;
    const std::array<const char*, 3> names{"kernel", "recurrent_kernel", "bias"};
    for (std::size_t part = 0; part < names.size(); ++part) {
      if (layer_.arrays.size() == 3) {
        variables.push_back({names[part], array(part)});
        continue;
      }
      std::vector<Tensor> blocks;
      for (const std::size_t gate : gates) {
        Tensor block = array(3 * gate + part);
        if (layer_.class_name == "ConvLSTM2D" && part < 2)
          block = flipped(is_first() ? moved(block, {2, 3, 1, 0}) : block);
        blocks.push_back(std::move(block));
      }
      variables.push_back({names[part], concatenate(blocks, blocks[0].rank() - 1)});
    }
    return {{"", std::move(variables)}};
  }

  // Bidirectional has the forward half's arrays first.
  std::vector<KerasLayerWeights> of_wrapper(OldLayer inner) const {
    const std::size_t halves = layer_.class_name == "Bidirectional" ? 2 : 1;
    const std::size_t count = layer_.arrays.size() / halves;
    KerasLayerWeights result;
    for (std::size_t half = 0; half < halves; ++half) {
      const auto first = layer_.arrays.begin() + static_cast<std::ptrdiff_t>(half * count);
      inner.arrays.assign(first, first + static_cast<std::ptrdiff_t>(count));
      for (KerasLayerWeights& part : weights_in_keras_2(inner, ordering_))
        for (KerasVariable& variable : part.variables) {
          if (halves == 2) variable.path = (half == 0 ? "forward_" : "backward_") + inner.name + "/" + variable.path;
          result.variables.push_back(std::move(variable));
        }
    }
    return {std::move(result)};
  }

  const OldLayer& layer_;
  const std::string& ordering_;
};

}  // namespace

std::vector<KerasLayerWeights> weights_in_keras_2(const OldLayer& layer, const std::string& ordering) {
  return Weights2(layer, ordering).run();
}

}  // namespace h5bridge
