#include <optional>
#include <set>

#include "h5bridge/error.h"
#include "optimizers/keras_schedules.h"
#include "optimizers/keras_settings.h"
#include "optimizers/keras_slots.h"

namespace h5bridge {
namespace {

// Keras's variables, by their names or else by their place.
class FoundVariables {
 public:
  FoundVariables(const KerasOptimizer& keras, const KerasBindings& bound, const std::vector<SlotMapping>& slots)
      : bound_(bound) {
    for (const NamedTensor& variable : keras.variables)
      if (!is_of_all_optimizers(variable.name)) slots_.push_back(&variable);
    are_named_ = has_all(slots);
    if (!slots_.empty() && !are_named_ && !keras.in_plan_order)
      throw Unsupported("its variables have no names, and the file's layers stand in another order");
  }

  bool empty() const { return slots_.empty(); }

  /// Whether it has all slots of a layer by their names.
  bool has(const KerasBinding& binding, const std::vector<SlotMapping>& slots) const {
    return std::ranges::all_of(slots, [&](const SlotMapping& slot) {
      return std::ranges::all_of(binding.variables, [&](const std::string& variable) {
        const std::string name = flat_path(binding, variable) + "_" + slot.keras;
        return std::ranges::any_of(slots_,
                                   [&](const NamedTensor* found) { return without_optimizer(found->name) == name; });
      });
    });
  }

  /// By their place, variables that are left over mean that others were taken for them.
  void require_all_taken() const {
    if (are_named_) return;
    for (const auto& [suffix, position] : next_)
      for (std::size_t i = position; i < slots_.size(); ++i)
        if (slots_[i]->name.ends_with(suffix))
          throw Unsupported("its variables have no names, and are more than the layers that are trained have");
  }

  const Tensor& take(const KerasBinding& binding, const std::string& variable, const SlotMapping& slot) {
    const std::string suffix = "_" + slot.keras;
    if (are_named_) {
      const std::string name = flat_path(binding, variable) + suffix;
      for (const NamedTensor* found : slots_)
        if (without_optimizer(found->name) == name) return found->tensor;
    }
    // Within a slot, variables stand in the order of the model's trainable ones.
    std::size_t& position = next_[suffix];
    for (; position < slots_.size() && !are_named_; ++position)
      if (slots_[position]->name.ends_with(suffix)) return slots_[position++]->tensor;
    throw MalformedFile("the optimizer has no " + slot.keras + " for " + binding.layer + "/" + variable);
  }

 private:
  static std::string without_optimizer(const std::string& name) { return name.substr(name.find('/') + 1); }

  // Counters, and what use_ema and gradient_accumulation_steps keep beside the slots.
  static bool is_of_all_optimizers(const std::string& name) {
    return name.ends_with("/iteration") || name.ends_with("/learning_rate") || name.ends_with("_average") ||
           name.ends_with("_gradient_accumulator");
  }

  // Whether each slot is there by the name that Keras 3 gives it.
  bool has_all(const std::vector<SlotMapping>& slots) const {
    std::set<std::string> names;
    for (const NamedTensor* variable : slots_) names.insert(without_optimizer(variable->name));
    bool result = true;
    for_each_slot(bound_, slots, [&](const KerasBinding& binding, const SlotMapping& slot) {
      for (const std::string& variable : binding.variables)
        result = result && names.contains(flat_path(binding, variable) + "_" + slot.keras);
    });
    return result;
  }

  const KerasBindings& bound_;
  std::vector<const NamedTensor*> slots_;
  bool are_named_ = false;
  std::map<std::string, std::size_t> next_;
};

// An optimizer of Keras's as PyTorch has it.
class TorchOptimizer {
 public:
  TorchOptimizer(const KerasOptimizer& keras, const KerasBindings& bound, const Weights& weights)
      : keras_(keras), bound_(bound), weights_(weights) {
    result_.kind = keras.config.at("class_name").as_string();
    result_.keras = keras.config.at("config").as_object();
    result_.keras_variables = keras.variables;
  }

  Optimizer run() {
    std::optional<Json::Object> settings = find_settings();
    if (!settings || has_slots_of_products()) {
      result_.hyperparameters = result_.keras;
      return std::move(result_);
    }
    Json::Object travelling{{"class_name", result_.kind},
                            {"config", result_.keras},
                            {"iteration", iterations_},
                            {"learning_rate", settings->at("lr")}};
    result_.kind = mapping_->kind;
    result_.hyperparameters = std::move(*settings);
    set_slots();
    Json::Object group = result_.hyperparameters;
    group.set("params", parameters());
    group.set(kKerasMember, std::move(travelling));
    result_.groups = {std::move(group)};
    return std::move(result_);
  }

  // As PyTorch has them; nullopt where the optimizer, or the schedule of its learning rate, has no counterpart there.
  std::optional<Json::Object> find_settings() {
    mapping_ = optimizer_mapping_of_keras(result_.kind, result_.keras);
    iterations_ = static_cast<std::int64_t>(find_number("/iteration").value_or(0));
    const auto rate = learning_rate();
    if (!mapping_ || !rate) return std::nullopt;
    Json::Object settings = settings_from_keras(*mapping_, result_.keras);
    settings.set("lr", *rate);
    return settings;
  }

 private:
  std::optional<double> find_number(const std::string& suffix) const {
    for (const NamedTensor& variable : keras_.variables)
      if (variable.name.ends_with(suffix) && variable.tensor.element_count() == 1) return number_in(variable.tensor);
    return std::nullopt;
  }

  std::optional<double> learning_rate() const {
    const Json& stated = result_.keras.at("learning_rate");
    if (stated.is_object()) return scheduled_rate(stated, iterations_);
    return find_number("/learning_rate").value_or(stated.as_float());
  }

  // What Keras has for a product has no counterpart in PyTorch.
  bool has_slots_of_products() const {
    return !FoundVariables(keras_, bound_, {}).empty() &&
           std::ranges::any_of(bound_.bindings, [](const KerasBinding& binding) { return has_product(binding.steps); });
  }

  // Once where layers share it.
  Json::Array parameters() const {
    Json::Array names;
    for (const KerasBinding& binding : bound_.bindings)
      if (binding.is_trained())
        for (const KerasBinding::Source& source : binding.torch)
          if (std::ranges::find(names, Json(source.name)) == names.end()) names.push_back(source.name);
    return names;
  }

  void set_slots() {
    const std::vector<SlotMapping> slots = slots_in_use(*mapping_, result_.hyperparameters);
    FoundVariables found(keras_, bound_, slots);
    if (found.empty() && !mapping_->starts_with_state) return;
    const auto take = [&](const KerasBinding& binding, const SlotMapping& slot) {
      const std::vector<Tensor> tensors = found.empty() ? std::vector<Tensor>{} : from_variables(binding, slot, found);
      for (std::size_t i = 0; i < binding.torch.size(); ++i) {
        const KerasBinding::Source& source = binding.torch[i];
        set_slot(source.name, slot.torch,
                 found.empty() ? initial_slot(slot, result_.hyperparameters, weights_.find(source.name)->shape())
                               : to_torch(source.steps, {tensors[i]}).at(0));
      }
    };
    for_each_slot(bound_, slots, take);
    found.require_all_taken();
    // What was trained before it was frozen has state in PyTorch, too.
    for (const KerasBinding& binding : bound_.bindings)
      if (binding.trainable && binding.frozen && found.has(binding, slots))
        for (const SlotMapping& slot : slots) take(binding, slot);
  }

  std::vector<Tensor> from_variables(const KerasBinding& binding, const SlotMapping& slot, FoundVariables& found) {
    const double lr = result_.hyperparameters.at("lr").as_float();
    std::vector<Tensor> tensors;
    for (const std::string& name : binding.variables) {
      const Tensor& variable = found.take(binding, name, slot);
      if (slot.times_lr != 0 && lr == 0 && !bit_equal(variable, zeros(variable.dtype(), variable.shape())))
        throw Unsupported("its " + slot.keras + " is in units of a learning rate that is 0");
      tensors.push_back(slot.times_lr != 0 && lr != 0 ? scaled(variable, 1 / (slot.times_lr * lr)) : variable);
    }
    tensors = to_torch(without_sums(binding.steps), std::move(tensors));
    if (is_lossy(binding.steps)) tensors.resize(binding.torch.size(), tensors.at(0));
    return tensors;
  }

  void set_slot(const std::string& parameter, const std::string& name, Tensor tensor) {
    auto& kept = result_.slots[parameter];
    if (std::ranges::find(kept, name, &NamedTensor::name) != kept.end()) return;
    const auto steps = static_cast<float>(iterations_ / accumulations_of(result_.keras));
    if (kept.empty() && mapping_->counts_steps) kept.push_back({"step", tensor_of<float>(DType::Float32, {}, {steps})});
    kept.push_back({name, std::move(tensor)});
  }

  const KerasOptimizer& keras_;
  const KerasBindings& bound_;
  const Weights& weights_;
  const OptimizerMapping* mapping_ = nullptr;
  std::int64_t iterations_ = 0;
  Optimizer result_;
};

}  // namespace

Optimizer optimizer_from_keras(const KerasOptimizer& keras, const KerasBindings& bound, const Weights& weights) {
  return TorchOptimizer(keras, bound, weights).run();
}

KerasOptimizer as_keras_had_it(const Optimizer& optimizer) {
  const Json::Object* keras = travelling_keras(optimizer);
  const Json class_name = keras ? keras->at("class_name") : Json(optimizer.kind);
  return {Json::Object{{"class_name", class_name}, {"config", optimizer.keras}}, optimizer.keras_variables};
}

bool has_settings_of(const KerasOptimizer& keras, const Optimizer& optimizer, const KerasBindings& bound,
                     const Weights& weights) {
  const std::optional<Json::Object> read = TorchOptimizer(keras, bound, weights).find_settings();
  return !read || std::ranges::all_of(optimizer.groups, [&](const Json::Object& group) {
    return std::ranges::all_of(*read, [&](const auto& setting) {
      const Json* stated = group.find(setting.first);
      return !stated || *stated == setting.second;
    });
  });
}

}  // namespace h5bridge
