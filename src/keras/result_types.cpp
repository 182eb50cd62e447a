#include "keras/result_types.h"

#include <algorithm>
#include <set>
#include <string>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/promotion.h"

namespace h5bridge {
namespace {

using TypeOf = std::function<const TensorType&(KerasEmitter::Handle)>;

const KerasMapping* row_of(const KerasEmitter::Call& call) {
  const bool is_operation = call.module != "keras.layers";
  for (const KerasMapping* mapping : Registry::instance().keras_class(call.class_name))
    if (mapping->is_operation() == is_operation) return mapping;
  return nullptr;
}

// What a call gives, as far as element types hang on it: tensors, and numbers in place of some.
struct Given {
  std::vector<TensorType> tensors;
  Attributes settings;
  std::vector<std::string> numbers;  // settings that are numbers in place of tensors

  void add(const KerasEmitter::Argument& argument, const TypeOf& type_of) {
    if (const auto* handle = std::get_if<KerasEmitter::Handle>(&argument)) tensors.push_back(type_of(*handle));
    if (const auto* list = std::get_if<std::vector<KerasEmitter::Handle>>(&argument))
      for (const KerasEmitter::Handle handle : *list) tensors.push_back(type_of(handle));
    if (const auto* list = std::get_if<KerasEmitter::List>(&argument))
      for (const auto& handle : *list)
        if (handle) tensors.push_back(type_of(*handle));
    if (const auto* constant = std::get_if<Json>(&argument)) add_constant(*constant);
  }

 private:
  void add_constant(const Json& constant) {
    const std::string name = "number" + std::to_string(numbers.size());
    const Json* config = constant.is_object() ? constant.find("config") : nullptr;
    const Json* dtype = config ? config->find("dtype") : nullptr;
    if (const auto known = dtype && dtype->is_string() ? dtype_named(dtype->as_string()) : std::nullopt)
      return tensors.push_back({*known, {Size(1)}});  // an array
    if (!constant.is_number()) return;
    settings.set(name, constant.is_integer() ? AttributeValue(constant.as_integer()) : constant.as_float());
    numbers.push_back(name);
  }
};

Given given_to(const KerasEmitter::Call& call, const TypeOf& type_of) {
  Given result;
  for (const KerasEmitter::Argument& argument : call.arguments) result.add(argument, type_of);
  for (const auto& [name, argument] : call.keywords) result.add(argument, type_of);
  return result;
}

// The settings of the row that its rules may ask for.
void add_settings(Attributes& settings, const KerasMapping& row, const KerasEmitter::Call& call) {
  for (const auto& [name, value] : Registry::instance().find(row.type)->defaults()) settings.set(name, value);
  for (const Correspondence& setting : row.attributes) {
    const Json* said = call.config.find(setting.keras);
    if (!said) continue;
    try {
      settings.set(setting.attribute, setting.spelling.from_keras(*said));
    } catch (const Error&) {  // written by another row, which says more by it
    }
  }
}

// Where they ask for a setting that the call does not say, all tensors decide together.
std::vector<DTypeRule> rules_of(const KerasMapping& row, const LayerType& type, const Attributes& settings) {
  try {
    return (row.dtypes ? *row.dtypes : type.dtypes).of(settings);
  } catch (const UsageError&) {
    return {promotes()};
  }
}

// Beside one input alone, a number says how (an index, a margin's value), and not what.
bool takes_numbers(const DTypeRule& rule, const LayerType& type) {
  const bool is_of_several = rule.source == DTypeRule::Source::Promotion ||
                             (rule.source == DTypeRule::Source::Inputs && rule.inputs.size() > 1);
  return is_of_several && type.operands.size() > 1;
}

}  // namespace

std::vector<DType> dtypes_of_results(const KerasEmitter::Call& call, const TypeOf& type_of) {
  Given given = given_to(call, type_of);
  std::vector<DTypeRule> rules{promotes()};
  if (const KerasMapping* row = row_of(call)) {
    const LayerType& type = *Registry::instance().find(row->type);
    add_settings(given.settings, *row, call);
    rules = rules_of(*row, type, given.settings);
    for (DTypeRule& rule : rules)
      if (takes_numbers(rule, type)) rule = rule.with_keras_numbers(given.numbers);
    const bool is_of_floats = !row->is_operation() && type.integers == Integers::BecomeFloats;
    for (TensorType& tensor : given.tensors)
      if (is_of_floats && is_integral(tensor.dtype)) tensor.dtype = DType::Float32;
  }
  std::vector<DType> result;
  for (std::size_t i = 0; i < call.outputs.size(); ++i)
    result.push_back(dtype_by(rules.at(std::min(i, rules.size() - 1)), given.settings, given.tensors, {}));
  return result;
}

bool is_stated(const KerasEmitter::Call& call) {
  static const std::set<std::string> layers{"Flatten", "Identity", "Permute", "Reshape"};
  return call.module != "keras.layers" || layers.contains(call.class_name);
}

}  // namespace h5bridge
