#include "passes/registration_order.h"

#include <algorithm>
#include <tuple>

#include "model/tensor_view.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

// Integers take no gradient.
bool may_be_parameter(const Tensor& tensor) {
  return is_floating_point(tensor.dtype()) || tensor.dtype() == DType::Complex64 || tensor.dtype() == DType::Complex128;
}

std::vector<std::string> names_of(const Weights& weights) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : weights) names.push_back(tensor.name);
  return names;
}

bool is_unused(const Model& model, const std::string& name) {
  return model.architecture && std::ranges::count(model.architecture->unused, name) > 0;
}

}  // namespace

bool is_registration_known(const Architecture& architecture) {
  return !architecture.state_dict.empty() || architecture.keras.class_name;
}

Registration::Registration(const Model& model) {
  if (model.architecture) {
    find_names(*model.architecture);
    if (!model.architecture->state_dict.empty()) add(model, model.architecture->state_dict);
  }
  add(model, names_of(model.weights));
}

void Registration::find_names(const Architecture& architecture) {
  // One of integers, which no layer trains, is a parameter all the same where the state_dict has it among these.
  const auto is_buffer = [&](const NamedParameter& one) {
    const bool is_told = !architecture.state_dict.empty() && one.spec.name.empty();
    return one.spec.role == Role::Buffer && !(is_told && std::ranges::count(architecture.buffers, one.name) == 0);
  };
  for (const Layer& layer : architecture.layers) {
    Architecture single;
    single.layers = {layer};
    for (const NamedParameter& parameter : parameters_of(single)) {
      (is_buffer(parameter) ? buffers_ : parameters_).insert(parameter.name);
      if (is_frozen_in_keras(layer)) frozen_.insert(parameter.name);
    }
  }
  frozen_.insert(architecture.frozen.begin(), architecture.frozen.end());
  // What the exporter saw is said of every tensor, and not only of those that a layer computes with.
  buffers_.insert(architecture.buffers.begin(), architecture.buffers.end());
  for (const std::string& name : architecture.state_dict)
    if (!buffers_.contains(name)) parameters_.insert(name);
  for (const auto& group : architecture.ties)
    for (const std::string& name : group)
      if (name != group.front()) first_names_.emplace(name, group.front());
  for (const auto& [alias, name] : architecture.aliases) first_names_.emplace(alias, first_name(name));
}

void Registration::add(const Model& model, const std::vector<std::string>& names) {
  const bool is_known = model.architecture && !model.architecture->state_dict.empty();
  std::vector<Entry> order;
  std::set<std::string> seen;
  std::set<TensorView> views;
  for (const std::string& listed : names) {
    const std::string name = first_name(listed);
    if (buffers_.contains(name) || !seen.insert(name).second) continue;
    const Tensor* tensor = model.weights.find(name);
    const bool is_certain = parameters_.contains(name);
    if (!is_certain && tensor && !may_be_parameter(*tensor)) continue;
    Entry entry{{name, tensor ? std::optional(tensor->shape()) : std::nullopt}, frozen_.contains(name), is_certain};
    // An architecture that knows the state_dict knows its ties, too.
    if (tensor && tensor->element_count() > 0 && !is_known) entry.is_twin = !views.insert(view_of(*tensor)).second;
    order.push_back(std::move(entry));
  }
  if (!std::ranges::count(orders_, order)) orders_.push_back(std::move(order));
}

std::vector<std::string> Registration::order() const {
  std::vector<std::string> names;
  for (const Entry& entry : orders_.front())
    if (entry.is_certain) names.push_back(entry.parameter.name);
  return names;
}

std::vector<ParameterList> Registration::lists() const {
  std::vector<ParameterList> result;
  for (const bool with_uncertain : {true, false})
    for (const bool with_frozen : {true, false})
      for (const bool with_twins : {true, false})
        for (const std::vector<Entry>& order : orders_) {
          ParameterList list;
          for (const Entry& entry : order)
            if ((with_uncertain || entry.is_certain) && (with_frozen || !entry.is_frozen) &&
                (with_twins || !entry.is_twin))
              list.push_back(entry.parameter);
          if (!std::ranges::count(result, list)) result.push_back(std::move(list));
        }
  return result;
}

std::vector<ParameterList> Registration::modules() const {
  const std::vector<Entry>& order = orders_.back();
  if (parameters_.empty() || std::ranges::all_of(order, &Entry::is_certain)) return {};
  const auto module_of = [](const Entry& entry) {
    const std::string& name = entry.parameter.name;
    return std::tuple(name.substr(0, name.rfind('.') + 1), entry.is_frozen);
  };
  const auto are_one = [&](const Entry& a, const Entry& b) {
    return a.is_certain && b.is_certain && module_of(a) == module_of(b);
  };
  std::vector<ParameterList> result;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || !are_one(order[i - 1], order[i])) result.emplace_back();
    result.back().push_back(order[i].parameter);
  }
  return result;
}

std::map<std::string, std::optional<Shape>> Registration::shapes() const {
  std::map<std::string, std::optional<Shape>> result;
  for (const std::vector<Entry>& order : orders_)
    for (const Entry& entry : order) result.emplace(entry.parameter.name, entry.parameter.shape);
  return result;
}

std::string Registration::first_name(const std::string& name) const {
  const auto known = first_names_.find(name);
  return known == first_names_.end() ? name : known->second;
}

std::set<std::string> Registration::all_names() const {
  std::set<std::string> result;
  for (const auto& [name, shape] : shapes()) result.insert(name);
  for (const auto& [name, first] : first_names_) result.insert(name);
  return result;
}

void number_as_registered(Optimizer& optimizer, const Model& model, Listed listed) {
  const Registration registration(model);
  const std::vector<std::string> order = registration.order();
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < order.size(); ++i) place.emplace(order[i], i);
  for (Json::Object& group : optimizer.groups) {
    std::set<std::pair<std::size_t, std::string>> members;
    for (const Json& parameter : group.find("params")->as_array()) {
      const std::string name = registration.first_name(parameter.as_string());
      const auto known = place.find(name);
      members.emplace(known == place.end() ? order.size() : known->second, name);
    }
    const auto may_be_missing = [&](const auto& item) {
      return listed == Listed::All || members.contains({item.second, item.first}) || is_unused(model, item.first);
    };
    const bool lists_all = optimizer.groups.size() == 1 && std::ranges::all_of(place, may_be_missing);
    if (lists_all)
      for (const auto& [name, position] : place) members.emplace(position, name);
    Json::Array names;
    for (const auto& [position, name] : members) names.push_back(name);
    // What no order of registration tells is told by the names.
    if (!lists_all) group.set("param_names", names);
    group.set("params", std::move(names));
  }
}

}  // namespace h5bridge
