#include "convert/settle_ties.h"

#include <algorithm>
#include <map>
#include <set>

#include "model/tensor_view.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

using Names = std::vector<std::string>;

std::set<std::string> parameter_names(const Architecture& architecture) {
  std::set<std::string> result;
  for (const NamedParameter& parameter : parameters_of(architecture))
    if (parameter.spec.role == Role::Parameter) result.insert(parameter.name);
  return result;
}

// In the order of the state_dict, so that the first name is the one that named_parameters() gives.
void add_shared_views(Architecture& architecture, const Weights& weights) {
  const std::set<std::string> parameters = parameter_names(architecture);
  std::map<TensorView, Names> shared;
  for (const NamedTensor& tensor : weights)
    if (tensor.tensor.element_count() > 0 && parameters.contains(tensor.name))
      shared[view_of(tensor.tensor)].push_back(tensor.name);
  std::vector<Names> groups;
  for (auto& [view, names] : shared)
    if (names.size() > 1) groups.push_back(std::move(names));
  std::ranges::sort(groups);  // and not by addresses
  for (const Names& names : groups) add_tie(architecture, names);
}

void give_all_names(const Names& group, Weights& weights) {
  const auto known = std::ranges::find_if(group, [&](const std::string& name) { return weights.find(name); });
  if (known == group.end()) return;
  const Tensor tensor = *weights.find(*known);
  for (const std::string& name : group)
    if (!weights.find(name)) weights.add(name, tensor);
}

// The group as sets of equal tensors, each of which shares one.
std::vector<Names> equal_parts(const Names& group, Weights& weights) {
  std::vector<Names> parts;
  for (const std::string& name : group) {
    const Tensor* tensor = weights.find(name);
    if (!tensor) continue;
    const auto part = std::ranges::find_if(
        parts, [&](const Names& names) { return bit_equal(*weights.find(names.front()), *tensor); });
    if (part == parts.end()) {
      parts.push_back({name});
    } else {
      weights.set(name, Tensor(*weights.find(part->front())));
      part->push_back(name);
    }
  }
  return parts;
}

}  // namespace

void add_tie(Architecture& architecture, const std::vector<std::string>& names) {
  const std::set<std::string> parameters = parameter_names(architecture);
  Names group;
  for (const std::string& name : names) {
    const bool is_tied =
        std::ranges::any_of(architecture.ties, [&](const Names& tie) { return std::ranges::count(tie, name) > 0; });
    if (parameters.contains(name) && !is_tied) group.push_back(name);
  }
  if (group.size() > 1) architecture.ties.push_back(std::move(group));
}

Ties settle_ties(Model& model, bool untie) {
  if (!model.architecture) return {};
  add_shared_views(*model.architecture, model.weights);
  Ties ties, untied;
  for (const Names& group : model.architecture->ties) {
    give_all_names(group, model.weights);
    std::vector<Names> parts = equal_parts(group, model.weights);
    if (!untie || parts.size() < 2) {
      ties.push_back(group);
    } else {
      untied.push_back(group);
      model.notes.push_back(parts[0].front() + " and " + parts[1].front() +
                            " are two parameters now: a module that still ties them would take the one for both");
      for (Names& part : parts)
        if (part.size() > 1) ties.push_back(std::move(part));
    }
  }
  model.architecture->ties = std::move(ties);
  return untied;
}

}  // namespace h5bridge
