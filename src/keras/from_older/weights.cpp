#include "keras/from_older/weights.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/from_older/cudnn.h"
#include "keras/from_older/hard_sigmoid.h"
#include "keras/from_older/theano_kernel.h"

namespace h5bridge {
namespace {

// The blocks of a recurrent layer's weights along their last axis, and those that each function sees.
struct Gates {
  std::string_view class_name;
  std::int64_t count;
  std::array<std::int64_t, 3> recurrent;  // -1: none
  std::int64_t candidate;
};

// keras 2.3.1, layers/recurrent.py: gates i, f, c, o and z, r, h.
constexpr std::array<Gates, 6> kGates{{
    {"LSTM", 4, {0, 1, 3}, -1},
    {"ConvLSTM1D", 4, {0, 1, 3}, -1},
    {"ConvLSTM2D", 4, {0, 1, 3}, -1},
    {"ConvLSTM3D", 4, {0, 1, 3}, -1},
    {"GRU", 3, {0, 1, -1}, 2},
    {"SimpleRNN", 1, {-1, -1, -1}, 0},
}};

// Layers whose kernel Theano applies as a convolution, and all others as a correlation
// (keras 2.2.4, engine/saving.py, preprocess_weights_for_loading).
constexpr std::array<std::string_view, 5> kConvolve{"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D"};

template <typename Real>
Tensor with_factor(const Tensor& tensor, std::int64_t blocks, const std::set<std::int64_t>& multiplied, double factor) {
  std::vector<Real> values = tensor.values<Real>();
  const auto width = static_cast<std::size_t>(tensor.shape().back());
  const std::size_t block = width / static_cast<std::size_t>(blocks);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (multiplied.contains(static_cast<std::int64_t>(i % width / block)))
      values[i] = static_cast<Real>(factor * static_cast<double>(values[i]));
  return tensor_of(tensor.dtype(), tensor.shape(), values);
}

// The classes of all layers, by their names.
void collect_classes(const Json& model, std::map<std::string, std::string>& classes) {
  const Json* config = model.find("config");
  const Json* layers = config && config->is_object() ? config->find("layers") : nullptr;
  if (!layers || !layers->is_array()) return;
  for (const Json& layer : layers->as_array()) {
    const Json* name = layer.at("config").find("name");
    if (name && name->is_string()) classes[name->as_string()] = layer.at("class_name").as_string();
  }
}

// Whether a model within the model has a kernel that Theano applies flipped.
bool has_inner_convolutions(const Json& model, bool is_inner = false) {
  const Json* config = model.find("config");
  const Json* layers = config && config->is_object() ? config->find("layers") : nullptr;
  return layers && layers->is_array() && std::ranges::any_of(layers->as_array(), [&](const Json& layer) {
           const std::string& class_name = layer.at("class_name").as_string();
           return (is_inner && std::ranges::find(kConvolve, class_name) != kConvolve.end()) ||
                  has_inner_convolutions(layer, true);
         });
}

}  // namespace

Tensor with_gates_multiplied(const KerasVariable& variable, const GateFactors& factors, double factor) {
  const auto gates = std::ranges::find(kGates, factors.class_name, &Gates::class_name);
  if (gates == kGates.end()) throw Unsupported("the gates of a " + factors.class_name + " are not known");
  const Tensor& tensor = variable.tensor;
  if (tensor.shape().empty() || tensor.shape().back() % gates->count != 0)
    throw MalformedFile(variable.path + " has shape " + to_string(tensor.shape()) + ", expected " +
                        std::to_string(gates->count) + " equal blocks along its last axis");
  std::set<std::int64_t> multiplied;
  if (factors.gates) multiplied.insert(gates->recurrent.begin(), gates->recurrent.end());
  if (factors.candidate) multiplied.insert(gates->candidate);
  if (tensor.dtype() == DType::Float32) return with_factor<float>(tensor, gates->count, multiplied, factor);
  if (tensor.dtype() == DType::Float64) return with_factor<double>(tensor, gates->count, multiplied, factor);
  throw Unsupported(variable.path + " is of type " + std::string(name_of(tensor.dtype())) +
                    ", whose gates h5bridge does not multiply");
}

std::vector<NamedTensor> weights_in_keras_3(std::vector<KerasLayerWeights>& layers,
                                            const KerasConfiguration& configuration, const std::string& stated_version,
                                            const std::string& backend) {
  std::vector<NamedTensor> unscaled;
  const bool is_before_2 = !configuration.old_layers.empty();
  if (is_before_2) layers = weights_of_keras_2_form(configuration.old_layers, configuration.ordering, unscaled);
  std::map<std::string, std::string> classes;
  const bool is_theano =
      !is_before_2 && backend == "theano" && !stated_version.empty() && keras_version_of(stated_version).is_before_3();
  if (is_theano) collect_classes(configuration.model, classes);
  if (is_theano && has_inner_convolutions(configuration.model))
    throw Unsupported(
        "Theano, which wrote the file, applies kernels flipped; h5bridge turns those of models within the "
        "model not round yet");
  for (KerasLayerWeights& layer : layers) {
    if (const auto cudnn = std::ranges::find(configuration.cudnn, layer.layer, &CudnnLayer::layer);
        cudnn != configuration.cudnn.end()) {
      for (const KerasVariable& variable : layer.variables)
        if (cudnn->is_lstm && variable.tensor.rank() == 1)  // two biases, of which an LSTM has the sum
          unscaled.push_back({"unscaled/" + layer.layer + "/" + variable.path, variable.tensor});
      in_file("/" + layer.layer, [&] { layer.variables = variables_without_cudnn(layer.variables, cudnn->is_lstm); });
    }
    const auto factors = std::ranges::find(configuration.factors, layer.layer, &GateFactors::layer);
    if (factors != configuration.factors.end())
      for (KerasVariable& variable : layer.variables) {
        unscaled.push_back({"unscaled/" + layer.layer + "/" + variable.path, variable.tensor});
        variable.tensor = with_gates_multiplied(variable, *factors, kOldHardSigmoidFactor);
      }
    const bool is_flipped = is_theano && std::ranges::find(kConvolve, classes[layer.layer]) != kConvolve.end();
    if (is_flipped)
      for (KerasVariable& variable : layer.variables)
        if (variable.tensor.rank() > 2) variable.tensor = turned_round(variable.tensor);
  }
  return unscaled;
}

}  // namespace h5bridge
