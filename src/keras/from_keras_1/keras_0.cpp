#include "keras/from_keras_1/keras_0.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

bool is_container(const Json& layer) {
  const Json* layers = layer.find("layers");
  return layer.find("name") && layers && layers->is_array();
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

class Translator0 {
 public:
  Json model(const Json& config) {
    collect_names(config);
    return layer(config);
  }

 private:
  void collect_names(const Json& container) {
    for (const Json& layer : container.at("layers").as_array()) {
      if (const Json* own = layer.find("custom_name"); own && own->is_string()) ++own_names_[own->as_string()];
      if (is_container(layer)) collect_names(layer);
    }
  }

  // The name that the layer has for itself, if no other has it, too: all Dense are called "dense" unless somebody says
  // otherwise.
  std::string name_of(const std::string& class_name, const Json& layer) {
    const Json* own = layer.find("custom_name");
    if (own && own->is_string() && own_names_[own->as_string()] == 1 && own->as_string() != class_name)
      return own->as_string();
    std::string name;
    do name = lower(class_name) + "_" + std::to_string(++counts_[class_name]);
    while (own_names_.contains(name));
    return name;
  }

  Json layer(const Json& old) {
    const std::string& class_name = old.at("name").as_string();
    if (class_name == "Sequential") {
      Json::Array layers;
      for (const Json& inner : old.at("layers").as_array()) layers.push_back(layer(inner));
      return Json::Object{{"class_name", class_name}, {"config", std::move(layers)}};
    }
    if (class_name == "Graph" || class_name == "AutoEncoder" || class_name == "Siamese")
      throw Unsupported("it has a " + class_name + ", which Keras 1 had no more and h5bridge does not read");
    Json::Object config;
    for (const auto& [key, value] : old.as_object()) {
      if (key == "name" || key == "custom_name") continue;
      if (key == "input_shape" && value.is_array()) {
        Json::Array shape{Json()};
        shape.insert(shape.end(), value.as_array().begin(), value.as_array().end());
        config.set("batch_input_shape", std::move(shape));
      } else if (key == "layer") {
        config.set(key, layer(value));
      } else if (key == "layers") {
        Json::Array layers;
        for (const Json& inner : value.as_array()) layers.push_back(layer(inner));
        config.set(key, std::move(layers));
      } else {
        config.set(key, value);
      }
    }
    config.set("name", name_of(class_name, old));
    return Json::Object{{"class_name", class_name}, {"config", std::move(config)}};
  }

  std::map<std::string, int> own_names_;
  std::map<std::string, int> counts_;
};

}  // namespace

bool is_keras_0(const Json& model_config) {
  return model_config.is_object() && !model_config.find("class_name") && is_container(model_config) &&
         model_config.at("name").is_string();
}

Json keras_1_form(const Json& model_config) { return Translator0().model(model_config); }

}  // namespace h5bridge
