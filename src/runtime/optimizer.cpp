#include <c10/util/Type.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <typeinfo>

#include "h5bridge/error.h"
#include "h5bridge/torch.h"
#include "model/quoted.h"
#include "optimizers/keras_settings.h"
#include "optimizers/settle_settings.h"
#include "passes/training_notes.h"
#include "runtime/capture_optimizer.h"
#include "runtime/optimizer_kinds.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

using torch::optim::OptimizerOptions;
using torch::optim::OptimizerParamGroup;
using ParametersByName = std::map<std::string, torch::Tensor>;

// What changes no result, or nothing that LibTorch would have to do.
const std::set<std::string, std::less<>> kHarmless{"params",     "param_names", "foreach", "fused",
                                                   "capturable", "initial_lr",  "keras"};

ParametersByName parameters_of(const torch::nn::Module& module) {
  ParametersByName result;
  for (const auto& item : module.named_parameters()) result.emplace(item.key(), item.value());
  return result;
}

const torch::Tensor& parameter_called(const std::string& name, const ParametersByName& parameters) {
  const auto found = parameters.find(name);
  if (found == parameters.end())
    throw MalformedFile("the optimizer has state for \"" + name + "\", which is no parameter of the model");
  return found->second;
}

const OptimizerKind& kind_called(const std::string& name) {
  std::string known;
  for (const OptimizerKind& kind : optimizer_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw Unsupported("the optimizer is " + name + "; LibTorch can resume " + known);
}

void set_hyperparameter(const OptimizerKind& kind, OptimizerOptions& options, const std::string& name,
                        const Json& value) {
  const std::string where = "optimizer " + kind.name + ", \"" + name + "\"";
  if (const Hyperparameter* known = kind.find_hyperparameter(name))
    return in_file(where, [&] { known->set(options, value); });
  if (kHarmless.contains(name)) return;
  if (const Json* fixed = kind.fixed.find(name); fixed && *fixed == value) return;
  throw Unsupported(where + " is " + quoted(value) + ", which LibTorch does not have");
}

std::unique_ptr<OptimizerOptions> options_of(const OptimizerKind& kind, const Json::Object& all,
                                             const Json::Object& group) {
  auto options = kind.make_options();
  for (const auto& [name, value] : all)
    if (!group.contains(name)) set_hyperparameter(kind, *options, name, value);
  for (const auto& [name, value] : group) set_hyperparameter(kind, *options, name, value);
  return options;
}

/// What the state_dict has and no layer computes with is no parameter of the module, and never gets a gradient.
bool is_unused(const std::string& name, const Module& module) {
  return std::ranges::count(module.architecture().unused, name) > 0;
}

std::vector<std::string> names_in(const Json::Object& group) {
  const Json* params = group.find("params");
  if (!params) throw MalformedFile("a parameter group of the optimizer has no \"params\"");
  std::vector<std::string> names;
  for (const Json& name : params->as_array()) {
    if (!name.is_string())
      throw UsageError("the optimizer's parameters go by number, " + quoted(name) +
                       ": load its architecture beside it, or state their names (LoadOptions::param_order)");
    names.push_back(name.as_string());
  }
  return names;
}

std::vector<torch::Tensor> members_of(const Json::Object& group, const ParametersByName& parameters,
                                      const Module& module) {
  std::vector<torch::Tensor> result;
  for (const std::string& name : names_in(group))
    if (!is_unused(name, module)) result.push_back(parameter_called(name, parameters));
  return result;
}

std::vector<OptimizerParamGroup> groups_of(const OptimizerKind& kind, const Optimizer& saved, const Module& module) {
  std::vector<OptimizerParamGroup> result;
  const ParametersByName parameters = parameters_of(module);
  for (const Json::Object& group : saved.groups)
    result.emplace_back(members_of(group, parameters, module), options_of(kind, saved.hyperparameters, group));
  if (result.empty()) result.emplace_back(module.parameters(), options_of(kind, saved.hyperparameters, {}));
  return result;
}

std::unique_ptr<torch::optim::OptimizerParamState> state_of(const OptimizerKind& kind,
                                                            const std::vector<NamedTensor>& slots,
                                                            const OptimizerOptions& options,
                                                            const torch::Tensor& parameter) {
  auto state = kind.make_state();
  for (const auto& [name, tensor] : slots) {
    const OptimizerSlot* slot = kind.find_slot(name);
    if (!slot) throw Unsupported("LibTorch's " + kind.name + " keeps no \"" + name + "\"");
    in_file("\"" + name + "\"", [&] { slot->set(*state, tensor, parameter); });
  }
  for (const OptimizerSlot& slot : kind.slots)
    if (slot.needed(options) && std::ranges::find(slots, slot.name, &NamedTensor::name) == slots.end())
      throw MalformedFile("\"" + slot.name + "\" is missing");
  return state;
}

const OptimizerOptions& options_for(const torch::Tensor& parameter, const torch::optim::Optimizer& optimizer) {
  for (const OptimizerParamGroup& group : optimizer.param_groups())
    for (const torch::Tensor& member : group.params())
      if (member.is_same(parameter)) return group.options();
  throw MalformedFile("it is in no parameter group");
}

const OptimizerKind& kind_of(const torch::optim::Optimizer& optimizer) {
  for (const OptimizerKind& kind : optimizer_kinds())
    if (kind.matches(optimizer)) return kind;
  std::vector<std::string> names;
  for (const OptimizerKind& kind : optimizer_kinds()) names.push_back(kind.name);
  throw Unsupported("the optimizer is a " + c10::demangle(typeid(optimizer).name()) +
                    ", and those that are captured are " + joined(names));
}

/// What the model was read with, for the hyperparameters that only PyTorch has.
Json::Object source_group(const Optimizer* source, const OptimizerKind& kind, std::size_t index) {
  Json::Object result = kind.fixed;
  if (!source || source->kind != kind.name || index >= source->groups.size()) return result;
  for (const auto& [name, value] : source->groups[index]) result.set(name, value);
  return result;
}

using NamesByTensor = std::map<const void*, std::string>;

/// The names of a group's parameters. Where the source had unused ones among the same parameters, they are there, too:
/// PyTorch counts them.
std::vector<std::string> captured_names(const OptimizerParamGroup& group, const Json::Object& source,
                                        const NamesByTensor& names, const Module& module) {
  std::vector<std::string> result;
  for (const torch::Tensor& parameter : group.params()) {
    const auto name = names.find(parameter.unsafeGetTensorImpl());
    if (name == names.end()) throw UsageError("the optimizer holds a parameter that is not the module's");
    result.push_back(name->second);
  }
  if (!source.contains("params")) return result;
  const std::vector<std::string> all = names_in(source);
  std::vector<std::string> used;
  std::ranges::copy_if(all, std::back_inserter(used),
                       [&](const std::string& name) { return !is_unused(name, module); });
  return used == result ? all : result;
}

Json::Object captured_group(const OptimizerKind& kind, const OptimizerParamGroup& group, const Json::Object& source,
                            const NamesByTensor& names, const Module& module) {
  Json::Object result;
  for (const Hyperparameter& hyperparameter : kind.hyperparameters)
    result.set(hyperparameter.name, hyperparameter.get(group.options()));
  for (const auto& [name, value] : source)
    if (!kind.find_hyperparameter(name)) result.set(name, value);
  const Json params = Json::array(captured_names(group, source, names, module));
  result.set("params", params);
  if (source.contains("param_names")) result.set("param_names", params);
  return result;
}

std::unique_ptr<torch::optim::Optimizer> resumed_optimizer(const Model& model, Module& module,
                                                           std::vector<std::string>* notes) {
  if (!model.optimizer_left_out.empty()) throw Unsupported("the optimizer cannot be kept: " + model.optimizer_left_out);
  if (!model.training || !model.training->optimizer) throw UsageError("the model has no optimizer");
  Optimizer saved = *model.training->optimizer;
  settle_settings(saved);
  const OptimizerKind& kind = kind_called(saved.kind);
  if (notes) {
    std::ranges::move(left_out_by_torch(saved), std::back_inserter(*notes));
    std::ranges::move(unlike_run_of_keras(model), std::back_inserter(*notes));
  }
  const torch::NoGradGuard no_grad;
  const std::vector<OptimizerParamGroup> groups = groups_of(kind, saved, module);
  auto optimizer = torch_call("optimizer " + kind.name, [&] { return kind.make(groups); });
  const ParametersByName parameters = parameters_of(module);
  for (const auto& [name, slots] : saved.slots) {
    if (slots.empty() || is_unused(name, module)) continue;
    const torch::Tensor& parameter = parameter_called(name, parameters);
    optimizer->state()[parameter.unsafeGetTensorImpl()] = in_file("the optimizer's state of \"" + name + "\"", [&] {
      return state_of(kind, slots, options_for(parameter, *optimizer), parameter);
    });
  }
  return optimizer;
}

}  // namespace

std::unique_ptr<torch::optim::Optimizer> to_optimizer(const Model& model, Module& module,
                                                      std::vector<std::string>* notes) {
  return with_torch_errors([&] { return resumed_optimizer(model, module, notes); });
}

Optimizer capture_optimizer(const Module& module, const torch::optim::Optimizer& optimizer, const Optimizer* source) {
  const OptimizerKind& kind = kind_of(optimizer);
  NamesByTensor names;
  for (const auto& item : module.named_parameters()) names.emplace(item.value().unsafeGetTensorImpl(), item.key());

  Optimizer result;
  result.kind = kind.name;
  for (std::size_t i = 0; i < optimizer.param_groups().size(); ++i)
    result.groups.push_back(
        captured_group(kind, optimizer.param_groups()[i], source_group(source, kind, i), names, module));
  if (!result.groups.empty()) {
    result.hyperparameters = result.groups.front();
    result.hyperparameters.erase("params");
    result.hyperparameters.erase("param_names");
  }
  for (const auto& [parameter, state] : optimizer.state()) {
    const auto name = names.find(parameter);
    if (name == names.end()) throw UsageError("the optimizer has state for a parameter that is not the module's");
    std::vector<NamedTensor>& slots = result.slots[name->second];
    for (const OptimizerSlot& slot : kind.slots)
      if (auto tensor = slot.get(*state)) slots.push_back({slot.name, std::move(*tensor)});
  }
  if (source)
    for (const auto& [name, slots] : source->slots)
      if (is_unused(name, module)) result.slots[name] = slots;
  return result;
}

}  // namespace h5bridge
