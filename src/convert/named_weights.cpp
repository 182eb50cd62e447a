#include "convert/named_weights.h"

#include <utility>

#include "keras/dialects/configuration.h"
#include "keras/unknown_layers.h"

namespace h5bridge {
namespace {

std::string plain_name(const std::string& path) {
  return path.ends_with(":0") ? path.substr(0, path.size() - 2) : path;
}

// Of a name that two layers have, the second one's says the layer, too.
void add_named(Weights& weights, const std::string& layer, const std::string& name, const Tensor& tensor) {
  weights.add(weights.find(name) ? layer + "/" + name : name, Tensor(tensor));
}

}  // namespace

std::optional<Model> named_weights(const KerasFile& file, const std::string& why) {
  if (!file.model_config.is_object() || !has_unknown_layers(file.model_config)) return std::nullopt;
  Model model;
  model.framework = Framework::Keras;
  model.format = file.format;
  for (const KerasLayerWeights& layer : file.layers)
    for (const auto& [path, tensor] : layer.variables) add_named(model.weights, layer.layer, plain_name(path), tensor);
  for (const auto& [path, tensor] : file.top_level) add_named(model.weights, "model", plain_name(path), tensor);
  for (const KerasObject& object : file.objects)
    for (std::size_t i = 0; i < object.variables.size(); ++i)
      model.weights.add((object.path.empty() ? "" : object.path + "/") + "vars/" + std::to_string(i),
                        Tensor(object.variables[i]));
  if (model.weights.empty()) return std::nullopt;
  model.notes.push_back(
      "weights alone are taken, by the file's own names and as Keras lays them out, as its layers are not all known: " +
      why);
  if (!file.optimizer.empty() || file.training_config.is_object())
    model.notes.push_back("the training state is left out, as it is that of the layers");
  return model;
}

}  // namespace h5bridge
