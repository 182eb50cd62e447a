#include "keras/to_keras_2/hard_sigmoid.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "keras/dialects/hard_sigmoid.h"
#include "keras/dialects/weights.h"

namespace h5bridge {
namespace {

std::string name_of(const Json& layer) { return layer.at("config").at("name").as_string(); }

bool is_hard_sigmoid(const Json& layer) {
  return layer.at("class_name") == Json("Activation") && layer.at("config").at("activation") == Json("hard_sigmoid");
}

// What was put before an old hard sigmoid.
bool is_factor(const Json& layer) {
  if (layer.at("class_name") != Json("Rescaling")) return false;
  const Json &scale = layer.at("config").at("scale"), &offset = layer.at("config").at("offset");
  return scale.is_number() && scale.as_float() == kOldHardSigmoidFactor && offset.is_number() && offset.as_float() == 0;
}

// How often [name, call, output] is mentioned.
std::size_t mentions_of(const std::string& name, const Json& json) {
  std::size_t count = 0;
  if (json.is_object())
    for (const auto& [key, value] : json.as_object()) count += mentions_of(name, value);
  if (!json.is_array()) return count;
  const Json::Array& parts = json.as_array();
  if (parts.size() == 3 && parts[0] == Json(name) && parts[1].is_integer() && parts[2].is_integer()) return 1;
  for (const Json& part : parts) count += mentions_of(name, part);
  return count;
}

// Whether `layer` takes each call of `factor` once, in order, and nothing else does.
bool is_behind(const Json& layer, const Json& factor, const Json::Array& layers, const Json& outputs) {
  const Json* nodes = layer.find("inbound_nodes");
  const Json* before = factor.find("inbound_nodes");
  if (!nodes || !before) return !nodes && !before;  // in a chain they are neighbours
  const std::string name = name_of(factor);
  if (nodes->as_array().size() != before->as_array().size()) return false;
  for (std::size_t i = 0; i < nodes->as_array().size(); ++i) {
    const Json::Array& arguments = nodes->as_array()[i].at("args").as_array();
    const Json* config = arguments.size() == 1 ? arguments[0].find("config") : nullptr;
    const Json* history = config ? config->find("keras_history") : nullptr;
    if (!history || *history != Json(Json::Array{name, static_cast<std::int64_t>(i), 0})) return false;
  }
  std::size_t mentions = mentions_of(name, outputs);
  for (const Json& other : layers)
    if (const Json* calls = other.find("inbound_nodes")) mentions += mentions_of(name, *calls);
  return mentions == nodes->as_array().size();
}

// Takes factors out of `layers`, whose names are added to `gone`; the activations that they stood before.
std::set<std::string> take_factors(Json::Array& layers, const Json& outputs, std::set<std::string>& gone) {
  std::set<std::string> mended;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!is_hard_sigmoid(layers[i])) continue;
    const bool in_a_chain = !layers[i].find("inbound_nodes");
    for (std::size_t k = in_a_chain && i > 0 ? i - 1 : 0; k < (in_a_chain ? i : layers.size()); ++k) {
      if (!is_factor(layers[k]) || gone.contains(name_of(layers[k])) ||
          !is_behind(layers[i], layers[k], layers, outputs))
        continue;
      if (const Json* before = layers[k].find("inbound_nodes")) {
        Json calls = *before;
        layers[i].as_object().set("inbound_nodes", std::move(calls));
      }
      gone.insert(name_of(layers[k]));
      mended.insert(name_of(layers[i]));
      break;
    }
  }
  std::erase_if(layers, [&](const Json& layer) { return gone.contains(name_of(layer)); });
  return mended;
}

bool is_same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && a.read() == b.read();
}

// "kernel" of "lstm_1/lstm_cell/kernel:0".
std::string_view last_part(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return name.substr(0, name.find(':'));
}

// What a variable was before it was multiplied, where that still is what it was made of: the layer's of its name, of
// which each direction has one.
const Tensor* find_unscaled(const KerasFile& file, const KerasVariable& variable, const GateFactors& factors) {
  const std::string folder = "unscaled/" + factors.layer + "/";
  for (const NamedTensor& kept : file.extra_tensors)
    if (kept.name.starts_with(folder) && last_part(kept.name) == last_part(variable.path) &&
        kept.tensor.shape() == variable.tensor.shape() &&
        is_same(with_gates_multiplied({kept.name, kept.tensor}, factors, kOldHardSigmoidFactor), variable.tensor))
      return &kept.tensor;
  return nullptr;
}

void divide(KerasFile& file, const GateFactors& factors) {
  for (KerasLayerWeights& layer : file.layers) {
    if (layer.layer != factors.layer) continue;
    for (KerasVariable* variable : variables_of_gates(layer, factors)) {
      const Tensor* before = find_unscaled(file, *variable, factors);
      variable->tensor = before ? *before : with_gates_multiplied(*variable, factors, 1 / kOldHardSigmoidFactor);
    }
  }
}

// Of a model and of those within it.
void mend_model(Json::Object& model, std::set<std::string>& gone, std::vector<GateFactors>& factors);

void mend_within(Json& layer, const std::string& outer, std::vector<GateFactors>& factors) {
  if (!holds_model(layer)) return;
  Json::Object& own = layer.as_object();
  if (!own.at("config").find("layers")) {
    mend_within(*own.find("config")->as_object().find("layer"), outer, factors);
    return;
  }
  std::set<std::string> gone;  // without weights
  std::vector<GateFactors> found;
  mend_model(own, gone, found);
  for (GateFactors& each : found) {
    put_within(outer, each);
    factors.push_back(std::move(each));
  }
}

void mend_model(Json::Object& model, std::set<std::string>& gone, std::vector<GateFactors>& factors) {
  Json::Object config = model.at("config").as_object();
  Json::Array layers = config.at("layers").as_array();
  const Json* stated = config.find("output_layers");
  Json outputs = stated ? *stated : Json();
  for (Json& layer : layers) mend_within(layer, name_of(layer), factors);
  const std::set<std::string> mended = take_factors(layers, outputs, gone);
  mend_hard_sigmoids(layers, outputs, factors, HardSigmoid::OfKeras3, mended);
  config.set("layers", std::move(layers));
  if (stated) config.set("output_layers", std::move(outputs));
  model.set("config", std::move(config));
}

}  // namespace

std::vector<std::string> hard_sigmoids_of_keras_2(KerasFile& file) {
  if (!file.model_config.is_object() || !file.model_config.find("config")) return {};
  std::set<std::string> gone;
  std::vector<GateFactors> factors;
  mend_model(file.model_config.as_object(), gone, factors);
  std::erase_if(file.layers, [&](const KerasLayerWeights& layer) { return gone.contains(layer.layer); });
  for (const GateFactors& found : factors) divide(file, found);
  if (factors.empty() || !file.training_config.is_object() ||
      !file.training_config.as_object().erase("optimizer_config"))
    return {};
  file.optimizer.clear();
  return {
      "the optimizer is left out: its state is that of weights which are divided by 1.2 for Keras 2's hard_sigmoid"};
}

}  // namespace h5bridge
