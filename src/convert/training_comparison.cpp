#include "convert/training_comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "keras/plan.h"
#include "model/numbers.h"

namespace h5bridge {
namespace {

bool says_nothing(const Json& value) {
  return value.is_null() || value == Json(false) || (value.is_number() && value.as_float() == 0);
}

bool is_same(const Json& a, const Json& b) {
  if (a.is_array() && b.is_array()) return std::ranges::equal(a.as_array(), b.as_array(), is_same);
  if (!a.is_number() || !b.is_number()) return a == b;
  const double x = a.as_float(), y = b.as_float();
  return x == y || std::abs(x - y) <= 1e-6 * std::max(std::abs(x), std::abs(y));
}

// StateByName by parameter, these by names that survive Keras.
using StateByName = std::map<std::string, const std::vector<NamedTensor>*>;
StateByName slots_of(const Optimizer& optimizer) {
  StateByName result;
  for (const auto& [parameter, slots] : optimizer.slots) result[keras_name(parameter)] = &slots;
  return result;
}

const Tensor* find_slot(const StateByName& slots, const std::string& parameter, const std::string& name) {
  const auto found = slots.find(parameter);
  if (found == slots.end()) return nullptr;
  const auto slot = std::ranges::find(*found->second, name, &NamedTensor::name);
  return slot == found->second->end() ? nullptr : &slot->tensor;
}

bool has_numbers_for_names(const StateByName& slots) {
  const auto is_number = [](const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
  };
  return !slots.empty() && std::ranges::all_of(slots, is_number, &StateByName::value_type::first);
}

class Comparison {
 public:
  Comparison(const Optimizer& a, const Optimizer& b, const Tolerance& tolerance)
      : a_(a), b_(b), tolerance_(tolerance) {}

  TrainingComparison run() {
    if (a_.kind != b_.kind) {
      differ("the optimizer is " + b_.kind + ", expected " + a_.kind);
      return std::move(result_);
    }
    compare_settings("the optimizer's ", a_.hyperparameters, b_.hyperparameters);
    compare_groups();
    compare_slots();
    return std::move(result_);
  }

 private:
  void differ(const std::string& text) { result_.differences.push_back(text); }

  void compare_settings(const std::string& whose, const Json::Object& a, const Json::Object& b) {
    static const std::set<std::string> kMembers{"params", "param_names", "keras"};
    std::set<std::string> names;
    for (const Json::Object* settings : {&a, &b})
      for (const auto& [name, value] : *settings)
        if (!kMembers.contains(name)) names.insert(name);
    for (const std::string& name : names) {
      const Json* first = a.find(name);
      const Json* second = b.find(name);
      if (first && second ? is_same(*first, *second) : says_nothing(first ? *first : *second)) continue;
      differ(whose + name + " is " + (second ? second->dump() : "not set") + ", expected " +
             (first ? first->dump() : "not set"));
    }
  }

  void compare_groups() {
    if (a_.groups.empty() || b_.groups.empty()) return;  // Keras's own has none where PyTorch has no counterpart
    if (a_.groups.size() != b_.groups.size())
      return differ("the optimizer has " + std::to_string(b_.groups.size()) + " groups of parameters, expected " +
                    std::to_string(a_.groups.size()));
    for (std::size_t i = 1; i < a_.groups.size(); ++i)  // the first is the optimizer's settings
      compare_settings("in group " + std::to_string(i) + " of the optimizer's parameters, ", a_.groups[i],
                       b_.groups[i]);
  }

  void compare_slots() {
    const StateByName a = slots_of(a_), b = slots_of(b_);
    if (has_numbers_for_names(a) != has_numbers_for_names(b) && !a.empty() && !b.empty()) {
      result_.notes.push_back(
          "the optimizers' state is not compared: one of them numbers its parameters, and no architecture names them");
      return;
    }
    std::set<std::pair<std::string, std::string>> all;
    for (const StateByName* slots : {&a, &b})
      for (const auto& [parameter, tensors] : *slots)
        for (const NamedTensor& slot : *tensors) all.emplace(parameter, slot.name);
    for (const auto& [parameter, name] : all) compare_slot(parameter, name, a, b);
  }

  void compare_slot(const std::string& parameter, const std::string& name, const StateByName& a, const StateByName& b) {
    const Tensor* first = find_slot(a, parameter, name);
    const Tensor* second = find_slot(b, parameter, name);
    const std::string what = "the optimizer's " + name + " of " + parameter;
    if (!first || !second) {
      const std::vector<double> values = as_doubles(first ? *first : *second);
      if (std::ranges::any_of(values, [](double value) { return value != 0; }))
        differ(what + " is only in the " + (first ? "first" : "second"));
      return;
    }
    const Agreement agreement = compare_tensors(*second, *first, tolerance_);
    if (!agreement.agrees()) differ(what + ": " + describe(agreement));
  }

  const Optimizer& a_;
  const Optimizer& b_;
  const Tolerance& tolerance_;
  TrainingComparison result_;
};

const Optimizer* optimizer_of(const Model& model) {
  return model.training && model.training->optimizer ? &*model.training->optimizer : nullptr;
}

}  // namespace

TrainingComparison compare_training(const Model& a, const Model& b, const Tolerance& tolerance) {
  TrainingComparison result;
  const Optimizer* first = optimizer_of(a);
  const Optimizer* second = optimizer_of(b);
  if (first && second)
    result = Comparison(*first, *second, tolerance).run();
  else if (first || second)
    result.notes.push_back(std::string("only the ") + (first ? "first" : "second") + " has an optimizer, " +
                           (first ? first : second)->kind);
  if (!a.training || !b.training) return result;
  if (a.training->epoch && b.training->epoch && a.training->epoch != b.training->epoch)
    result.differences.push_back("the epoch is " + std::to_string(*b.training->epoch) + ", expected " +
                                 std::to_string(*a.training->epoch));
  if (a.training->loss && b.training->loss && a.training->loss != b.training->loss)
    result.differences.push_back("the loss is " + short_number(*b.training->loss) + ", expected " +
                                 short_number(*a.training->loss));
  return result;
}

}  // namespace h5bridge
