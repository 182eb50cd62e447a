#include "convert/match_weights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/match_layers.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

using VariableShapes = std::vector<Shape>;

class Expected {
 public:
  Expected(const KerasBindings& bound, const Architecture& architecture) : bound_(bound) {
    for (const NamedParameter& parameter : parameters_of(architecture)) specs_[parameter.name] = parameter.spec;
  }

  // The groups that hold weights, in Keras's order.
  std::vector<std::string> names(const LayerOrder& order) const {
    std::set<std::string_view> left;
    for (const KerasBinding& binding : bound_.bindings) left.insert(binding.group);
    std::vector<std::string> result;
    const auto take = [&](const std::string& name) {
      if (left.erase(name) > 0) result.push_back(name);
    };
    std::ranges::for_each(order, take);
    std::ranges::for_each(bound_.bindings, take, &KerasBinding::group);
    return result;
  }

  // Those of a group's variables, sorted; nullopt where they are not known. All are found when one is asked for first.
  const std::optional<VariableShapes>& shapes(const std::string& group) {
    if (shapes_.empty())
      for (const KerasBinding& binding : bound_.bindings) add_shapes(binding);
    return shapes_.at(group);
  }

 private:
  void add_shapes(const KerasBinding& binding) {
    std::optional<VariableShapes>& shapes = shapes_.try_emplace(binding.group, VariableShapes{}).first->second;
    if (binding.is_wrappers_own) shapes.reset();  // no parameter says them
    if (!shapes) return;
    try {
      for (const Tensor& variable : to_keras(binding.steps, tensors(binding.torch), tensors(binding.given)))
        shapes->push_back(variable.shape());
      std::ranges::sort(*shapes);
    } catch (const Error&) {
      shapes.reset();
    }
  }

  // Zeros, which take no memory.
  std::vector<Tensor> tensors(const std::vector<KerasBinding::Source>& sources) const {
    std::vector<Tensor> result;
    for (const KerasBinding::Source& source : sources) {
      const auto spec = specs_.find(source.name);
      if (spec == specs_.end()) throw MalformedFile("no parameter " + source.name);
      result.push_back(to_keras(source.steps, {zeros(spec->second.dtype, spec->second.shape)}).at(0));
    }
    return result;
  }

  const KerasBindings& bound_;
  std::map<std::string, ParameterSpec> specs_;
  std::map<std::string, std::optional<VariableShapes>> shapes_;  // by group
};

VariableShapes shapes_of(const KerasLayerWeights& layer) {
  VariableShapes result;
  for (const KerasVariable& variable : layer.variables) result.push_back(variable.tensor.shape());
  std::ranges::sort(result);
  return result;
}

}  // namespace

std::vector<KerasLayerWeights> matched_to_plan(const KerasFile& file, const KerasBindings& bound,
                                               const Architecture& architecture, const LayerOrder& order,
                                               std::optional<LayerMatch> asked, Notes& notes) {
  Expected expected(bound, architecture);
  const std::vector<std::string> names = expected.names(order);
  std::vector<std::size_t> places;  // of the file's layers that hold weights
  std::vector<std::string> found;
  for (std::size_t i = 0; i < file.layers.size(); ++i)
    if (!file.layers[i].variables.empty()) {
      places.push_back(i);
      found.push_back(file.layers[i].layer);
    }
  const auto fits = [&](std::size_t layer, std::size_t group) {
    const std::optional<VariableShapes>& shapes = expected.shapes(names[layer]);
    return !shapes || *shapes == shapes_of(file.layers[places[group]]);
  };
  const std::vector<std::optional<std::size_t>> matches = match_layers(names, found, asked, fits);
  std::vector<KerasLayerWeights> layers = file.layers;
  std::vector<std::string> renamed;
  for (std::size_t i = 0; i < matches.size(); ++i)
    if (matches[i] && found[*matches[i]] != names[i]) {
      layers[places[*matches[i]]].layer = names[i];
      renamed.push_back(found[*matches[i]] + " as " + names[i]);
    }
  if (!renamed.empty())
    notes.push_back("weights are taken by the order of layers, as Keras loads them: " + shortened(joined(renamed)));
  return layers;
}

}  // namespace h5bridge
