#include "convert/optimizer_names.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "convert/name_prefix.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "optimizers/keras_settings.h"
#include "passes/parameter_order.h"
#include "passes/registration_order.h"
#include "pytorch/optimizer.h"

namespace h5bridge {
namespace {

constexpr const char* kStateOrder =
    "; save it with named parameters (Adam(model.named_parameters())), state their order (LoadOptions::param_order), "
    "or "
    "leave it out (LoadOptions::optimizer = false)";
constexpr const char* kLeaveOut = "; LoadOptions::optimizer = false leaves it out";

std::size_t count_of(const Json::Object& group) { return group.find("params")->as_array().size(); }

std::vector<Json> listed_parameters(const Optimizer& optimizer) {
  std::vector<Json> result;
  for (const Json::Object& group : optimizer.groups)
    std::ranges::copy(group.find("params")->as_array(), std::back_inserter(result));
  return result;
}

std::vector<std::optional<Shape>> state_shapes(const Optimizer& optimizer, const std::vector<Json>& listed) {
  std::vector<std::optional<Shape>> result;
  for (const Json& parameter : listed) result.push_back(state_shape(optimizer, parameter));
  return result;
}

// Names that somebody gave, as the model has them: without a wrapper's prefix, and the first one of what has several.
std::vector<std::string> as_registered(std::vector<std::string> names, const Registration& registration) {
  const std::set<std::string> known = registration.all_names();
  const std::string prefix = wrapper_prefix(names, known);
  for (std::string& name : names) name = registration.first_name(name.substr(prefix.size()));
  return names;
}

// Throws for a name that the model does not have, or has with another shape than its state.
template <typename Throw>
void check_names(const std::vector<std::string>& names, const Optimizer& optimizer, const std::vector<Json>& listed,
                 const Registration& registration, Throw&& refuse) {
  const std::map<std::string, std::optional<Shape>> shapes = registration.shapes();
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto known = shapes.find(names[i]);
    if (known == shapes.end()) refuse("'" + shortened(names[i]) + "' is no parameter of the model");
    if (!seen.insert(names[i]).second) refuse("'" + names[i] + "' is named twice");
    const std::optional<Shape> state = state_shape(optimizer, listed[i]);
    if (state && known->second && *state != *known->second)
      refuse("the state of '" + names[i] + "' has the shape " + to_string(*state) + ", but the parameter is " +
             to_string(*known->second));
  }
}

constexpr auto kRefuseStated = [](const std::string& problem) {
  throw UsageError("LoadOptions::param_order: " + problem);
};

std::vector<std::string> stated_order(const Optimizer& optimizer, const LoadOptions& options) {
  std::vector<std::size_t> expected, found;
  std::ranges::transform(optimizer.groups, std::back_inserter(expected), count_of);
  for (const auto& group : options.param_order) found.push_back(group.size());
  if (expected != found) {
    const auto listed = [](const std::vector<std::size_t>& counts) {
      return to_string(Shape(counts.begin(), counts.end()));
    };
    throw UsageError("LoadOptions::param_order names " + listed(found) + " parameters in " +
                     std::to_string(found.size()) + " group(s), the optimizer has " + listed(expected) + " in " +
                     std::to_string(expected.size()));
  }
  std::vector<std::string> names;
  for (const auto& group : options.param_order) std::ranges::copy(group, std::back_inserter(names));
  return names;
}

// The names that fit the numbers. Throws Unsupported where none do, or several.
std::vector<std::string> found_order(const Optimizer& optimizer, const std::vector<Json>& listed,
                                     const std::vector<ParameterList>& lists,
                                     const std::vector<ParameterList>& modules) {
  const std::vector<std::optional<Shape>> shapes = state_shapes(optimizer, listed);
  const std::vector<ParameterOrder> orders = parameter_orders(shapes, optimizer.groups.size(), lists, modules);
  if (orders.size() == 1) return orders[0];
  if (orders.empty()) {
    const std::size_t known = lists.front().size();
    if (listed.size() > known)
      throw Unsupported("it has " + std::to_string(listed.size()) + " parameters, the model " + std::to_string(known) +
                        kLeaveOut);
    throw Unsupported("the shapes of its state do not tell which of the model's parameters its " +
                      std::to_string(listed.size()) + " are" + kStateOrder);
  }
  const auto [one, other] = std::ranges::mismatch(orders[0], orders[1]);
  const Json& number = listed[static_cast<std::size_t>(one - orders[0].begin())];
  const std::size_t groups = optimizer.groups.size();
  throw Unsupported((groups == 1 ? "the file does not say which of the model's parameters it has: number "
                                 : "the file does not say in which order its " + std::to_string(groups) +
                                       " groups have the model's parameters: number ") +
                    parameter_key(number) + " could be '" + *one + "' or '" + *other + "'" + kStateOrder);
}

// Names that the groups keep besides are those that the model has.
void set_kept_names(Optimizer& optimizer) {
  for (Json::Object& group : optimizer.groups)
    if (group.contains("param_names")) group.set("param_names", *group.find("params"));
}

// What an optimizer may have numbered: the model's parameters, as they are, and as they were before some were untied.
std::vector<ParameterList> numbered_lists(const Registration& registration, const Model& model, const Ties& untied) {
  std::vector<ParameterList> lists = registration.lists();
  if (untied.empty()) return lists;
  Model before = model;
  std::ranges::copy(untied, std::back_inserter(before.architecture->ties));
  for (ParameterList& list : Registration(before).lists())
    if (!std::ranges::count(lists, list)) lists.push_back(std::move(list));
  return lists;
}

void bind_names(Optimizer& optimizer, const Registration& registration, const std::vector<ParameterList>& lists,
                const LoadOptions& options) {
  const std::vector<Json> listed = listed_parameters(optimizer);
  const auto is_name = [](const Json& parameter) { return parameter.is_string(); };
  std::vector<std::string> names;
  std::vector<std::string> stated;
  if (!options.param_order.empty()) {
    stated = as_registered(stated_order(optimizer, options), registration);
    check_names(stated, optimizer, listed, registration, kRefuseStated);
  }
  if (!listed.empty() && std::ranges::all_of(listed, is_name)) {
    std::ranges::transform(listed, std::back_inserter(names), parameter_key);
    names = as_registered(std::move(names), registration);
    check_names(names, optimizer, listed, registration, [](const std::string& problem) {
      throw Unsupported("by the names that it has, " + problem + kLeaveOut);
    });
    if (!stated.empty() && stated != names)
      throw UsageError("LoadOptions::param_order: the optimizer itself names its parameters, otherwise");
  } else if (!stated.empty()) {
    names = stated;
  } else {
    names = found_order(optimizer, listed, lists, registration.modules());
  }
  name_optimizer_parameters(optimizer, names);
  set_kept_names(optimizer);
}

// The group that has `name`; nullptr if none has.
Json::Array* group_of(const std::string& name, Optimizer& optimizer) {
  for (Json::Object& group : optimizer.groups)
    if (Json::Array& params = group.find("params")->as_array(); std::ranges::count(params, Json(name))) return &params;
  return nullptr;
}

// Before the first one that is registered later.
void insert_registered(const std::string& name, Json::Array& params, const std::vector<std::string>& order) {
  const auto place = [&](const std::string& parameter) { return std::ranges::find(order, parameter) - order.begin(); };
  const auto next =
      std::ranges::find_if(params, [&](const Json& listed) { return place(listed.as_string()) > place(name); });
  params.insert(next, Json(name));
}

// An optimizer that had them as one parameter has each of them now, with the state of that one, or its own where Keras
// has trained it.
void list_untied(Optimizer& optimizer, const Registration& registration, const Ties& untied,
                 std::vector<std::string>& notes) {
  for (const std::vector<std::string>& group : untied) {
    const auto first =
        std::ranges::find_if(group, [&](const std::string& name) { return group_of(name, optimizer) != nullptr; });
    if (first == group.end()) continue;
    for (const std::string& member : group) {
      const std::string name = registration.first_name(member);
      if (group_of(name, optimizer)) continue;
      insert_registered(name, *group_of(*first, optimizer), registration.order());
      const auto state = optimizer.slots.find(*first);
      if (state == optimizer.slots.end() || optimizer.slots.contains(name)) continue;
      optimizer.slots[name] = state->second;
      notes.push_back("the optimizer has state of " + *first + " alone, from when it and " + name +
                      " were one parameter; it is that of both now");
    }
  }
  set_kept_names(optimizer);
}

// Keras has no numbers, and one group: what it wrote gets those that somebody states.
void number_as_stated(Optimizer& optimizer, const Registration& registration, const LoadOptions& options,
                      std::vector<std::string>& notes) {
  const Json::Object settings = optimizer.groups.at(0);
  const Json* decay = settings.find("weight_decay");
  if (options.param_order.size() > 1 && decay && decay->is_number() && decay->as_float() != 0)
    notes.push_back(
        "each of the stated groups has weight_decay = " + decay->dump() +
        ": Keras's file does not say which variables it left out (exclude_from_weight_decay), so set it anew "
        "after load_state_dict");
  optimizer.groups.clear();
  std::vector<std::string> all;
  for (const std::vector<std::string>& stated : options.param_order) {
    const std::vector<std::string> names = as_registered(stated, registration);
    Json::Object& group = optimizer.groups.emplace_back(settings);
    group.set("params", Json::array(names));
    group.set("param_names", Json::array(names));
    std::ranges::copy(names, std::back_inserter(all));
  }
  check_names(all, optimizer, {all.begin(), all.end()}, registration, kRefuseStated);
  for (const Json& parameter : settings.at("params").as_array())
    if (const std::string name = registration.first_name(parameter.as_string()); !std::ranges::count(all, name))
      throw UsageError("LoadOptions::param_order: '" + name + "' is missing, which the optimizer trains");
}

void name_optimizer(Optimizer& optimizer, Model& model, const LoadOptions& options, const Ties& untied) {
  const Registration registration(model);
  if (optimizer.keras.empty()) {
    bind_names(optimizer, registration, numbered_lists(registration, model, untied), options);
    return list_untied(optimizer, registration, untied, model.notes);
  }
  if (!options.param_order.empty()) return number_as_stated(optimizer, registration, options, model.notes);
  number_as_registered(optimizer, model, Listed::All);
}

}  // namespace

void name_optimizer(Model& model, const LoadOptions& options, const Ties& untied) {
  const bool has_optimizer = model.training && model.training->optimizer;
  if (!has_optimizer && !options.param_order.empty() && options.optimizer)
    throw UsageError("LoadOptions::param_order names an optimizer's parameters, and the sources have no optimizer" +
                     (model.optimizer_left_out.empty() ? "" : " that can be read: " + model.optimizer_left_out));
  // Without architecture nothing tells parameters from buffers; the numbers stay unless somebody names them.
  if (has_optimizer && (model.architecture || !options.param_order.empty())) {
    try {
      name_optimizer(*model.training->optimizer, model, options, untied);
    } catch (const Unsupported& error) {
      model.optimizer_not_in_keras = why_not_in_keras(*model.training->optimizer);
      model.training->optimizer.reset();
      model.optimizer_left_out = error.what();
    }
  }
  if (!model.optimizer_left_out.empty())
    model.notes.push_back("the optimizer is left out: " + model.optimizer_left_out);
}

}  // namespace h5bridge
