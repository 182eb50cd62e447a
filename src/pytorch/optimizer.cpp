#include "pytorch/optimizer.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>

#include "h5bridge/error.h"
#include "optimizers/torch_kind.h"

namespace h5bridge {
namespace {

using pickle::Dict;
using pickle::Ref;

std::optional<double> single_number(const TorchFile& file, const pickle::Value& value, const std::string& name) {
  if (!is_tensor(value)) return pickle::number(value);
  const Tensor found = file.tensor(value, name);
  if (found.element_count() != 1) return std::nullopt;
  return cast(found, DType::Float64).values<double>()[0];
}

/// A hyperparameter. A learning rate may be a tensor; it becomes a float.
Json hyperparameter(const TorchFile& file, const std::string& name, const pickle::Value& value) {
  if (is_tensor(value))
    if (const auto number = single_number(file, value, name)) return *number;
  return file.to_json(value);
}

/// Names where the group has them, otherwise the numbers that it lists.
Json parameters_of(const Dict& group) {
  const pickle::Value& numbers = *pickle::find(group, "params");
  const Ref names = pickle::find(group, "param_names");
  Json::Array result;
  for (const Ref item : *pickle::sequence(names ? *names : numbers)) {
    if (const auto* name = item->as<std::string>())
      result.emplace_back(*name);  // in place of numbers, too: as torch.distributed has them
    else if (const auto* number = item->as<std::int64_t>(); !names && number)
      result.emplace_back(*number);
    else
      throw MalformedFile("optimizer: a parameter group lists " + pickle::describe(*item));
  }
  return result;
}

Json::Object read_group(const TorchFile& file, const Dict& group) {
  Json::Object result;
  for (const auto& [key, value] : group.items) {
    const auto* name = key->as<std::string>();
    if (!name) throw MalformedFile("optimizer: a hyperparameter is named by " + pickle::describe(*key));
    if (*name == "params")
      result.set(*name, parameters_of(group));
    else
      result.set(*name, hyperparameter(file, *name, *value));
  }
  return result;
}

/// The slots of one parameter; nullopt if one is neither a tensor nor a number nor None.
std::optional<std::vector<NamedTensor>> read_slots(const TorchFile& file, const Dict& state) {
  std::vector<NamedTensor> slots;
  for (const auto& [key, value] : state.items) {
    const auto* name = key->as<std::string>();
    if (!name) return std::nullopt;
    if (is_tensor(*value))
      slots.push_back({*name, file.tensor(*value, *name)});
    else if (const auto number = pickle::number(*value))
      slots.push_back({*name, tensor_of<float>(DType::Float32, {}, {static_cast<float>(*number)})});
    else if (!value->as<pickle::None>())
      return std::nullopt;
  }
  return slots;
}

/// What "params" and "state" call a parameter, as a text: its number, or its name.
std::optional<std::string> stated_key(const pickle::Value& value) {
  if (const auto* number = value.as<std::int64_t>()) return std::to_string(*number);
  const auto* name = value.as<std::string>();
  return name ? std::optional(*name) : std::nullopt;
}

/// The names under which the optimizer knows its parameters, by what the file calls them.
std::map<std::string, std::string> parameter_keys(const std::vector<Ref>& groups) {
  std::map<std::string, std::string> keys;
  for (const Ref item : groups) {
    const auto& group = *item->as<Dict>();
    const auto& numbers = *pickle::sequence(*pickle::find(group, "params"));
    const Json names = parameters_of(group);
    if (names.as_array().size() != numbers.size())
      throw MalformedFile("optimizer: a group has more parameters than names, or fewer");
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::optional<std::string> key = stated_key(*numbers[i]);
      if (!key) throw MalformedFile("optimizer: a parameter group lists " + pickle::describe(*numbers[i]));
      const Json& name = names.as_array()[i];
      if (!keys.emplace(*key, name.is_string() ? name.as_string() : *key).second)
        throw MalformedFile("optimizer: parameter " + *key + " is listed twice");
    }
  }
  return keys;
}

/// Others without axes may be counters.
constexpr std::array<std::string_view, 12> kWholeSlots{"exp_avg",         "exp_avg_sq", "max_exp_avg_sq", "exp_inf",
                                                       "momentum_buffer", "square_avg", "grad_avg",       "sum",
                                                       "acc_delta",       "ax",         "prev",           "step_size"};

/// Adafactor's factors of what would be as large as the parameter.
constexpr std::array<std::string_view, 2> kFactors{"row_var", "col_var"};

bool tells_shape(const NamedTensor& slot) {
  const bool is_factor = std::ranges::count(kFactors, slot.name) > 0;
  return !is_factor && (slot.tensor.rank() > 0 || is_whole_slot(slot.name));
}

}  // namespace

bool is_optimizer_state(const pickle::Value& value) {
  const auto* dict = value.as<Dict>();
  const Ref state = dict ? pickle::find(*dict, "state") : nullptr;
  const Ref groups = dict ? pickle::find(*dict, "param_groups") : nullptr;
  const auto* list = groups ? pickle::sequence(*groups) : nullptr;
  const auto is_group = [](Ref item) {
    const auto* group = item->as<Dict>();
    const Ref parameters = group ? pickle::find(*group, "params") : nullptr;
    const Ref names = group ? pickle::find(*group, "param_names") : nullptr;
    return parameters && pickle::sequence(*parameters) && (!names || pickle::sequence(*names));
  };
  return state && state->as<Dict>() && list && std::ranges::all_of(*list, is_group);
}

std::optional<Optimizer> read_optimizer(const TorchFile& file, const pickle::Value& value) {
  const auto& dict = *value.as<Dict>();
  const auto& groups = *pickle::sequence(*pickle::find(dict, "param_groups"));
  const std::map<std::string, std::string> keys = parameter_keys(groups);

  Optimizer optimizer;
  for (const Ref group : groups) optimizer.groups.push_back(read_group(file, *group->as<Dict>()));
  for (const auto& [key, state] : pickle::find(dict, "state")->as<Dict>()->items) {
    const std::optional<std::string> stated = stated_key(*key);
    const auto known = stated ? keys.find(*stated) : keys.end();
    const auto* slots = state->as<Dict>();
    if (known == keys.end() || !slots) return std::nullopt;
    std::optional<std::vector<NamedTensor>> read = read_slots(file, *slots);
    if (!read) return std::nullopt;
    optimizer.slots[known->second] = *std::move(read);
  }
  if (!optimizer.groups.empty()) optimizer.hyperparameters = optimizer.groups.front();
  optimizer.hyperparameters.erase("params");
  optimizer.hyperparameters.erase("param_names");
  optimizer.kind = told_by_keys(optimizer);
  return optimizer;
}

bool is_whole_slot(std::string_view name) { return std::ranges::count(kWholeSlots, name) > 0; }

std::string parameter_key(const Json& parameter) {
  return parameter.is_string() ? parameter.as_string() : std::to_string(parameter.as_integer());
}

std::optional<Shape> state_shape(const Optimizer& optimizer, const Json& parameter) {
  const auto slots = optimizer.slots.find(parameter_key(parameter));
  if (slots == optimizer.slots.end()) return std::nullopt;
  const NamedTensor* first = nullptr;
  for (const NamedTensor& slot : slots->second) {
    if (!tells_shape(slot)) continue;
    if (!first) first = &slot;
    if (slot.tensor.shape() != first->tensor.shape())
      throw Unsupported("the " + slot.name + " of its parameter " + parameter_key(parameter) + " has the shape " +
                        to_string(slot.tensor.shape()) + ", the " + first->name + " " +
                        to_string(first->tensor.shape()) + "; LoadOptions::optimizer = false leaves it out");
  }
  return first ? std::optional(first->tensor.shape()) : std::nullopt;
}

bool fits_state_dict(const Optimizer& optimizer, const Weights& state_dict) {
  std::vector<Shape> left;
  for (const NamedTensor& tensor : state_dict) left.push_back(tensor.tensor.shape());
  auto next = left.begin();
  std::size_t count = 0;
  for (const Json::Object& group : optimizer.groups)
    for (const Json& parameter : group.find("params")->as_array()) {
      ++count;
      if (parameter.is_string()) {
        if (!state_dict.find(parameter.as_string())) return false;
        continue;
      }
      const std::optional<Shape> shape = state_shape(optimizer, parameter);
      if (!shape) continue;
      const bool is_ordered = optimizer.groups.size() == 1;
      const auto found = std::find(is_ordered ? next : left.begin(), left.end(), *shape);
      if (found == left.end()) return false;
      next = is_ordered ? found + 1 : left.erase(found);
    }
  return count <= state_dict.size();
}

void name_optimizer_parameters(Optimizer& optimizer, const std::vector<std::string>& names) {
  std::map<std::string, std::vector<NamedTensor>> slots;
  auto name = names.begin();
  for (Json::Object& group : optimizer.groups)
    for (Json& parameter : group.find("params")->as_array()) {
      if (auto found = optimizer.slots.find(parameter_key(parameter)); found != optimizer.slots.end())
        slots[*name] = std::move(found->second);
      parameter = *name++;
    }
  optimizer.slots = std::move(slots);
}

}  // namespace h5bridge
