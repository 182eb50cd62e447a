#include "keras/to_keras_2/in_parts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "h5bridge/error.h"
#include "keras/inner_layers.h"
#include "keras/to_keras_2/calls.h"
#include "keras/to_keras_2/one_type.h"
#include "keras/to_keras_2/operations.h"
#include "keras/to_keras_2/parts.h"
#include "keras/to_keras_2/recipes.h"
#include "keras/to_keras_2/since.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr const char* kScaled = "RMSNormalization";
constexpr std::string_view kScale = "/scale";

bool is_operation(const Json& entry) { return !entry.at("module").as_string().starts_with("keras.layers"); }

// The activation of an Activation that Keras 2 does not have.
const std::string* new_activation(const Json& entry) {
  if (entry.at("class_name") != Json("Activation")) return nullptr;
  const Json& name = entry.at("config").at("activation");
  if (!name.is_string()) return nullptr;
  const auto since = class_since("activations.", name.as_string());
  // Functions say mish for more of them.
  const bool is_new = !since || (*since > kFunctionsSince && entry.find("inbound_nodes"));
  return is_new ? &name.as_string() : nullptr;
}

// Settings that TensorFlow's function does not have, which stand for others.
constexpr auto kStandForOthers = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"Cumprod", "axis"},
    {"Cumsum", "axis"},
    {"Repeat", "axis"},
    {"Roll", "axis"},
});
// Operations that are of truth values in TensorFlow, and of numbers, too, in Keras.
constexpr auto kOfTruth =
    std::to_array<std::string_view>({"All", "Any", "LogicalAnd", "LogicalNot", "LogicalOr", "LogicalXor", "Where"});

bool is_of_numbers(const Json& entry) {
  for (const Json& node : entry.at("inbound_nodes").as_array()) {
    const Json::Array& args = node.at("args").as_array();
    const std::size_t count =
        entry.at("class_name") == Json("Where") ? std::min<std::size_t>(args.size(), 1) : args.size();
    for (std::size_t i = 0; i < count; ++i)
      if (is_keras_tensor(args[i]) && dtype_of(args[i]) != "bool") return true;
  }
  return false;
}

bool is_of_truth_values(const Json& entry) {
  return std::ranges::any_of(entry.at("inbound_nodes").as_array(), [](const Json& node) {
    return std::ranges::any_of(node.at("args").as_array(),
                               [](const Json& one) { return is_keras_tensor(one) && dtype_of(one) == "bool"; });
  });
}

bool is_said_otherwise(const Json& entry) {
  const std::string& class_name = entry.at("class_name").as_string();
  if (class_name.starts_with("Bitwise")) return is_of_truth_values(entry);
  if (std::ranges::find(kOfTruth, class_name) != kOfTruth.end()) return is_of_numbers(entry);
  if (class_name == "SearchSorted") return true;
  if (const Json* k = entry.at("config").find("k"); k && (class_name == "Tril" || class_name == "Triu"))
    return class_name == "Tril" ? k->as_integer() < 0 : k->as_integer() != 0;
  if (class_name == "MaxPool" || class_name == "AveragePool") return true;
  if (class_name == "Conv" && strides_and_dilates(entry.at("config").as_object())) return true;
  return std::ranges::any_of(kStandForOthers, [&](const auto& row) {
    const Json* value = row.first == class_name ? entry.at("config").find(row.second) : nullptr;
    return value && value->is_null();
  });
}

// Layers whose bicubic interpolation is another one in TensorFlow.
constexpr std::array<std::string_view, 2> kInterpolating{"Resizing", "UpSampling2D"};

Recipe recipe_of(const Json& entry) {
  const std::string& class_name = entry.at("class_name").as_string();
  if (is_operation(entry)) {
    const bool is_one = has_function(entry) && !is_said_otherwise(entry);
    return is_one ? nullptr : recipe_of_operation(class_name);
  }
  if (const std::string* activation = new_activation(entry)) return recipe_of_activation(*activation);
  if (std::ranges::find(kInterpolating, class_name) != kInterpolating.end() &&
      entry.at("config").at("interpolation") != Json("bicubic"))
    return nullptr;
  return recipe_of_layer(class_name);
}

// Masks that Keras 2's call does not take.
bool has_new_masks(const Json& entry) {
  return entry.at("class_name") == Json("MultiHeadAttention") &&
         std::ranges::any_of(entry.at("inbound_nodes").as_array(), [](const Json& node) {
           return std::ranges::any_of(std::array{"query_mask", "value_mask", "key_mask"}, [&](const char* name) {
             const Json* given = node.at("kwargs").find(name);
             return given && !given->is_null();
           });
         });
}

bool has_arguments_by_name(const Json& node) {
  return std::ranges::any_of(node.at("kwargs").as_object(),
                             [](const Json::Member& argument) { return !argument.second.is_null(); });
}

// Activations that are a layer of Keras 2's with this setting.
struct ActivationLayer {
  std::string_view activation, class_name, key;
  double value;
};
constexpr auto kActivationLayers = std::to_array<ActivationLayer>({
    {"leaky_relu", "LeakyReLU", "negative_slope", 0.2},
    {"relu6", "ReLU", "max_value", 6},
});

// In a chain no function of TensorFlow's stands.
Json in_a_chain(const Json& entry) {
  const std::string* activation = new_activation(entry);
  if (!activation) return entry;
  const auto row = std::ranges::find(kActivationLayers, std::string_view(*activation), &ActivationLayer::activation);
  if (row == kActivationLayers.end()) return entry;
  Json::Object config{{"name", entry.at("config").at("name")}};
  for (const char* key : {"trainable", "dtype"})
    if (const Json* value = entry.at("config").find(key)) config.set(key, *value);
  config.set(row->key, row->value);
  Json::Object layer = entry.as_object();
  layer.set("class_name", row->class_name);
  layer.set("config", std::move(config));
  return layer;
}

class Models {
 public:
  explicit Models(std::vector<std::string>& missing) : missing_(missing) {}

  void run(Json& model) {
    Json::Object& config = model.as_object().find("config")->as_object();
    Json::Array& layers = config.find("layers")->as_array();
    std::set<std::string> taken;
    state_true_types(layers);
    for (const Json& layer : layers)
      if (const Json* name = layer.at("config").find("name"); name && name->is_string())
        taken.insert(name->as_string());
    Json::Array all;
    for (Json& layer : layers) {
      if (is_model_class(layer.at("class_name").as_string())) {
        run(layer);
        all.push_back(std::move(layer));
      } else if (wrapped_model(layer)) {
        run(*layer.as_object().find("config")->as_object().find("layer"));
        all.push_back(std::move(layer));
      } else if (!layer.find("inbound_nodes")) {
        all.push_back(in_a_chain(layer));
      } else {
        for (Json& part : parts_of(layer, taken)) all.push_back(std::move(part));
      }
    }
    layers = std::move(all);
  }

  std::set<std::string>& scaled() { return scaled_; }

 private:
  Json::Array parts_of(const Json& layer, std::set<std::string>& taken) {
    const Recipe recipe = recipe_of(layer);
    const Json::Array& nodes = layer.at("inbound_nodes").as_array();
    const bool masks = has_new_masks(layer), mixes = is_operation(layer) && mixes_types(layer);
    if (!masks && ((!recipe && !mixes) || std::ranges::any_of(nodes, has_arguments_by_name))) return {layer};
    const std::string& name = layer.at("name").as_string();
    try {
      Parts parts(name, taken);
      for (const Json& node : nodes) {
        parts.begin_call();
        call_in_parts(parts, layer, node, recipe);
      }
      if (parts.empty()) return {layer};
      if (layer.at("class_name") == Json(kScaled)) scaled_.insert(name);
      return parts.finished();
    } catch (const Unsupported& error) {
      missing_.push_back("layer " + quoted(layer.at("name")) + " (" + layer.at("class_name").as_string() +
                         "): " + error.what());
      return {};
    }
  }

  static void call_in_parts(Parts& parts, const Json& layer, const Json& node, Recipe recipe) {
    const std::string& class_name = layer.at("class_name").as_string();
    Json::Object config = layer.at("config").as_object();
    if (!is_operation(layer) && has_new_masks(layer)) return attention_in_parts(parts, config, node);
    const Json::Array args =
        is_operation(layer) ? of_one_type(parts, class_name, node.at("args").as_array()) : node.at("args").as_array();
    if (recipe) return recipe(parts, config, args);
    config.erase("name");
    parts.operation(class_name, std::move(config), args, Json::Array());
  }

  std::vector<std::string>& missing_;
  std::set<std::string> scaled_;
};

}  // namespace

bool takes_a_graph(const Json& entry) { return recipe_of(in_a_chain(entry)) != nullptr; }

std::set<std::string> put_in_parts(Json& model, std::vector<std::string>& missing) {
  Models models(missing);
  models.run(model);
  return std::move(models.scaled());
}

void name_kernels(std::vector<KerasVariable>& variables, const std::set<std::string>& layers) {
  for (KerasVariable& variable : variables) {
    if (!variable.path.ends_with(kScale)) continue;
    const std::string layer = variable.path.substr(0, variable.path.size() - kScale.size());
    if (layers.contains(layer.substr(layer.rfind('/') + 1))) variable.path = layer + "/kernel";
  }
}

}  // namespace h5bridge
