// What an optimizer's settings lose on the way to the other framework.
#include <algorithm>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "model/same_value.h"
#include "optimizers/decayed_variables.h"
#include "optimizers/keras_loss_scale.h"
#include "optimizers/keras_optimizer.h"
#include "optimizers/keras_schedules.h"
#include "optimizers/keras_settings.h"

namespace h5bridge {
namespace {

// How a computation is done does not change what it computes; names do neither.
const std::set<std::string, std::less<>> kHarmless{"params", "param_names", "initial_lr",     "foreach", "fused",
                                                   "name",   "capturable",  "differentiable", "keras"};

// Settings of every optimizer of Keras's, which no optimizer of PyTorch's has, and what does the same there.
struct KerasOnly {
  const char* name;
  const char* instead;
};
constexpr KerasOnly kKerasOnly[]{
    {"clipnorm", "torch.nn.utils.clip_grad_norm_ on each parameter, before step()"},
    {"global_clipnorm", "torch.nn.utils.clip_grad_norm_ before step()"},
    {"clipvalue", "torch.nn.utils.clip_grad_value_ before step()"},
    {"use_ema", "torch.optim.swa_utils.AveragedModel"},
    {"loss_scale_factor", "torch.amp.GradScaler"},
    {"gradient_accumulation_steps", "a step() after so many calls of backward(), of the loss divided by as many"},
};

std::string says(const Json& settings, const char* name) {
  return std::string(name) + " = " + settings.at(name).dump();
}

[[noreturn]] void refuse(const std::string& what) {
  throw Unsupported(what + "; SaveOptions::optimizer = false leaves the optimizer out");
}

bool is_row(const OptimizerMapping& mapping, std::string_view name) {
  return name == "betas" ||
         std::ranges::any_of(mapping.hyperparameters, [&](const Correspondence& row) { return row.attribute == name; });
}

// The first setting in which groups differ and Keras's optimizer cannot; empty: none.
std::string different_setting(const OptimizerMapping& mapping, const Optimizer& optimizer) {
  for (const Json::Object& group : optimizer.groups)
    for (const auto& [name, value] : group) {
      const Json* first = optimizer.hyperparameters.find(name);
      const bool matters = is_row(mapping, name) || (mapping.torch_defaults.contains(name) && name != "weight_decay" &&
                                                     !kHarmless.contains(name));
      if (first && matters && !same_value(*first, value)) return name;
    }
  return {};
}

// Settings that Keras's class does not have, in any group.
void note_settings(const OptimizerMapping& mapping, const Optimizer& optimizer, std::vector<std::string>& notes) {
  std::set<std::string, std::less<>> said;
  const auto look_at = [&](const Json::Object& settings) {
    for (const auto& [name, value] : settings) {
      if (is_row(mapping, name) || kHarmless.contains(name) || name == "weight_decay") continue;
      const Json* standard = mapping.torch_defaults.find(name);
      if ((standard && same_value(value, *standard)) || !said.insert(name).second) continue;
      notes.push_back("the optimizer's " + name + " = " + quoted(value) + " is left out: Keras's " +
                      mapping.class_name + " has nothing like it");
    }
  };
  look_at(optimizer.hyperparameters);
  for (const Json::Object& group : optimizer.groups) look_at(group);
}

// State that Keras's class does not keep, of what Keras trains; that of other parameters goes beside.
void note_slots(const OptimizerMapping& mapping, const Optimizer& optimizer, const KerasBindings& bound,
                std::vector<std::string>& notes) {
  std::set<std::string> known{"step"};
  for (const SlotMapping& slot : slots_in_use(mapping, optimizer.hyperparameters)) known.insert(slot.torch);
  std::map<std::string, std::vector<std::string>> others;  // slots, by the parameters that have them
  for (const KerasBinding& binding : bound.bindings)
    for (const KerasBinding::Source& source : binding.torch)
      if (const auto slots = optimizer.slots.find(source.name); binding.is_trained() && slots != optimizer.slots.end())
        for (const NamedTensor& slot : slots->second)
          if (!known.contains(slot.name)) others[slot.name].push_back(source.name);
  for (const auto& [slot, parameters] : others)
    notes.push_back("the optimizer's " + shortened(slot) + " of " + shortened(parameters.front()) +
                    (parameters.size() > 1 ? " and other parameters" : "") + " is left out: Keras's " +
                    mapping.class_name + " keeps nothing like it");
}

// By parameter.
std::map<std::string, double> decays_of(const Optimizer& optimizer) {
  std::map<std::string, double> result;
  for (const Json::Object& group : optimizer.groups) {
    const Json* decay = group.find("weight_decay");
    const Json* params = group.find("params");
    if (!params) continue;
    for (const Json& name : params->as_array()) {
      if (!name.is_string() && optimizer.groups.size() > 1)
        refuse("the optimizer does not say which parameters are in which of its groups");
      const std::string key = name.is_string() ? name.as_string() : name.dump();
      result[key] = decay && decay->is_number() ? decay->as_float() : 0;
    }
  }
  return result;
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "\"" : ", \"") + text + "\"";
  return result;
}

// The arguments of Keras's exclude_from_weight_decay. It looks for each of var_names, regular expressions, in a
// variable's name, which is without that of its layer; where those do not part the variables, their paths do.
std::string excluding(const DecayedVariables& variables) {
  std::vector<std::string> names;
  for (const std::string& name : variables.spared_names) {
    if (variables.decayed_names.contains(name))
      return "var_list=[v for v in model.trainable_variables if v.path in [" + list_of(variables.spared_paths) + "]]";
    const bool is_part = std::ranges::any_of(
        variables.decayed_names, [&](const std::string& decayed) { return decayed.find(name) != std::string::npos; });
    names.push_back(is_part ? "^" + name + "$" : name);
  }
  return "var_names=[" + list_of(names) + "]";
}

void note_weight_decay(const OptimizerMapping& mapping, const Optimizer& optimizer, const KerasBindings& bound,
                       const Weights& weights, std::vector<std::string>& notes) {
  std::set<double> different;
  const std::map<std::string, double> decays = decays_of(optimizer);
  for (const auto& [parameter, decay] : decays)
    if (decay != 0) different.insert(decay);
  if (decays.empty() && is_on(optimizer.hyperparameters, "weight_decay"))
    different.insert(optimizer.hyperparameters.at("weight_decay").as_float());
  if (different.empty()) return;
  if (!decays_like_keras(mapping, optimizer.hyperparameters)) {
    notes.push_back("the optimizer's weight_decay = " + Json(*different.rbegin()).dump() + " is left out: PyTorch's " +
                    mapping.kind + " adds it to the gradient, and Keras's weight_decay does not");
    return;
  }
  if (different.size() > 1)
    refuse("the optimizer " + optimizer.kind + " has groups that differ in weight_decay, and Keras's has one");
  const DecayedVariables variables = decayed_variables(decays, bound, weights);
  if (!variables.spared_paths.empty())
    notes.push_back(
        "the optimizer's groups without weight_decay are left out: Keras decays all variables until you call "
        "optimizer.exclude_from_weight_decay(" +
        excluding(variables) + ")");
}

void note_epsilon(const OptimizerMapping& mapping, const Json& epsilon, std::vector<std::string>& notes) {
  if (mapping.epsilon.keras.empty() || !epsilon.is_number() || epsilon.as_float() <= mapping.epsilon.negligible) return;
  notes.push_back("the optimizer's eps = " + epsilon.dump() + " is kept, though not its meaning: PyTorch divides by " +
                  mapping.epsilon.torch + ", Keras by " + mapping.epsilon.keras);
}

void note_schedule(const Json& rate, const Optimizer& optimizer, std::vector<std::string>& notes) {
  if (!rate.is_object()) return;
  notes.push_back("the optimizer's schedule " + rate.at("class_name").as_string() + " is left out: lr is " +
                  optimizer.hyperparameters.at("lr").dump() + ", what it gives now");
}

// Which variables exclude_from_weight_decay left out is in no file of Keras's.
void note_decay_of_keras(const Json::Object& config, const Optimizer& optimizer, std::vector<std::string>& notes) {
  if (!is_on(config, "weight_decay")) return;
  const std::string class_name = travelling_keras(optimizer)->at("class_name").as_string();
  const OptimizerMapping& mapping = *optimizer_mapping(optimizer.kind);
  const std::string decay = says(config, "weight_decay");
  if (!decays_like_keras(mapping, optimizer.hyperparameters)) {
    notes.push_back("the optimizer's " + decay + " is left out: Keras's " + class_name +
                    " shrinks the weights by it, and PyTorch's " + mapping.kind + " would add it to the gradient");
    return;
  }
  const std::string becomes = class_name == mapping.class_name
                                  ? "the optimizer's " + decay + " is that of"
                                  : "the optimizer, Keras's " + class_name + " with " + decay +
                                        ", becomes what computes the same, PyTorch's " + mapping.kind +
                                        ", which decays";
  if (optimizer.groups.size() == 1)
    notes.push_back(becomes +
                    " all parameters: Keras's file does not say which of them exclude_from_weight_decay "
                    "spared");
  else if (class_name != mapping.class_name)
    notes.push_back(becomes + " the parameters of its groups");
}

// Gradients that Keras has summed up for a step that is still to come.
void note_accumulators(const Json::Object& config, const Optimizer& optimizer, std::vector<std::string>& notes) {
  const Json* iteration = travelling_keras(optimizer)->find("iteration");
  if (const std::int64_t summed = summed_since_step(config, iteration ? iteration->as_integer() : 0))
    notes.push_back("the optimizer's gradients of the last " + batches(summed) +
                    ", which Keras has summed up for its next step, are left out");
}

void note_loss_scale(const Optimizer& optimizer, std::vector<std::string>& notes) {
  const Json::Object* wrapper = travelling_loss_scale(optimizer);
  if (!wrapper) return;
  const Json* now = wrapper->find("dynamic_scale");
  const Json *initial = wrapper->at("config").find("initial_scale"),
             *interval = wrapper->at("config").find("dynamic_growth_steps");
  const Json* scale = now ? now : initial;
  notes.push_back("the loss scale" + (scale ? " " + scale->dump() : "") +
                  " of Keras's LossScaleOptimizer is left out: in PyTorch, that is torch.amp.GradScaler(init_scale=" +
                  (scale ? scale->dump() : "...") + (interval ? ", growth_interval=" + interval->dump() : "") + ")");
}

}  // namespace

std::string why_not_in_keras(const Optimizer& optimizer) {
  const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind);
  if (!mapping) return "the optimizer " + optimizer.kind + " has no Keras counterpart yet";
  const std::string setting = different_setting(*mapping, optimizer);
  return setting.empty()
             ? ""
             : "the optimizer " + optimizer.kind + " has groups that differ in " + setting + ", and Keras's has one";
}

std::vector<std::string> left_out_by_keras(const OptimizerMapping& mapping, const Optimizer& optimizer,
                                           const KerasSettings& settings, const KerasBindings& bound,
                                           const Weights& weights) {
  std::vector<std::string> notes;
  if (const std::string why = why_not_in_keras(optimizer); !why.empty()) refuse(why);
  note_settings(mapping, optimizer, notes);
  note_slots(mapping, optimizer, bound, notes);
  note_weight_decay(mapping, optimizer, bound, weights, notes);
  const Json* epsilon = settings.config.find("epsilon");
  const Json* before = settings.own ? travelling_keras(optimizer)->at("config").find("epsilon") : nullptr;
  if (epsilon && !(before && same_value(*before, *epsilon))) note_epsilon(mapping, *epsilon, notes);
  return notes;
}

std::vector<std::string> settings_without_keras(const Optimizer& optimizer) {
  std::vector<std::string> names;
  if (const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind))
    for (const auto& [name, standard] : mapping->torch_defaults) {
      const bool is_said = name == "betas" || name == "decoupled_weight_decay" ||
                           (name == "weight_decay" && mapping->weight_decay == WeightDecay::Decoupled);
      if (!is_row(*mapping, name) && !kHarmless.contains(name) && !is_said) names.push_back(name);
    }
  return names;
}

std::string why_not_in_torch(const Optimizer& optimizer) {
  if (!optimizer_mapping_of_keras(optimizer.kind, optimizer.keras))
    return "the optimizer " + shortened(optimizer.kind) + " has no PyTorch counterpart yet";
  if (const Json* rate = optimizer.keras.find("learning_rate");
      rate && rate->is_object() && !scheduled_rate(*rate, std::int64_t{0})) {
    const Json* class_name = rate->find("class_name");
    return "the schedule " + (class_name ? quoted(*class_name) : "") +
           " of the optimizer's learning rate is none of Keras's own and has no PyTorch counterpart";
  }
  return "the optimizer's state is that of weights that are products of PyTorch's, which have none from it";
}

std::vector<std::string> left_out_by_torch(const Optimizer& optimizer) {
  std::vector<std::string> notes;
  const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind);
  if (!mapping || optimizer.keras.empty() || !travelling_keras(optimizer)) return notes;
  const Json::Object& config = optimizer.keras;
  note_schedule(config.at("learning_rate"), optimizer, notes);
  note_decay_of_keras(config, optimizer, notes);
  for (const KerasOnly& only : kKerasOnly)
    if (is_on(config, only.name))
      notes.push_back("the optimizer's " + says(config, only.name) + " is left out: in PyTorch, that is " +
                      only.instead);
  note_accumulators(config, optimizer, notes);
  if (const Json* epsilon = config.find("epsilon")) note_epsilon(*mapping, *epsilon, notes);
  note_loss_scale(optimizer, notes);
  return notes;
}

}  // namespace h5bridge
