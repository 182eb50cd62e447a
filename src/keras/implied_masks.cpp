#include "keras/implied_masks.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge {

// How a mask is made, of a value or of other masks. It becomes layers where something takes it, once as Keras 3 makes
// it by itself and once as what Keras 3 has to be told of.
struct ImpliedMasks::Mask {
  std::string of;                   // the layer that it comes from
  Value input;                      // of what `steps` make it
  std::vector<Layer> steps = {};    // one after the other
  std::vector<MaskPtr> parts = {};  // what it joins
  std::optional<Layer> joint = {};
  bool is_keras_3s = false;  // joined as Keras 3 does
  std::string problem = {};  // why it cannot be made
  std::optional<Value> implied = {};
  std::optional<Value> stated = {};

  bool is_made_by_keras_3() const { return parts.empty() || is_keras_3s; }
};

void ImpliedMasks::hand_to(PlainCall& call, const LayerType& type, const std::vector<std::string>& takes,
                           const Handing& handing) {
  asking_ = call.inputs;
  if (!handing.by_itself || (!call.named.empty() && !handing.takes_away)) return;
  for (const Operand& operand : type.operands) {
    if (operand.mask_of.empty() || std::ranges::find(takes, operand.name) == takes.end()) continue;
    const auto masked = std::ranges::find(type.operands, operand.mask_of, &Operand::name) - type.operands.begin();
    if (masked >= std::ssize(call.inputs)) continue;
    if (std::ranges::find(call.named, operand.name, &std::pair<std::string, Value>::first) != call.named.end())
      continue;
    if (const MaskPtr mask = of(call.inputs[static_cast<std::size_t>(masked)]))
      call.named.emplace_back(operand.name, made(*mask, handing.by_itself_in_keras_3));
  }
}

void ImpliedMasks::follow(const Layer& layer, const LayerType& type, const std::vector<Value>& inputs,
                          const Value& output, std::int64_t rank, bool keeps_rank, const Handing& handing) {
  asking_ = inputs;
  MaskPtr mask;
  switch (type.mask.kind) {
    case MaskRule::Kind::Drops: break;
    case MaskRule::Kind::Passes:
      if (keeps_rank) hand_on(inputs.at(0), output);
      break;
    case MaskRule::Kind::Makes:
      if (std::vector<Layer> steps = type.mask.steps(layer); !steps.empty())
        mask = std::make_shared<Mask>(Mask{.of = output.node, .input = inputs.at(0), .steps = std::move(steps)});
      break;
    case MaskRule::Kind::Joins:
      if (handing.joins) mask = joined(layer, type, inputs, rank);
      if (handing.joins_when_run) mask = joined_when_run(type, inputs, output);
      break;
  }
  if (mask) masks_[output] = std::move(mask);
  if (handing.takes_away) take_away(inputs, output.node);
  for (const Value& input : inputs) {
    const bool is_seen = (type.mask.kind == MaskRule::Kind::Passes && input == inputs.front()) ||
                         type.mask.kind == MaskRule::Kind::Joins || handing.takes_away;
    if (is_seen && masks_.contains(input)) takers_[input].push_back(output.node);
  }
}

bool ImpliedMasks::hand_on(const Value& from, const Value& to) {
  MaskPtr mask = of(from);
  if (!mask) return false;
  masks_[to] = std::move(mask);
  return true;
}

void ImpliedMasks::refuse_if_masked(const Value& from, const Value& to, std::string problem) {
  if (of(from)) masks_[to] = std::make_shared<Mask>(Mask{.of = to.node, .input = from, .problem = std::move(problem)});
}

std::optional<Value> ImpliedMasks::implied_of(const Value& value, const std::vector<Value>& asking) {
  asking_ = asking;
  const MaskPtr mask = of(value);
  return mask ? std::optional(made(*mask, /*by_keras_3=*/true)) : std::nullopt;
}

void ImpliedMasks::give(const Value& mask, const Value& to) {
  masks_[to] = std::make_shared<Mask>(Mask{.of = to.node, .input = mask, .implied = mask, .stated = mask});
}

ImpliedMasks::MaskPtr ImpliedMasks::of(const Value& value) const {
  const auto found = masks_.find(value);
  if (found == masks_.end()) return nullptr;
  const auto taken = taken_away_by_.find(value);
  if (taken == taken_away_by_.end()) return found->second;
  const auto is_behind = [&](const Value& asking) { return is_made_from_(asking, taken->second); };
  if (std::ranges::any_of(asking_, is_behind)) return nullptr;
  return std::make_shared<Mask>(Mask{.of = value.node,
                                     .input = value,
                                     .problem = "Keras's \"" + taken->second +
                                                "\" takes it away when it runs, and which of both runs first is "
                                                "not known"});
}

void ImpliedMasks::take_away(const std::vector<Value>& inputs, const std::string& node) {
  for (const Value& input : inputs) {
    if (!masks_.contains(input)) continue;
    for (const std::string& taker : takers_[input])
      if (taker != node && std::ranges::none_of(inputs, [&](const Value& v) { return is_made_from_(v, taker); }))
        throw Unsupported("it takes the mask of \"" + input.node + "\" away when it runs, which \"" + taker +
                          "\" takes, too, and which of both runs first is not known");
    taken_away_by_.try_emplace(input, node);
  }
}

// As compute_mask of keras/src/layers/merging/base_merge.py does.
ImpliedMasks::MaskPtr ImpliedMasks::joined_when_run(const LayerType& type, const std::vector<Value>& inputs,
                                                    const Value& output) const {
  std::vector<MaskPtr> parts;
  for (const Value& input : inputs)
    if (MaskPtr mask = of(input); mask && std::ranges::find(parts, mask) == parts.end())
      parts.push_back(std::move(mask));
  const bool all_have_one = std::ranges::all_of(inputs, [&](const Value& input) { return of(input) != nullptr; });
  if (parts.empty() || (!all_have_one && type.mask.joint_in_keras_3)) return nullptr;
  if (!type.mask.joint_in_keras_3)
    return std::make_shared<Mask>(Mask{.of = output.node,
                                       .input = inputs.at(0),
                                       .problem = "what Keras makes of the masks of its inputs is not known yet"});
  if (parts.size() == 1) return parts.front();
  return std::make_shared<Mask>(Mask{.of = output.node,
                                     .input = inputs.at(0),
                                     .parts = std::move(parts),
                                     .joint = type.mask.joint_in_keras_3(),
                                     .is_keras_3s = true});
}

ImpliedMasks::MaskPtr ImpliedMasks::joined(const Layer& layer, const LayerType& type, const std::vector<Value>& inputs,
                                           std::int64_t rank) const {
  std::vector<MaskPtr> parts;
  for (const Value& input : inputs)
    if (MaskPtr mask = of(input)) parts.push_back(std::move(mask));
  if (parts.empty()) return nullptr;
  const std::optional<MaskRule::Joint> joint = type.mask.joint(layer, rank);
  Mask result{.of = layer.name, .input = inputs.at(0), .parts = std::move(parts)};
  if (!joint)
    result.problem = "Keras makes one of the masks of its inputs in a way that is not known yet";
  else if (joint->needs_all && result.parts.size() < inputs.size())
    result.problem = "only some of its inputs have a mask";
  else
    result.joint = joint->step;
  return std::make_shared<Mask>(std::move(result));
}

Value ImpliedMasks::made(Mask& mask, bool by_keras_3) {
  if (!mask.problem.empty()) throw Unsupported("takes the mask of \"" + mask.of + "\": " + mask.problem);
  // Keras 3 joins masks otherwise than those before it, so it is told.
  const bool is_implied = by_keras_3 && mask.is_made_by_keras_3();
  std::optional<Value>& known = is_implied ? mask.implied : mask.stated;
  if (known) return *known;
  const auto add = [&](Layer step, std::vector<Value> inputs) {
    if (is_implied) step.keras.implied = true;
    return add_(std::move(step), mask.of, std::move(inputs));
  };
  Value value = mask.input;
  for (const Layer& step : mask.steps) value = add(step, {value});
  for (std::size_t i = 0; i < mask.parts.size(); ++i) {
    const Value part = made(*mask.parts[i], is_implied);
    value = i == 0 ? part : add(*mask.joint, {value, part});
  }
  return known.emplace(value);
}

}  // namespace h5bridge
