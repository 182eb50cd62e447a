#include "optimizers/keras_optimizer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

const std::vector<OptimizerMapping>& mappings() {
  static const std::vector<OptimizerMapping> table{
      {"SGD",
       "SGD",
       {{"lr", "learning_rate", spelling::number()},
        {"momentum", "momentum", spelling::number()},
        {"nesterov", "nesterov", spelling::boolean()}},
       {{"momentum_buffer", "momentum", "momentum", true}},
       {{"lr", 0.001},
        {"momentum", 0},
        {"dampening", 0},
        {"weight_decay", 0},
        {"nesterov", false},
        {"maximize", false},
        {"foreach", nullptr},
        {"differentiable", false},
        {"fused", nullptr}}},
      {"Adam",
       "Adam",
       {{"lr", "learning_rate", spelling::number()},
        {"eps", "epsilon", spelling::number()},
        {"amsgrad", "amsgrad", spelling::boolean()}},
       {{"exp_avg", "momentum", ""}, {"exp_avg_sq", "velocity", ""}, {"max_exp_avg_sq", "velocity_hat", "amsgrad"}},
       {{"lr", 0.001},
        {"betas", Json::Array{0.9, 0.999}},
        {"eps", 1e-8},
        {"weight_decay", 0},
        {"amsgrad", false},
        {"maximize", false},
        {"foreach", nullptr},
        {"capturable", false},
        {"differentiable", false},
        {"fused", nullptr},
        {"decoupled_weight_decay", false}}},
  };
  return table;
}

// How a computation is done does not change what it computes.
bool is_about_speed(const std::string& hyperparameter) {
  return hyperparameter == "foreach" || hyperparameter == "fused" || hyperparameter == "capturable" ||
         hyperparameter == "differentiable";
}

const Json::Array* betas_of(const Json::Object& settings) {
  const Json* betas = settings.find("betas");
  return betas && betas->is_array() && betas->as_array().size() == 2 ? &betas->as_array() : nullptr;
}

// float32 arithmetic, as both frameworks do it.
Tensor scaled(const Tensor& tensor, double factor) {
  if (tensor.dtype() != DType::Float32)
    throw Unsupported("the optimizer's state is " + std::string(name_of(tensor.dtype())) + ", expected float32");
  auto values = tensor.values<float>();
  for (float& value : values) value *= static_cast<float>(factor);
  return tensor_of(DType::Float32, tensor.shape(), values);
}

bool is_on(const Json::Object& settings, const std::string& hyperparameter) {
  const Json* value = settings.find(hyperparameter);
  if (!value) return false;
  return value->is_bool() ? value->as_bool() : value->is_number() && value->as_float() != 0;
}

std::vector<SlotMapping> slots_in_use(const OptimizerMapping& mapping, const Json::Object& settings) {
  std::vector<SlotMapping> result;
  for (const SlotMapping& slot : mapping.slots)
    if (slot.needs.empty() || is_on(settings, slot.needs)) result.push_back(slot);
  return result;
}

const Tensor* find_slot(const Optimizer& optimizer, const std::string& parameter, const std::string& slot) {
  const auto slots = optimizer.slots.find(parameter);
  if (slots == optimizer.slots.end()) return nullptr;
  for (const NamedTensor& candidate : slots->second)
    if (candidate.name == slot) return &candidate.tensor;
  return nullptr;
}

// A variable's part of its optimizer variables' names: "dense/kernel" is "dense_kernel".
std::string flat_path(const KerasPlan& plan, const KerasBinding& binding, const std::string& variable) {
  return keras_name(plan.variable_prefix + binding.layer + "/" + variable);
}

Json::Object keras_settings(const OptimizerMapping& mapping, const Optimizer& optimizer) {
  const Json::Object& settings = optimizer.hyperparameters;
  std::string own_name = mapping.class_name;
  std::transform(own_name.begin(), own_name.end(), own_name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  Json::Object config{{"name", own_name},
                      {"learning_rate", 0.001},
                      {"weight_decay", nullptr},
                      {"clipnorm", nullptr},
                      {"global_clipnorm", nullptr},
                      {"clipvalue", nullptr},
                      {"use_ema", false},
                      {"ema_momentum", 0.99},
                      {"ema_overwrite_frequency", nullptr},
                      {"loss_scale_factor", nullptr},
                      {"gradient_accumulation_steps", nullptr}};
  for (const Correspondence& row : mapping.hyperparameters) {
    const Json* value = settings.find(row.attribute);
    const Json& known = value ? *value : mapping.torch_defaults.at(row.attribute);
    config.set(row.keras, row.spelling.to_keras(row.spelling.from_keras(known)));
  }
  if (mapping.torch_defaults.contains("betas")) {
    const Json::Array* betas = betas_of(settings);
    if (!betas) betas = betas_of(mapping.torch_defaults);
    config.set("beta_1", (*betas)[0].as_float());
    config.set("beta_2", (*betas)[1].as_float());
  }
  return config;
}

// What Keras's optimizer of that class does not do.
void check_settings(const OptimizerMapping& mapping, const Optimizer& optimizer) {
  const auto named_by_row = [&](const std::string& name) {
    return name == "betas" || name == "params" || name == "param_names" || name == "initial_lr" ||
           std::any_of(mapping.hyperparameters.begin(), mapping.hyperparameters.end(),
                       [&](const Correspondence& row) { return row.attribute == name; });
  };
  const auto refuse = [&](const std::string& what) {
    throw Unsupported("the optimizer " + optimizer.kind + " " + what + "; --no-optimizer leaves the optimizer out");
  };
  for (const auto& [name, value] : optimizer.hyperparameters) {
    if (named_by_row(name) || is_about_speed(name)) continue;
    const Json* standard = mapping.torch_defaults.find(name);
    if (!standard) refuse("has the setting \"" + name + "\", which is not known");
    if (!same_value(value, *standard))
      refuse("has " + name + " = " + quoted(value) + ", which Keras's " + mapping.class_name +
             " does not do in the same way");
  }
  for (const Json::Object& group : optimizer.groups)
    for (const auto& [name, value] : group)
      if (const Json* first = optimizer.hyperparameters.find(name);
          first && name != "params" && name != "param_names" && !same_value(*first, value))
        refuse("has groups that differ in " + name + ", and Keras's has one");
}

std::int64_t iterations_of(const Optimizer& optimizer) {
  for (const auto& [parameter, slots] : optimizer.slots)
    for (const NamedTensor& slot : slots)
      if (slot.name == "step" && slot.tensor.element_count() == 1)
        return static_cast<std::int64_t>(cast(slot.tensor, DType::Float64).values<double>()[0]);
  return 0;
}

double learning_rate_of(const Json::Object& settings, const OptimizerMapping& mapping) {
  const Json* lr = settings.find("lr");
  return (lr ? *lr : mapping.torch_defaults.at("lr")).as_float();
}

// Whether two tensors are equal but for rounding.
bool nearly_equal(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  const auto x = cast(a, DType::Float64).values<double>(), y = cast(b, DType::Float64).values<double>();
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(x[i]));
    difference = std::max(difference, std::abs(x[i] - y[i]));
  }
  return difference <= 1e-4 * largest;
}

// Parameters that are added up have one gradient, though PyTorch may round it in two ways, so that their slots are one,
// too; Keras has one variable for them. What PyTorch had to the letter is kept beside it (rounded_slots).
std::vector<Tensor> shared_by_summands(const KerasBinding& binding, const SlotMapping& slot,
                                       std::vector<Tensor> tensors) {
  if (!is_lossy(binding.steps) || has_product(binding.steps)) return tensors;
  for (std::size_t i = 1; i < tensors.size(); ++i)
    if (!nearly_equal(tensors[i], tensors[0]))
      throw Unsupported("the optimizer's " + slot.torch + " of " + binding.torch[0].name + " and " +
                        binding.torch[i].name +
                        " differ, and Keras has one variable for both; --no-optimizer leaves the optimizer out");
  tensors.resize(1);
  return tensors;
}

// Keras has the gradient of a product where PyTorch has those of its factors.
void refuse_products(const Optimizer& optimizer, const KerasBinding& binding, const SlotMapping& slot) {
  if (!has_product(binding.steps)) return;
  for (const auto* sources : {&binding.torch, &binding.given})
    for (const KerasBinding::Source& source : *sources)
      if (find_slot(optimizer, source.name, slot.torch))
        throw Unsupported("the optimizer's " + slot.torch + " of " + source.name +
                          " is that of a factor, and Keras trains the product, " + binding.layer + "/" +
                          binding.variables.at(0) + "; --no-optimizer leaves the optimizer out");
}

// Calls visit(binding, slot) for each slot of each trainable variable, in Keras's order.
template <typename Visit>
void for_each_slot(const KerasPlan& plan, const std::vector<SlotMapping>& slots, Visit&& visit) {
  for (const KerasBinding& binding : plan.bindings)
    if (binding.is_trained())
      for (const SlotMapping& slot : slots) visit(binding, slot);
}

// Whether each slot is there by the name that Keras 3 gives it.
bool has_all_slots(const std::vector<NamedTensor>& variables, const KerasPlan& plan,
                   const std::vector<SlotMapping>& slots) {
  std::set<std::string> names;
  for (const NamedTensor& variable : variables) names.insert(variable.name.substr(variable.name.find('/') + 1));
  bool result = true;
  for_each_slot(plan, slots, [&](const KerasBinding& binding, const SlotMapping& slot) {
    for (const std::string& variable : binding.variables)
      result = result && names.contains(flat_path(plan, binding, variable) + "_" + slot.keras);
  });
  return result;
}

}  // namespace

const OptimizerMapping* optimizer_mapping(const std::string& kind) {
  for (const OptimizerMapping& mapping : mappings())
    if (mapping.kind == kind) return &mapping;
  return nullptr;
}

KerasOptimizer optimizer_to_keras(const Optimizer& optimizer, const KerasPlan& plan, const Weights& weights,
                                  std::vector<std::string>&) {
  const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind);
  if (!mapping)
    throw Unsupported("the optimizer " + optimizer.kind +
                      " has no Keras counterpart yet; --no-optimizer leaves it out");
  check_settings(*mapping, optimizer);
  for (const auto& [parameter, slots] : optimizer.slots)
    if (!weights.find(parameter))
      throw Unsupported("the optimizer trains only some of the parameters, and does not say which (state " + parameter +
                        "); --no-optimizer leaves it out");
  Json::Object config = optimizer.keras.empty() ? keras_settings(*mapping, optimizer) : optimizer.keras;
  KerasOptimizer result{Json::Object{{"class_name", mapping->class_name}, {"config", config}}, {}};
  const std::string prefix = config.at("name").as_string() + "/";
  const double lr = learning_rate_of(optimizer.hyperparameters, *mapping);
  const auto iterations = static_cast<std::int32_t>(iterations_of(optimizer));
  result.variables.push_back({prefix + "iteration", tensor_of<std::int32_t>(DType::Int32, {}, {iterations})});
  result.variables.push_back(
      {prefix + "learning_rate", tensor_of<float>(DType::Float32, {}, {static_cast<float>(lr)})});
  for_each_slot(plan, slots_in_use(*mapping, optimizer.hyperparameters),
                [&](const KerasBinding& binding, const SlotMapping& slot) {
                  refuse_products(optimizer, binding, slot);
                  const auto slots_of = [&](const std::vector<KerasBinding::Source>& sources) {
                    std::vector<Tensor> state;
                    for (const KerasBinding::Source& source : sources) {
                      const Tensor* kept = find_slot(optimizer, source.name, slot.torch);
                      // A parameter that never had a gradient has no slots in PyTorch, and zeros in Keras.
                      Tensor tensor = kept ? *kept : zeros(DType::Float32, weights.find(source.name)->shape());
                      if (slot.times_minus_lr) tensor = scaled(tensor, -lr);
                      state.push_back(to_keras(source.steps, {tensor}).at(0));
                    }
                    return state;
                  };
                  const std::vector<Tensor> given = slots_of(binding.given);
                  const std::vector<Tensor> tensors = to_keras(
                      without_sums(binding.steps), shared_by_summands(binding, slot, slots_of(binding.torch)), given);
                  for (std::size_t i = 0; i < tensors.size(); ++i)
                    result.variables.push_back(
                        {prefix + flat_path(plan, binding, binding.variables[i]) + "_" + slot.keras, tensors[i]});
                });
  return result;
}

std::map<std::string, std::string> rounded_slots(const Optimizer& optimizer, const KerasPlan& plan) {
  std::map<std::string, std::string> result;
  const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind);
  if (!mapping) return result;
  const std::string prefix = keras_settings(*mapping, optimizer).at("name").as_string() + "/";
  for_each_slot(plan, slots_in_use(*mapping, optimizer.hyperparameters),
                [&](const KerasBinding& binding, const SlotMapping& slot) {
                  if (!slot.times_minus_lr && !is_lossy(binding.steps)) return;
                  for (const KerasBinding::Source& source : binding.torch)
                    result[source.name + "/" + slot.torch] =
                        prefix + flat_path(plan, binding, binding.variables[0]) + "_" + slot.keras;
                });
  return result;
}

Optimizer optimizer_from_keras(const KerasOptimizer& keras, const KerasPlan& plan) {
  Optimizer result;
  result.kind = keras.config.at("class_name").as_string();
  // With a model compiled under PyTorch, Keras may name the backend's subclass.
  result.keras = keras.config.at("config").as_object();
  result.keras_variables = keras.variables;
  const OptimizerMapping* mapping = optimizer_mapping(result.kind);
  // What Keras has for a product has no counterpart in PyTorch.
  const bool has_products =
      keras.variables.size() > 2 &&
      std::ranges::any_of(plan.bindings, [](const KerasBinding& binding) { return has_product(binding.steps); });
  if (!mapping || has_products || result.keras.at("learning_rate").is_object()) {
    result.hyperparameters = result.keras;
    return result;
  }
  result.hyperparameters = mapping->torch_defaults;
  for (const Correspondence& row : mapping->hyperparameters)
    if (const Json* value = result.keras.find(row.keras))
      result.hyperparameters.set(row.attribute, row.spelling.to_keras(row.spelling.from_keras(*value)));
  if (mapping->torch_defaults.contains("betas"))
    result.hyperparameters.set("betas", Json::Array{result.keras.at("beta_1"), result.keras.at("beta_2")});

  const auto find = [&](const std::string& suffix) -> const Tensor* {
    for (const NamedTensor& variable : keras.variables)
      if (variable.name.ends_with(suffix)) return &variable.tensor;
    return nullptr;
  };
  if (const Tensor* rate = find("/learning_rate"); rate && rate->element_count() == 1)
    result.hyperparameters.set("lr", cast(*rate, DType::Float64).values<double>()[0]);
  double iterations = 0;
  if (const Tensor* iteration = find("/iteration");
      iteration && iteration->element_count() == 1 && iteration->dtype() == DType::Int32)
    iterations = iteration->values<std::int32_t>()[0];

  // By name; or else within a slot, variables stand in the order of the model's trainable ones.
  std::map<std::string, std::size_t> next;
  const bool are_named = has_all_slots(keras.variables, plan, slots_in_use(*mapping, result.hyperparameters));
  const auto take = [&](const std::string& name, const std::string& suffix) -> const Tensor* {
    if (are_named) return find("/" + name + "_" + suffix);
    std::size_t& position = next[suffix];
    for (; position < keras.variables.size(); ++position)
      if (keras.variables[position].name.ends_with("_" + suffix)) return &keras.variables[position++].tensor;
    return nullptr;
  };
  const double lr = learning_rate_of(result.hyperparameters, *mapping);
  const auto slots = slots_in_use(*mapping, result.hyperparameters);
  Json::Array parameters;
  for (const KerasBinding& binding : plan.bindings)
    if (binding.is_trained())
      for (const KerasBinding::Source& source : binding.torch)
        if (std::ranges::find(parameters, Json(source.name)) == parameters.end())
          parameters.push_back(source.name);  // once where layers share it
  if (keras.variables.size() > 2) {
    if (!are_named && !keras.in_plan_order)
      throw Unsupported("its variables have no names, and the file's layers stand in another order");
    for_each_slot(plan, slots, [&](const KerasBinding& binding, const SlotMapping& slot) {
      std::vector<Tensor> tensors;
      for (std::size_t i = 0; i < binding.variables.size(); ++i) {
        const Tensor* variable = take(flat_path(plan, binding, binding.variables[i]), slot.keras);
        if (!variable)
          throw MalformedFile("the optimizer has no " + slot.keras + " for " + binding.layer + "/" +
                              binding.variables[i]);
        tensors.push_back(slot.times_minus_lr ? scaled(*variable, -1 / lr) : *variable);
      }
      tensors = to_torch(without_sums(binding.steps), std::move(tensors));
      if (is_lossy(binding.steps)) tensors.resize(binding.torch.size(), tensors.at(0));
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        const KerasBinding::Source& source = binding.torch[i];
        auto& kept = result.slots[source.name];
        if (std::ranges::find(kept, slot.torch, &NamedTensor::name) != kept.end()) continue;
        if (kept.empty() && result.kind != "SGD")
          kept.push_back({"step", tensor_of<float>(DType::Float32, {}, {static_cast<float>(iterations)})});
        kept.push_back({slot.torch, to_torch(source.steps, {tensors[i]}).at(0)});
      }
    });
  }
  Json::Object group = result.hyperparameters;
  group.set("params", std::move(parameters));
  result.groups = {std::move(group)};
  return result;
}

}  // namespace h5bridge
