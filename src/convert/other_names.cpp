#include "convert/other_names.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "convert/rename.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

struct Named {
  std::string name;
  Shape shape;
  bool is_float;
};

std::string end_of(const std::string& name) { return name.substr(name.rfind('.') + 1); }

/// BatchNorm's counter, which older files do not have.
bool is_counter(const Named& tensor) { return tensor.shape.empty() && !tensor.is_float; }

/// What the network asks for, in PyTorch's order where that is known.
std::vector<Named> asked_for(const Architecture& architecture) {
  std::vector<Named> result;
  std::set<std::string> other_names;
  for (const std::vector<std::string>& group : architecture.ties)
    for (const std::string& name : group)
      if (name != group.front()) other_names.insert(name);
  for (const NamedParameter& parameter : parameters_of(architecture))
    if (!other_names.contains(parameter.name))
      result.push_back({parameter.name, parameter.spec.shape, is_floating_point(parameter.spec.dtype)});
  std::map<std::string_view, std::size_t> places;
  for (const std::string& name : architecture.state_dict) places.emplace(name, places.size());
  std::ranges::stable_sort(result, {}, [&](const Named& tensor) {
    const auto place = places.find(tensor.name);
    return place == places.end() ? places.size() : place->second;
  });
  return result;
}

std::vector<Named> in_file(const Weights& weights) {
  std::vector<Named> result;
  for (const NamedTensor& tensor : weights)
    result.push_back({tensor.name, tensor.tensor.shape(), is_floating_point(tensor.tensor.dtype())});
  return result;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;  // theirs, ours

std::optional<Pairs> by_order(const std::vector<Named>& wanted, const std::vector<Named>& found) {
  Pairs result;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].shape != found[i].shape || wanted[i].is_float != found[i].is_float) return std::nullopt;
    result.emplace_back(found[i].name, wanted[i].name);
  }
  return result;
}

/// Each by a key that no other one has.
template <typename Key>
std::optional<Pairs> by_key(const std::vector<Named>& wanted, const std::vector<Named>& found, Key&& key_of) {
  std::map<decltype(key_of(wanted[0])), std::string> theirs;
  for (const Named& tensor : found)
    if (!theirs.emplace(key_of(tensor), tensor.name).second) return std::nullopt;
  Pairs result;
  for (const Named& tensor : wanted) {
    const auto known = theirs.find(key_of(tensor));
    if (known == theirs.end()) return std::nullopt;
    result.emplace_back(known->second, tensor.name);
    theirs.erase(known);
  }
  return result;
}

std::optional<Pairs> plain_pairs(const std::vector<Named>& wanted, const std::vector<Named>& found) {
  if (auto pairs = by_key(wanted, found, [](const Named& t) { return std::pair(t.shape, t.is_float); })) return pairs;
  return by_key(wanted, found, [](const Named& t) { return std::tuple(t.shape, t.is_float, end_of(t.name)); });
}

/// What the network asks for and what the file has, where they are as many and none has a name of the others.
std::optional<std::pair<std::vector<Named>, std::vector<Named>>> all_named_otherwise(const Model& model) {
  std::vector<Named> wanted = asked_for(*model.architecture), found = in_file(model.weights);
  // A counter that has its name was put there for one that an older file does not have.
  const auto is_known = [&](const Named& tensor) { return !is_counter(tensor) && model.weights.find(tensor.name); };
  if (wanted.empty() || std::ranges::any_of(wanted, is_known)) return std::nullopt;
  std::erase_if(found, [&](const Named& tensor) { return std::ranges::count(wanted, tensor.name, &Named::name) > 0; });
  if (std::ranges::none_of(found, is_counter)) std::erase_if(wanted, is_counter);
  if (wanted.size() != found.size()) return std::nullopt;
  return std::pair(std::move(wanted), std::move(found));
}

}  // namespace

bool fit_in_order(const Model& model) {
  const auto both = all_named_otherwise(model);
  return both && by_order(both->first, both->second);
}

void take_other_names(Model& model, const LoadOptions& options) {
  const auto both = all_named_otherwise(model);
  if (!both) return;
  const auto& [wanted, found] = *both;
  const bool is_asked = options.match == LayerMatch::Order;
  const std::optional<Pairs> pairs = is_asked ? by_order(wanted, found) : plain_pairs(wanted, found);
  if (!pairs) return;
  LoadOptions names;
  std::vector<std::string> said;
  for (const auto& [theirs, ours] : *pairs) {
    names.names.emplace(theirs, ours);
    said.push_back(shortened(ours) + " is " + shortened(theirs));
  }
  rename_tensors(model, names);
  model.notes.push_back(std::string("the file's names are none of the network's, and are taken by ") +
                        (is_asked ? "order: " : "shape: ") + joined(said));
}

}  // namespace h5bridge
