#include "convert/architecture_beside_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "convert/architecture_json.h"
#include "convert/keras_data_format.h"
#include "convert/layout_conversion.h"
#include "convert/object_weights.h"
#include "h5bridge/error.h"
#include "keras/configuration_difference.h"
#include "keras/lift.h"
#include "keras/parse_tree.h"
#include "keras/plan.h"
#include "model/architecture_index.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

FloatTypes types_in(const KerasFile& file, const KerasPlan& plan) {
  FloatTypes result;
  const std::vector<KerasLayerWeights> weights =
      file.objects.empty()
          ? file.layers
          : weights_of_objects(
                file, plan, parse_layers(file.model_config.is_object() ? file.model_config : Json(plan.model_config)));
  for (const KerasBinding& binding : plan.bindings) {
    const std::string& group = file.objects.empty() ? binding.group : binding.layer;
    const auto layer = std::ranges::find(weights, group, &KerasLayerWeights::layer);
    if (layer == weights.end()) continue;
    for (const KerasVariable& variable : layer->variables)
      for (const KerasBinding::Source& source : binding.torch) result.add(source.name, variable.tensor.dtype());
  }
  return result;
}

// What we would write of it: what PyTorch and Keras say differently is then said in one way.
// Where `file` has layers that we would write, their tensors have its types.
Json keras_configuration(const Architecture& architecture, DataFormat format, const KerasFile* file = nullptr) {
  Model model;
  model.architecture = architecture;
  const std::optional<Model> original = keras_original(model);
  const LayoutChange change =
      change_layout(original ? *original->architecture : architecture, format, Framework::Keras);
  const KerasPlan plan = plan_keras(change.architecture, change.weights);
  return file ? plan_keras(change.architecture, change.weights, types_in(*file, plan)).model_config : plan.model_config;
}

// What stands in a model within the model here, and by itself there, is called as it is there.
Architecture named_as_there(Architecture here, const Architecture& there) {
  const ArchitectureIndex names_here(here), names_there(there);
  std::map<std::string, std::string> renamed;
  std::set<std::string> taken;
  for (const Layer& layer : here.layers) {
    std::string_view within;  // the innermost model
    for (const Scope& scope : here.scopes)
      if (layer.name.starts_with(scope.name + ".") && scope.name.size() > within.size()) within = scope.name;
    if (within.empty() || names_there.find_layer(layer.name)) continue;
    const std::string own = layer.name.substr(within.size() + 1);
    if (names_there.find_layer(own) && !names_here.find_layer(own) && taken.insert(own).second)
      renamed.emplace(layer.name, own);
  }
  const auto rename = [&](std::string& name) {
    if (const auto other = renamed.find(name); other != renamed.end()) name = other->second;
  };
  for (Layer& layer : here.layers) rename(layer.name);
  for (Node& node : here.nodes) rename(node.layer);
  return here;
}

// As network_differences() has them, of two configurations of Keras's.
std::vector<NetworkDifference> differences(const Json& there, const Json& here, const NetworkNames& names = {}) {
  std::optional<Architecture> network_here, network_there;
  try {
    network_here = architecture_from_keras(here);
    network_there = architecture_from_keras(there);
  } catch (const Error&) {
    // Not all that we write is read, and a file may have layers that are not known: those are compared by their names.
    return configuration_differences(there, here, names);
  }
  return network_differences(*network_there, named_as_there(*std::move(network_here), *network_there), names);
}

}  // namespace

std::vector<NetworkDifference> differences_beside_file(const KerasFile& file, const KerasModel& stated,
                                                       const Architecture& given) {
  const Json* embedded = file.extra.find("architecture");
  const bool is_ours = embedded && embedded->is_object() && !file.is_edited;
  if (!is_ours && !file.model_config.is_object()) return {};
  const DataFormat format = data_format_of_file(file, stated, given);
  Json here = file.model_config;
  if (is_ours) {
    const Architecture own = checked(architecture_from_json(*embedded));
    if (architecture_to_json(own) == architecture_to_json(given)) return {};
    here = keras_configuration(own, format);
  }
  return differences(keras_configuration(given, format, is_ours ? nullptr : &file), here);
}

std::vector<NetworkDifference> differences_by_edits(const KerasFile& file, const KerasModel& stated) {
  const Json* embedded = file.extra.find("architecture");
  if (!file.is_edited || !embedded || !embedded->is_object()) return {};
  const Architecture own = checked(architecture_from_json(*embedded));
  return differences(keras_configuration(own, data_format_of_file(file, stated, own), &file), file.model_config);
}

std::optional<DataFormat> format_by_layers(const KerasFile& file, const Architecture& given) {
  std::optional<DataFormat> result;
  const bool has_layout =
      differs_from(given, DataFormat::ChannelsLast) || differs_from(given, DataFormat::ChannelsFirst);
  if (!has_layout || !file.model_config.is_object()) return result;
  for (const DataFormat format : {DataFormat::ChannelsLast, DataFormat::ChannelsFirst}) {
    try {
      if (!differences(keras_configuration(given, format, &file), file.model_config).empty()) continue;
    } catch (const Error&) {  // not to be written so
      continue;
    }
    if (result) return std::nullopt;
    result = format;
  }
  return result;
}

std::vector<NetworkDifference> network_differences_of(const Architecture& there, const Architecture& here,
                                                      const NetworkNames& names) {
  if (architecture_to_json(there) == architecture_to_json(here)) return {};
  return differences(keras_configuration(there, DataFormat::ChannelsLast),
                     keras_configuration(here, DataFormat::ChannelsLast), names);
}

}  // namespace h5bridge
