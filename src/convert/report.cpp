#include "convert/report.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "convert/formats/format.h"
#include "convert/keras_export.h"
#include "facets/keras/keras_plan.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/parse_tree.h"
#include "passes/infer_shapes.h"
#include "passes/layout.h"

namespace h5bridge {
namespace {

// Where one tensor of PyTorch's is in a file.
struct Place {
  std::vector<std::string> names;
  std::string layer;
  std::vector<std::string> steps;
  bool is_exact = true;
};

// A model as a file has it: places by the state_dict's names, classes by layer.
struct NamedLayer {
  std::string name;
  std::string type;
};

struct FileNames {
  std::map<std::string, Place> places;
  std::vector<NamedLayer> layers;
  bool is_keras = false;
};

void collect_layers(const KerasModel& model, const std::string& prefix, std::vector<NamedLayer>& layers) {
  for (const KerasLayer& layer : model.layers) {
    const std::string name = prefix + layer.keras_name;
    layers.push_back({name, layer.class_name});
    if (layer.model) collect_layers(*layer.model, name + "/", layers);
  }
}

FileNames keras_names(const KerasPlan& plan) {
  FileNames result;
  result.is_keras = true;
  collect_layers(parse_layers(plan.model_config), "", result.layers);
  for (const KerasBinding& binding : plan.bindings)
    for (const KerasBinding::Source& source : binding.torch) {
      Place& place = result.places[source.name];
      if (!place.layer.empty() && place.layer != binding.layer) continue;  // the first of several copies
      place.layer = binding.layer;
      for (const std::string& variable : binding.variables) place.names.push_back(binding.path + variable);
      place.steps = texts_of(source.steps);
      std::ranges::copy(texts_of(binding.steps), std::back_inserter(place.steps));
      place.is_exact = !is_lossy(binding.steps);
    }
  return result;
}

FileNames torch_names(const Model& model) {
  FileNames result;
  if (!model.architecture) {
    for (const NamedTensor& tensor : model.weights) result.places[tensor.name] = {{tensor.name}, "", {}, true};
    return result;
  }
  const LayoutChange change = change_layout(*model.architecture, DataFormat::ChannelsFirst);
  for (const Layer& layer : change.architecture.layers) result.layers.push_back({layer.name, layer.type});
  for (const NamedTensor& tensor : model.weights) {
    Place& place = result.places[tensor.name];
    place.names = {tensor.name};
    if (const auto steps = change.weights.find(tensor.name); steps != change.weights.end())
      place.steps = texts_of(steps->second);
  }
  return result;
}

// As the sources have it, as far as the model tells.
FileNames source_names(const Model& model) {
  if (model.framework != Framework::Keras || !model.architecture) {
    FileNames result;
    for (const NamedTensor& tensor : model.weights) result.places[tensor.name] = {{tensor.name}, "", {}, true};
    return result;
  }
  try {
    return keras_names(keras_plan_of(model, {}));
  } catch (const Unsupported&) {  // an older Keras's, which this one has no words for
    return {};
  }
}

Json list_of(const std::map<std::string, Place>& places, const std::string& name,
             const std::vector<std::string> Place::* member) {
  const auto found = places.find(name);
  return found == places.end() ? Json(Json::Array()) : Json::array(found->second.*member);
}

class Report {
 public:
  Report(const Model& model, FileNames source, FileNames destination)
      : model_(model), source_(std::move(source)), destination_(std::move(destination)) {
    for (const NamedLayer& layer : destination_.layers) types_.emplace(layer.name, layer.type);
  }

  Json layers() {
    Json::Array result;
    if (!model_.architecture) return result;
    for (const Layer& layer : model_.architecture->layers) result.push_back(layer_report(layer));
    return result;
  }

  Json added() const {
    Json::Array result;
    if (!model_.architecture) return result;
    for (const NamedLayer& layer : destination_.layers)
      if (!named_.contains(layer.name)) result.push_back(Json::Object{{"name", layer.name}, {"type", layer.type}});
    return result;
  }

  Json beside() const {
    Json::Array result;
    for (const NamedTensor& tensor : model_.weights)
      if (!destination_.places.contains(tensor.name) || !in_layers_.contains(tensor.name))
        result.push_back(tensor.name);
    return result;
  }

 private:
  Json layer_report(const Layer& layer) {
    Json::Array weights;
    std::string there;
    for (const NamedParameter& parameter : parameters_of_layer(layer)) {
      in_layers_.insert(parameter.name);
      weights.push_back(weight_report(parameter.name));
      const auto place = destination_.places.find(parameter.name);
      if (place != destination_.places.end() && there.empty()) there = place->second.layer;
    }
    if (there.empty()) there = destination_.is_keras ? keras_name(layer.name) : layer.name;
    const auto type = types_.find(there);
    if (type != types_.end()) named_.insert(there);
    return Json::Object{{"source", layer.name},
                        {"source_type", layer.type},
                        {"destination", type == types_.end() ? Json() : Json(there)},
                        {"destination_type", type == types_.end() ? Json() : Json(type->second)},
                        {"weights", std::move(weights)}};
  }

  std::vector<NamedParameter> parameters_of_layer(const Layer& layer) const {
    std::vector<NamedParameter> result;
    for (const ParameterSpec& spec : Registry::instance().type_of(layer).parameters(layer.attributes))
      result.push_back({tensor_name(layer.name, spec.name), spec});
    return result;
  }

  Json weight_report(const std::string& name) const {
    const auto place = destination_.places.find(name);
    return Json::Object{{"tensor", name},
                        {"source", list_of(source_.places, name, &Place::names)},
                        {"undone", list_of(source_.places, name, &Place::steps)},
                        {"destination", list_of(destination_.places, name, &Place::names)},
                        {"steps", list_of(destination_.places, name, &Place::steps)},
                        {"exact", place == destination_.places.end() || place->second.is_exact}};
  }

  const Model& model_;
  const FileNames source_;
  const FileNames destination_;
  std::map<std::string, std::string> types_;
  std::set<std::string> named_;
  std::set<std::string> in_layers_;
};

}  // namespace

Json destination_report(const Model& model, const std::string& path, const SaveOptions& options) {
  const std::string format = format_for(path, options.format).name;
  const bool is_keras = format.starts_with("keras");
  Report report(model, source_names(model), is_keras ? keras_names(keras_plan_of(model, options)) : torch_names(model));
  Json layers = report.layers();
  return Json::Object{{"path", path},
                      {"format", format},
                      {"layers", std::move(layers)},
                      {"added", report.added()},
                      {"tensors_beside", report.beside()}};
}

}  // namespace h5bridge
