#include "keras/implied_casts.h"

#include <algorithm>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/promotion.h"

namespace h5bridge {
namespace {

std::string word_for(DType dtype) { return is_floating_point(dtype) ? "float" : std::string(name_of(dtype)); }

}  // namespace

std::optional<DType> ImpliedCasts::policy_of(const std::string& layer) const {
  const auto policy = policies_.find(layer);
  return different_policies_.size() > 1 && policy != policies_.end() ? std::optional(policy->second) : std::nullopt;
}

Value ImpliedCasts::taken(const Value& value, const std::string& layer, Integers integers) {
  const DType dtype = graph_.types.of(value).dtype;
  if (is_integral(dtype)) {
    if (integers != Integers::BecomeFloats) return value;
    const auto policy = policies_.find(layer);
    return cast(value, policy == policies_.end() ? DType::Float32 : policy->second, "float");
  }
  const std::optional<DType> policy = policy_of(layer);
  if (!policy || *policy == dtype || !is_floating_point(dtype) || integers == Integers::AreIndices) return value;
  return cast(value, *policy, std::string(name_of(*policy)));
}

Value ImpliedCasts::cast(const Value& value, DType dtype, const std::string& suffix) {
  if (const auto known = casts_.find({value, dtype}); known != casts_.end()) return known->second;
  Layer cast{{}, "to", Registry::instance().find("to")->defaults(), {}};
  cast.attributes.set("dtype", dtype);
  cast.keras.implied = true;
  const Value result = graph_.add_own_layer(std::move(cast), value.node + "_" + suffix, {value});
  masks_.hand_on(value, result);
  return casts_.emplace(std::pair(value, dtype), result).first->second;
}

Value ImpliedCasts::integers_as(const Value& value, DType dtype) {
  const DType own = graph_.types.of(value).dtype;
  return is_integral(own) && own != dtype ? cast(value, dtype, word_for(dtype)) : value;
}

std::vector<DType> ImpliedCasts::keras_types(const KerasMapping& mapping, const Layer& layer,
                                             const std::vector<Value>& inputs) const {
  std::vector<DType> result;
  if (!mapping.dtypes) return result;
  for (const DTypeRule& rule : mapping.dtypes->of(layer.attributes))
    result.push_back(dtype_by(rule, layer.attributes, graph_.types_of(inputs), {}));
  return result;
}

void ImpliedCasts::give_keras_types(const std::string& keras_layer, std::int64_t call, const std::string& node,
                                    const std::vector<DType>& wanted) {
  for (std::size_t i = 0; i < std::min(wanted.size(), graph_.types.outputs_of(node).size()); ++i) {
    const auto output = static_cast<std::int64_t>(i);
    const Value value{node, output};
    if (is_integral(graph_.types.of(value).dtype) && graph_.types.of(value).dtype != wanted[i])
      graph_.give({keras_layer, call, output}, cast(value, wanted[i], word_for(wanted[i])));
  }
}

std::optional<DType> ImpliedCasts::type_rounded_to(const KerasMapping& mapping, const Layer& layer,
                                                   const std::vector<Value>& inputs) const {
  if (inputs.empty() || !is_integral(graph_.types.of(inputs[0]).dtype)) return std::nullopt;
  const DType dtype = graph_.types.of(inputs[0]).dtype;
  const OfIntegers way = mapping.of_integers(layer.attributes, dtype);
  if (way == OfIntegers::NotKnown)
    throw Unsupported("takes " + std::string(name_of(dtype)) +
                      ", with which Keras computes otherwise than with floats (numbers overflow, or lose their "
                      "fractions), which is not known yet: a cast to float32 before it says what is meant");
  return way == OfIntegers::Rounded ? std::optional(dtype) : std::nullopt;
}

Value ImpliedCasts::rounded(const Value& value, DType dtype) {
  Value result = add_implied("round", {}, value);
  const std::int64_t bits = 8 * static_cast<std::int64_t>(size_of(dtype));
  if (const bool is_unsigned = name_of(dtype).starts_with("uint"); bits < 32) {
    const std::int64_t count = std::int64_t{1} << bits;
    result = add_implied(
        "clamp", {{"min", is_unsigned ? 0 : -count / 2}, {"max", (is_unsigned ? count : count / 2) - 1}}, result);
  }
  return cast(result, dtype, word_for(dtype));
}

Value ImpliedCasts::add_implied(const std::string& type, const std::map<std::string, std::int64_t>& settings,
                                const Value& value) {
  Layer layer{{}, type, Registry::instance().find(type)->defaults(), {}};
  for (const auto& [name, number] : settings) layer.attributes.set(name, number);
  layer.keras.implied = true;
  const Value result = graph_.add_own_layer(std::move(layer), value.node + "_" + type, {value});
  masks_.hand_on(value, result);
  return result;
}

}  // namespace h5bridge
