#include "files/keras_h5.h"

#include <optional>
#include <set>

#include "files/hdf5.h"
#include "files/keras_objects.h"
#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

/// The list that attribute `name` holds, or `name`0, `name`1, ... if it was split; nullopt if there is neither.
std::optional<std::vector<std::string>> names_in(const hdf5::Object& object, const std::string& name) {
  std::optional<std::vector<std::string>> all = object.texts(name);
  if (all) return all;
  for (int part = 0;; ++part) {
    const auto piece = object.texts(name + std::to_string(part));
    if (!piece) return all;
    if (!all) all.emplace();
    all->insert(all->end(), piece->begin(), piece->end());
  }
}

std::vector<KerasVariable> read_variables(const hdf5::Group& group) {
  std::vector<KerasVariable> variables;
  std::set<std::string> seen;
  for (const std::string& path : names_in(group, "weight_names").value_or(std::vector<std::string>())) {
    if (!seen.insert(path).second)
      throw MalformedFile("attribute weight_names of " + group.path() + " names " + path + " twice");
    variables.push_back({path, group.data_set(path).tensor()});
  }
  return variables;
}

std::vector<KerasLayerWeights> read_layers(const hdf5::Group& group, const std::vector<std::string>& names) {
  std::vector<KerasLayerWeights> layers;
  // A file could otherwise hold a few bytes that say "the same layer" a million times.
  std::set<std::uint64_t> seen;
  for (const std::string& name : names) {
    const hdf5::Group layer = group.group(name);
    if (!seen.insert(layer.address()).second) throw MalformedFile(layer.path() + " is the group of another layer, too");
    layers.push_back({name, read_variables(layer)});
  }
  return layers;
}

// Files of Keras 0 number layers and variables: layer_0/param_0.
std::vector<KerasLayerWeights> read_numbered_layers(const hdf5::Group& root) {
  std::vector<KerasLayerWeights> layers;
  std::string name;
  for (std::size_t index = 0; root.has(name = "layer_" + std::to_string(index)); ++index) {
    const hdf5::Group group = root.group(name);
    KerasLayerWeights& layer = layers.emplace_back(KerasLayerWeights{name, {}});
    std::string parameter;
    while (group.has(parameter = "param_" + std::to_string(layer.variables.size())))
      layer.variables.push_back({name + "/" + parameter, group.data_set(parameter).tensor()});
  }
  return layers;
}

// A file that has no list of layers.
[[noreturn]] void refuse(const hdf5::Group& root) {
  if (root.has("graph"))
    throw Unsupported("is a file of weights of a Graph of Keras 0, which h5bridge does not read yet");
  throw MalformedFile("no Keras model: " + root.path() + " has no attribute layer_names");
}

KerasFile read_root(const hdf5::Group& root) {
  const auto nested = root.has("model_weights") ? std::optional(root.group("model_weights")) : std::nullopt;
  const hdf5::Group& weights = nested ? *nested : root;
  const auto layer_names = names_in(weights, "layer_names");
  KerasFile file;
  if (!layer_names && !nested && has_keras_objects(root)) {
    file.format = "keras-weights";
    read_keras_objects({&root, 1}, file);
    return file;
  }
  const bool is_numbered = !layer_names && weights.has("layer_0");
  if (!layer_names && !is_numbered) refuse(weights);

  file.model_config = h5bridge::read_json(root, "model_config");
  file.has_model_config = root.text("model_config").has_value();
  file.training_config = h5bridge::read_json(root, "training_config");
  const auto stated = [&](const std::string& attribute) {
    const auto text = root.text(attribute);
    return text ? *text : weights.text(attribute).value_or("");
  };
  file.keras_version = stated("keras_version");
  file.backend = stated("backend");
  file.layers = is_numbered ? read_numbered_layers(weights) : read_layers(weights, *layer_names);
  if (weights.has("top_level_model_weights")) file.top_level = read_variables(weights.group("top_level_model_weights"));
  if (root.has("optimizer_weights")) file.optimizer = read_variables(root.group("optimizer_weights"));
  read_extra(root, file);
  return file;
}

}  // namespace

KerasFile read_keras_h5(const std::string& path) { return read_root(hdf5::open(path)); }
KerasFile read_keras_h5(const ByteSourcePtr& file) { return read_root(hdf5::open(file)); }

}  // namespace h5bridge
