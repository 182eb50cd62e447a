#include "pytorch/exported_program/registered.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/registry.h"
#include "passes/infer_shapes.h"
#include "pytorch/exported_program/call.h"

namespace h5bridge {

void join_registered_twice(Architecture& architecture, const std::vector<Pt2Tensor>& tensors) {
  std::map<std::string, const Pt2Tensor*> by_name;
  for (const Pt2Tensor& tensor : tensors) by_name.emplace(tensor.name, &tensor);
  // Its tensors, if buffers are among them; else nothing.
  const auto views_of = [&](const Layer& layer) {
    std::vector<Pt2View> own;
    bool has_buffer = false;
    for (const ParameterSpec& spec : Registry::instance().type_of(layer).parameters(layer.attributes))
      if (const auto found = by_name.find(tensor_name(layer.name, spec.name)); found != by_name.end()) {
        own.push_back(view_of(*found->second));
        has_buffer = has_buffer || !found->second->is_parameter;
      }
    return has_buffer ? own : std::vector<Pt2View>();
  };
  std::map<std::string, std::string> first_names;
  std::vector<Layer> distinct;
  std::multimap<std::pair<std::string, std::vector<Pt2View>>, std::size_t> known;  // places in `distinct`
  for (Layer& layer : architecture.layers) {
    std::pair key(layer.type, views_of(layer));
    const auto [begin, end] = known.equal_range(key);
    const auto first = std::find_if(
        begin, end, [&](const auto& other) { return distinct[other.second].attributes == layer.attributes; });
    if (first != end) {
      first_names.emplace(layer.name, distinct[first->second].name);
      continue;
    }
    if (!key.second.empty()) known.emplace(std::move(key), distinct.size());
    distinct.push_back(std::move(layer));
  }
  architecture.layers = std::move(distinct);
  for (Node& node : architecture.nodes)
    if (const auto first = first_names.find(node.layer); first != first_names.end()) node.layer = first->second;
}

void add_registered(Architecture& architecture, const std::vector<Pt2Tensor>& tensors) {
  std::set<std::string> own;
  for (const NamedParameter& parameter : parameters_of(architecture)) own.insert(parameter.name);
  std::map<Pt2View, std::string> first_names;  // of the tensors that layers have
  for (const Pt2Tensor& tensor : tensors)
    if (own.contains(tensor.name)) first_names.emplace(view_of(tensor), tensor.name);
  std::vector<const Pt2Tensor*> parameters;
  for (const Pt2Tensor& tensor : tensors) {
    architecture.state_dict.push_back(tensor.name);
    if (!tensor.is_parameter) architecture.buffers.push_back(tensor.name);
    if (tensor.is_parameter && !tensor.requires_grad) architecture.frozen.push_back(tensor.name);
    if (own.contains(tensor.name)) {
      if (tensor.is_parameter) parameters.push_back(&tensor);
    } else if (const auto first = first_names.find(view_of(tensor)); first != first_names.end()) {
      architecture.aliases.emplace_back(tensor.name, first->second);
    } else {
      architecture.unused.push_back(tensor.name);
    }
  }
  std::vector<std::vector<std::string>> groups;
  std::map<Pt2View, std::size_t> places;  // in `groups`
  for (const Pt2Tensor* parameter : parameters) {
    const auto [place, is_new] = places.emplace(view_of(*parameter), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(parameter->name);
  }
  for (std::vector<std::string>& names : groups)
    if (names.size() > 1) architecture.ties.push_back(std::move(names));
}

}  // namespace h5bridge
