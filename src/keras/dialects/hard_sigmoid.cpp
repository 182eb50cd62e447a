#include "keras/dialects/hard_sigmoid.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/error.h"
#include "keras/call.h"
#include "keras/dialects/inserted.h"
#include "keras/dialects/nodes.h"

namespace h5bridge {
namespace {

constexpr const char* kFunction = "hard_sigmoid";

bool is_old(const Json::Object& config, const char* key) {
  const Json* function = config.find(key);
  return function && *function == Json(kFunction);
}

std::string name_of(const Json& layer) { return layer.at("config").at("name").as_string(); }

// A recurrent layer's own configuration, or that of the one that it wraps.
const Json* recurrent(const Json& layer) {
  const std::string& class_name = layer.at("class_name").as_string();
  if (class_name == "LSTM" || class_name == "GRU" || class_name == "SimpleRNN" || class_name == "LSTMCell" ||
      class_name == "GRUCell" || class_name == "SimpleRNNCell" || class_name.starts_with("ConvLSTM"))
    return &layer;
  for (const char* inner : {"layer", "cell"})
    if (const Json* wrapped = layer.at("config").find(inner);
        wrapped && wrapped->is_object() && wrapped->find("class_name"))
      return recurrent(*wrapped);
  return nullptr;
}

// Whether an old hard_sigmoid is anywhere in the layer.
bool mentions(const Json& json) {
  if (json.is_array()) return std::ranges::any_of(json.as_array(), mentions);
  if (!json.is_object()) return false;
  return std::ranges::any_of(json.as_object(), [](const Json::Member& member) {
    const bool is_function = member.first == "activation" || member.first == "recurrent_activation";
    return (is_function && member.second == Json(kFunction)) || mentions(member.second);
  });
}

[[noreturn]] void refuse(const Json& layer, HardSigmoid meant) {
  const std::string which = meant == HardSigmoid::OfKeras2
                                ? "that of Keras 2 (0.2 x + 0.5), which cannot be said here in terms of Keras 3's"
                                : "that of Keras 3 (x / 6 + 0.5), which cannot be said here in terms of Keras 2's";
  throw Unsupported("layer \"" + name_of(layer) + "\" (" + layer.at("class_name").as_string() +
                    "): its hard_sigmoid is " + which);
}

std::optional<GateFactors> factors_of(const Json& layer, const Json& inner, HardSigmoid meant) {
  const Json::Object& config = inner.at("config").as_object();
  std::string class_name = inner.at("class_name").as_string();
  if (class_name.ends_with("Cell")) class_name.resize(class_name.size() - 4);
  const bool gates = class_name != "SimpleRNN" && is_old(config, "recurrent_activation");
  const bool candidate = is_old(config, "activation");
  if (!gates && !candidate) return std::nullopt;
  // An LSTM's activation is applied to its state as well, which no weight stands before.
  if (candidate && class_name.find("LSTM") != std::string::npos) refuse(layer, meant);
  return GateFactors{name_of(layer), class_name, gates, candidate};
}

// Of cells in a stack, each has its variables behind those of the one before (keras 2.2.4, layers/recurrent.py,
// StackedRNNCells.trainable_weights), and each direction its cells; nothing where a layer of Keras's has another form.
std::vector<GateFactors> factors_of_stacks(const Json& layer, HardSigmoid meant) {
  const Json& config = layer.at("config");
  std::vector<const Json*> stacks;
  if (layer.at("class_name") == Json("Bidirectional"))
    for (const char* half : {"layer", "backward_layer"}) stacks.push_back(config.find(half));
  else
    stacks.push_back(&layer);
  std::vector<GateFactors> result;
  std::size_t first = 0;
  for (const Json* stack : stacks) {
    const Json* own = stack && stack->is_object() ? stack->find("config") : nullptr;
    const Json* cell = own ? own->find("cell") : nullptr;
    const Json* cells = cell && cell->is_object() ? cell->at("config").find("cells") : nullptr;
    if (!cells) return {};
    for (const Json& each : cells->as_array()) {
      if (recurrent(each) != &each) return {};
      const Json* bias = each.at("config").find("use_bias");
      const std::size_t count = bias && *bias == Json(false) ? 2 : 3;
      if (auto found = factors_of(layer, each, meant)) {
        found->first = first;
        found->count = count;
        result.push_back(std::move(*found));
      }
      first += count;
    }
  }
  return result;
}

// Empty where no gates of it see the function.
std::vector<GateFactors> all_factors_of(const Json& layer, HardSigmoid meant) {
  const Json* inner = recurrent(layer);
  if (!inner) return factors_of_stacks(layer, meant);
  const auto found = factors_of(layer, *inner, meant);
  return found ? std::vector{*found} : std::vector<GateFactors>{};
}

// Tensors of `from` become those of `to`, wherever they are mentioned.
void redirect(Json& json, const std::map<std::string, std::string>& renamed) {
  if (json.is_object()) {
    for (auto& [key, value] : json.as_object()) redirect(value, renamed);
  } else if (json.is_array()) {
    Json::Array& parts = json.as_array();
    if (parts.size() == 3 && parts[0].is_string() && parts[1].is_integer() && parts[2].is_integer()) {
      if (const auto found = renamed.find(parts[0].as_string()); found != renamed.end()) parts[0] = found->second;
    } else {
      for (Json& part : parts) redirect(part, renamed);
    }
  }
}

}  // namespace

bool holds_model(const Json& layer) {
  const Json& config = layer.at("config");
  if (!config.is_object()) return false;
  const Json* wrapped = config.find("layer");
  return config.find("layers") || (wrapped && wrapped->is_object() && wrapped->find("config") && holds_model(*wrapped));
}

void mend_hard_sigmoids(Json::Array& layers, Json& outputs, std::vector<GateFactors>& factors, HardSigmoid meant,
                        const std::set<std::string>& mended) {
  const double scale = meant == HardSigmoid::OfKeras2 ? kOldHardSigmoidFactor : 1 / kOldHardSigmoidFactor;
  std::set<std::string> names;
  for (const Json& layer : layers) names.insert(name_of(layer));
  const auto unused = [&](const std::string& wanted) {
    const std::string name =
        unique_name(wanted, [&](const std::string& candidate) { return names.contains(candidate); });
    names.insert(name);
    return name;
  };
  std::map<std::string, std::string> renamed;
  std::set<std::string> own;  // layers that take what is put in, and nothing else
  Json::Array result;
  for (Json& layer : layers) {
    if (mended.contains(name_of(layer)) || holds_model(layer) || !mentions(layer.at("config"))) {
      result.push_back(std::move(layer));
      continue;
    }
    if (const auto found = all_factors_of(layer, meant); !found.empty()) {
      factors.insert(factors.end(), found.begin(), found.end());
      result.push_back(std::move(layer));
      continue;
    }
    Json::Object changed = layer.as_object();
    Json::Object config = layer.at("config").as_object();
    if (!is_old(config, "activation") || recurrent(layer)) refuse(layer, meant);
    const std::string name = name_of(layer);
    const Json* nodes = layer.find("inbound_nodes");
    const std::size_t calls = nodes ? nodes->as_array().size() : 0;
    Json factor = inserted_layer("Rescaling", {{"scale", scale}, {"offset", 0.0}}, unused(name + "_factor"));
    if (layer.at("class_name") == Json("Activation")) {  // the factor, and the function itself
      if (nodes) {
        factor.as_object().set("inbound_nodes", *nodes);
        changed.set("inbound_nodes", calls_behind(name_of(factor), calls));
        own.insert(name);
      }
      result.push_back(std::move(factor));
      result.push_back(std::move(changed));
      continue;
    }
    // The layer without its function, the factor, and the function.
    config.set("activation", "linear");
    changed.set("config", std::move(config));
    if (mentions(changed.at("config"))) refuse(layer, meant);
    Json function = inserted_layer("Activation", {{"activation", kFunction}}, unused(name + "_hard_sigmoid"));
    if (nodes) {
      factor.as_object().set("inbound_nodes", calls_behind(name, calls));
      function.as_object().set("inbound_nodes", calls_behind(name_of(factor), calls));
    }
    own.insert({name_of(factor), name_of(function)});
    renamed[name] = name_of(function);
    result.push_back(std::move(changed));
    result.push_back(std::move(factor));
    result.push_back(std::move(function));
  }
  // All but the layers that were just put in take the result of the last of them.
  for (Json& layer : result)
    if (Json* nodes = layer.as_object().find("inbound_nodes"); nodes && !own.contains(name_of(layer)))
      redirect(*nodes, renamed);
  redirect(outputs, renamed);
  layers = std::move(result);
}

}  // namespace h5bridge
