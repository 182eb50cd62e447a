#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "optimizers/keras_settings.h"
#include "optimizers/keras_slots.h"

namespace h5bridge {
namespace {

const Tensor* find_slot(const Optimizer& optimizer, const std::string& parameter, const std::string& slot) {
  const auto slots = optimizer.slots.find(parameter);
  if (slots == optimizer.slots.end()) return nullptr;
  for (const NamedTensor& candidate : slots->second)
    if (candidate.name == slot) return &candidate.tensor;
  return nullptr;
}

// The steps that PyTorch has counted; nullopt where it has not.
std::optional<std::int64_t> steps_of(const Optimizer& optimizer, std::vector<std::string>& notes) {
  std::set<std::int64_t> steps;
  for (const auto& [parameter, slots] : optimizer.slots)
    for (const NamedTensor& slot : slots)
      if (slot.name == "step" && slot.tensor.element_count() == 1)
        steps.insert(static_cast<std::int64_t>(number_in(slot.tensor)));
  if (steps.empty()) return std::nullopt;
  if (steps.size() > 1)
    notes.push_back("the optimizer has taken " + std::to_string(*steps.begin()) + " steps of some parameters and " +
                    std::to_string(*steps.rbegin()) + " of others; Keras counts the latter for all");
  return *steps.rbegin();
}

std::int64_t iterations_of(const Optimizer& optimizer, const KerasSettings& settings, std::vector<std::string>& notes) {
  const auto steps = steps_of(optimizer, notes);
  if (steps) {
    const bool stands_still = settings.iteration / settings.accumulations == *steps;
    return stands_still ? settings.iteration : *steps * settings.accumulations;
  }
  if (settings.own && settings.config.at("learning_rate").is_object() && !optimizer.slots.empty())
    notes.push_back("the optimizer's iteration is " + std::to_string(settings.iteration) +
                    ", as Keras had it, and its schedule goes on from there: PyTorch's " + optimizer.kind +
                    " does not count steps");
  return settings.iteration;
}

// Names of the parameters that an optimizer lists; none where it counts them, or has all.
std::set<std::string> listed_parameters(const Optimizer& optimizer) {
  std::set<std::string> names;
  for (const Json::Object& group : optimizer.groups)
    if (const Json* params = group.find("params"))
      for (const Json& name : params->as_array())
        if (name.is_string()) names.insert(name.as_string());
  return names;
}

// What never had a gradient has no state in PyTorch, and begins with its own first step there.
void note_never_stepped(const OptimizerMapping& mapping, const Optimizer& optimizer, const KerasBindings& bound,
                        std::int64_t iterations, std::vector<std::string>& notes) {
  constexpr std::size_t kMost = 8;
  if (!mapping.counts_steps || optimizer.slots.empty() || iterations == 0) return;
  const std::set<std::string> listed = listed_parameters(optimizer);
  std::vector<std::string> names;
  for (const KerasBinding& binding : bound.bindings)
    if (binding.is_trained())
      for (const KerasBinding::Source& source : binding.torch)
        if ((listed.empty() || listed.contains(source.name)) && !optimizer.slots.contains(source.name) &&
            std::ranges::find(names, source.name) == names.end())
          names.push_back(source.name);
  if (names.empty()) return;
  const std::size_t more = names.size() - std::min(names.size(), kMost);
  names.resize(names.size() - more);
  if (more > 0) names.push_back(std::to_string(more) + " more");
  notes.push_back("the optimizer has taken no step of " + joined(names) +
                  " yet, of which PyTorch counts the first as the first; Keras counts the " +
                  std::to_string(iterations) + " of the others for all");
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
      throw Unsupported(
          "the optimizer's " + slot.torch + " of " + binding.torch[0].name + " and " + binding.torch[i].name +
          " differ, and Keras has one variable for both; SaveOptions::optimizer = false leaves the optimizer out");
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
                          binding.variables.at(0) + "; SaveOptions::optimizer = false leaves the optimizer out");
}

// An optimizer of PyTorch's as Keras's variables.
class KerasVariables {
 public:
  KerasVariables(const OptimizerMapping& mapping, const Optimizer& optimizer, const KerasBindings& bound,
                 const Weights& weights, const KerasSettings& settings)
      : mapping_(mapping),
        optimizer_(optimizer),
        bound_(bound),
        weights_(weights),
        config_(settings.config),
        prefix_(settings.config.at("name").as_string() + "/"),
        lr_(learning_rate_of(optimizer.hyperparameters, mapping)) {}

  std::vector<NamedTensor> run(std::int64_t iterations, std::vector<std::string>& notes) {
    result_.push_back(
        {prefix_ + "iteration", tensor_of<std::int32_t>(DType::Int32, {}, {static_cast<std::int32_t>(iterations)})});
    if (!config_.at("learning_rate").is_object())
      result_.push_back({prefix_ + "learning_rate", tensor_of<float>(DType::Float32, {}, {static_cast<float>(lr_)})});
    if (is_on(config_, "use_ema")) {
      notes.push_back("the optimizer's moving averages (use_ema) start again, at the weights");
      for_each_slot(bound_, {{"", "average"}}, [&](const KerasBinding& binding, const SlotMapping& slot) {
        add(binding, slot, to_keras(binding.steps, weights_of(binding.torch), weights_of(binding.given)));
      });
    }
    if (const std::int64_t summed = summed_since_step(config_, iterations))
      notes.push_back(
          "the optimizer's sum of gradients (gradient_accumulation_steps) starts again at 0, without those "
          "of the last " +
          batches(summed) + " that Keras had");
    if (is_on(config_, "gradient_accumulation_steps"))
      for_each_slot(bound_, {{"", "gradient_accumulator"}}, [&](const KerasBinding& binding, const SlotMapping& slot) {
        std::vector<Tensor> tensors = to_keras(binding.steps, weights_of(binding.torch), weights_of(binding.given));
        for (Tensor& tensor : tensors) tensor = zeros(DType::Float32, tensor.shape());
        add(binding, slot, std::move(tensors));
      });
    for (const SlotMapping& slot : slots_in_use(mapping_, optimizer_.hyperparameters))
      if (slot.times_lr != 0 && lr_ == 0 && !optimizer_.slots.empty())
        notes.push_back("the optimizer's " + slot.torch +
                        " is 0 in Keras, which has it in units of the learning rate, and that is 0");
    const std::vector<SlotMapping> slots = slots_in_use(mapping_, optimizer_.hyperparameters);
    const auto add_state = [&](const KerasBinding& binding, const SlotMapping& slot) {
      refuse_products(optimizer_, binding, slot);
      add(binding, slot,
          to_keras(without_sums(binding.steps), shared_by_summands(binding, slot, slots_of(binding.torch, slot)),
                   slots_of(binding.given, slot)));
    };
    for_each_slot(bound_, slots, add_state);
    // Keras's own has variables of what was trained before it was frozen, too.
    for (const KerasBinding& binding : bound_.bindings)
      if (!optimizer_.keras.empty() && binding.trainable && binding.frozen && has_state(binding))
        for (const SlotMapping& slot : slots) add_state(binding, slot);
    return std::move(result_);
  }

 private:
  bool has_state(const KerasBinding& binding) const {
    return std::ranges::any_of(
        binding.torch, [&](const KerasBinding::Source& source) { return optimizer_.slots.contains(source.name); });
  }

  std::vector<Tensor> weights_of(const std::vector<KerasBinding::Source>& sources) const {
    std::vector<Tensor> result;
    for (const KerasBinding::Source& source : sources)
      result.push_back(to_keras(source.steps, {*weights_.find(source.name)}).at(0));
    return result;
  }

  // A parameter that never had a gradient may have no slots in PyTorch; in Keras, they are as in the beginning.
  std::vector<Tensor> slots_of(const std::vector<KerasBinding::Source>& sources, const SlotMapping& slot) const {
    std::vector<Tensor> result;
    for (const KerasBinding::Source& source : sources) {
      const Tensor* kept = find_slot(optimizer_, source.name, slot.torch);
      Tensor tensor =
          kept ? *kept : initial_slot(slot, optimizer_.hyperparameters, weights_.find(source.name)->shape());
      if (slot.times_lr != 0)
        tensor = lr_ == 0 ? zeros(tensor.dtype(), tensor.shape()) : scaled(tensor, slot.times_lr * lr_);
      result.push_back(to_keras(source.steps, {tensor}).at(0));
    }
    return result;
  }

  void add(const KerasBinding& binding, const SlotMapping& slot, std::vector<Tensor> tensors) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::string name = prefix_ + flat_path(binding, binding.variables[i]) + "_" + slot.keras;
      // Of one layer in several models there is one; that of two is a name that no file can have twice.
      const auto [known, is_new] = places_.emplace(name, Place{result_.size(), binding.layer});
      if (is_new)
        result_.push_back({name, std::move(tensors[i])});
      else if (!bit_equal(result_[known->second.number].tensor, tensors[i]))
        throw Unsupported("the optimizer's " + slot.keras + " of " + binding.variables[i] + " in the layers " +
                          known->second.layer + " and " + binding.layer +
                          ", which have one name in two of Keras's models, would be one variable; name one of them "
                          "otherwise, or leave the optimizer out (SaveOptions::optimizer = false)");
    }
  }

  const OptimizerMapping& mapping_;
  const Optimizer& optimizer_;
  const KerasBindings& bound_;
  const Weights& weights_;
  const Json::Object& config_;
  std::string prefix_;
  double lr_;
  struct Place {
    std::size_t number;
    std::string layer;
  };
  std::map<std::string, Place> places_;  // by the variables' names
  std::vector<NamedTensor> result_;
};

}  // namespace

KerasOptimizer optimizer_to_keras(const Optimizer& optimizer, const KerasBindings& bound, const Weights& weights,
                                  std::vector<std::string>& notes) {
  const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind);
  if (!mapping) throw Unsupported(why_not_in_keras(optimizer) + "; SaveOptions::optimizer = false leaves it out");
  for (const auto& [parameter, slots] : optimizer.slots)
    if (!weights.find(parameter))
      throw Unsupported("the optimizer trains only some of the parameters, and does not say which (state " + parameter +
                        "); SaveOptions::optimizer = false leaves it out");
  const KerasSettings settings = settings_to_keras(*mapping, optimizer);
  for (std::string& note : left_out_by_keras(*mapping, optimizer, settings, bound, weights))
    notes.push_back(std::move(note));
  const std::int64_t iterations = iterations_of(optimizer, settings, notes);
  note_never_stepped(*mapping, optimizer, bound, iterations, notes);
  return {Json::Object{{"class_name", settings.class_name}, {"config", settings.config}},
          KerasVariables(*mapping, optimizer, bound, weights, settings).run(iterations, notes)};
}

std::map<std::string, std::string> rounded_slots(const Optimizer& optimizer, const KerasBindings& bound) {
  std::map<std::string, std::string> result;
  const OptimizerMapping* mapping = optimizer_mapping(optimizer.kind);
  if (!mapping) return result;
  const std::string prefix = settings_to_keras(*mapping, optimizer).config.at("name").as_string() + "/";
  for_each_slot(bound, slots_in_use(*mapping, optimizer.hyperparameters),
                [&](const KerasBinding& binding, const SlotMapping& slot) {
                  if (slot.times_lr == 0 && !is_lossy(binding.steps)) return;
                  for (const KerasBinding::Source& source : binding.torch)
                    result[source.name + "/" + slot.torch] =
                        prefix + flat_path(binding, binding.variables[0]) + "_" + slot.keras;
                });
  return result;
}

}  // namespace h5bridge
