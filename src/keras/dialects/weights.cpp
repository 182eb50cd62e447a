#include "keras/dialects/weights.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/dialects/cudnn.h"
#include "keras/dialects/hard_sigmoid.h"
#include "keras/dialects/theano_kernel.h"

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

// The layer's own class, or that of the one that it wraps.
const std::string& class_within(const Json& layer) {
  const Json* wrapped = layer.at("config").is_object() ? layer.at("config").find("layer") : nullptr;
  const bool wraps = wrapped && wrapped->is_object() && wrapped->find("class_name") && wrapped->find("config");
  return wraps ? class_within(*wrapped) : layer.at("class_name").as_string();
}

// Layers whose kernel Theano applies flipped: of the model those that it has itself, by their names, and of models
// within it, by the names of these.
using Convolutions = std::map<std::string, std::vector<std::string>>;
void collect_convolutions(const Json& model, const std::string& outer, Convolutions& found) {
  const Json* config = model.find("config");
  const Json* layers = config && config->is_object() ? config->find("layers") : nullptr;
  if (!layers || !layers->is_array()) return;
  for (const Json& layer : layers->as_array()) {
    const Json* name = layer.at("config").find("name");
    if (!name || !name->is_string()) continue;
    if (layer.at("config").find("layers"))
      collect_convolutions(layer, outer.empty() ? name->as_string() : outer, found);
    else if (std::ranges::find(kConvolve, class_within(layer)) != kConvolve.end())
      found[outer.empty() ? name->as_string() : outer].push_back(outer.empty() ? "" : name->as_string());
  }
}

bool has_part(std::string_view path, std::string_view wanted) {
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == wanted) return true;
    start = end + 1;
  }
  return false;
}

}  // namespace

std::vector<KerasVariable*> variables_within(KerasLayerWeights& layer, const std::string& inner, std::size_t least) {
  std::vector<KerasVariable*> result;
  for (KerasVariable& variable : layer.variables)
    if (inner.empty() || has_part(variable.path, inner)) result.push_back(&variable);
  if (!inner.empty() && result.size() < least)
    throw Unsupported("layer \"" + inner + "\" of the model \"" + layer.layer +
                      "\" within the model: which weights are its own, their names in the file do not tell, and they "
                      "have to be computed anew for Keras 3");
  return result;
}

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

std::vector<KerasVariable*> variables_of_gates(KerasLayerWeights& layer, const GateFactors& factors) {
  std::vector<KerasVariable*> all = variables_within(layer, factors.inner, factors.count ? factors.count : 2);
  if (factors.count == 0) return all;
  if (all.size() < factors.first + factors.count)
    throw MalformedFile("/" + layer.layer + " has " + std::to_string(all.size()) + " variables, expected at least " +
                        std::to_string(factors.first + factors.count));
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(factors.first);
  return {first, first + static_cast<std::ptrdiff_t>(factors.count)};
}

std::vector<NamedTensor> weights_in_keras_3(std::vector<KerasLayerWeights>& layers,
                                            const KerasConfiguration& configuration, const std::string& stated_version,
                                            const std::string& backend) {
  std::vector<NamedTensor> unscaled;
  const bool is_before_2 = !configuration.old_layers.empty();
  if (is_before_2) layers = weights_of_keras_2_form(configuration.old_layers, configuration.ordering, unscaled);
  const bool is_theano = !is_before_2 && backend == "theano" && states_before_3(stated_version);
  Convolutions convolutions;
  if (is_theano) collect_convolutions(configuration.model, "", convolutions);
  for (KerasLayerWeights& layer : layers) {
    const auto keep = [&](const KerasVariable& variable) {
      unscaled.push_back({"unscaled/" + layer.layer + "/" + variable.path, variable.tensor});
    };
    for (const CudnnLayer& cudnn : configuration.cudnn) {
      if (cudnn.layer != layer.layer) continue;
      const std::vector<KerasVariable*> own = variables_within(layer, cudnn.inner, 3);
      std::vector<KerasVariable> variables;
      for (const KerasVariable* variable : own) {
        if (cudnn.is_lstm && variable->tensor.rank() == 1) keep(*variable);  // two biases, of which an LSTM has the sum
        variables.push_back(*variable);
      }
      in_file("/" + layer.layer, [&] { variables = variables_without_cudnn(variables, cudnn.is_lstm); });
      for (std::size_t i = 0; i < own.size(); ++i) *own[i] = std::move(variables[i]);
    }
    for (const LocalLayer& local : configuration.local) {
      if (local.layer != layer.layer) continue;
      const std::vector<KerasVariable*> own = variables_within(layer, local.inner, 1);
      in_file("/" + layer.layer, [&] {
        own[0]->tensor = local_kernel(own[0]->tensor, local);
        if (own.size() > 1) own[1]->tensor = local_bias(own[1]->tensor, local);
      });
    }
    for (const GateFactors& factors : configuration.factors)
      if (factors.layer == layer.layer)
        for (KerasVariable* variable : variables_of_gates(layer, factors)) {
          keep(*variable);
          variable->tensor = with_gates_multiplied(*variable, factors, kOldHardSigmoidFactor);
        }
    if (const auto flipped = convolutions.find(layer.layer); flipped != convolutions.end())
      for (const std::string& inner : flipped->second)
        for (KerasVariable* variable : variables_within(layer, inner, 1))
          if (variable->tensor.rank() > 2) variable->tensor = turned_round(variable->tensor);
  }
  return unscaled;
}

}  // namespace h5bridge
