#include "keras/masks.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge {

// How a mask is made, of a value or of other masks. It becomes layers where something takes it, once as Keras 3 makes
// it by itself and once as what Keras 3 has to be told of.
struct Masks::Mask {
  std::string of;                   // the layer that it comes from
  Value input;                      // of what `steps` make it
  std::vector<Layer> steps = {};    // one after the other
  std::vector<MaskPtr> parts = {};  // what it joins
  std::optional<Layer> joint = {};
  std::string problem = {};  // why it cannot be made
  std::optional<Value> implied = {};
  std::optional<Value> stated = {};

  bool is_joined() const { return !parts.empty(); }
};

void Masks::hand_to(PlainCall& call, const LayerType& type, const std::vector<std::string>& takes,
                    const Handing& handing) {
  if (!handing.by_itself || !call.named.empty()) return;
  for (const Operand& operand : type.operands) {
    if (operand.mask_of.empty() || std::ranges::find(takes, operand.name) == takes.end()) continue;
    const auto masked = std::ranges::find(type.operands, operand.mask_of, &Operand::name) - type.operands.begin();
    if (masked >= std::ssize(call.inputs)) continue;
    if (const MaskPtr mask = of(call.inputs[static_cast<std::size_t>(masked)]))
      call.named.emplace_back(operand.name, made(*mask, handing.by_itself_in_keras_3));
  }
}

void Masks::follow(const Layer& layer, const LayerType& type, const std::vector<Value>& inputs, const Value& output,
                   std::int64_t rank, bool keeps_rank, const Handing& handing) {
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
      if (handing.joins_unseen && std::ranges::any_of(inputs, [&](const Value& input) { return of(input) != nullptr; }))
        mask = std::make_shared<Mask>(
            Mask{.of = layer.name,
                 .input = inputs.at(0),
                 .problem = "what Keras makes of masks of its inputs, in a model with models in it, is not known yet"});
      break;
  }
  if (mask) masks_[output] = std::move(mask);
}

bool Masks::hand_on(const Value& from, const Value& to) {
  MaskPtr mask = of(from);
  if (!mask) return false;
  masks_[to] = std::move(mask);
  return true;
}

void Masks::refuse_if_masked(const Value& from, const Value& to, std::string problem) {
  if (of(from)) masks_[to] = std::make_shared<Mask>(Mask{.of = to.node, .input = from, .problem = std::move(problem)});
}

void Masks::give(const Value& mask, const Value& to) {
  masks_[to] = std::make_shared<Mask>(Mask{.of = to.node, .input = mask, .implied = mask, .stated = mask});
}

Masks::MaskPtr Masks::of(const Value& value) const {
  const auto found = masks_.find(value);
  return found == masks_.end() ? nullptr : found->second;
}

Masks::MaskPtr Masks::joined(const Layer& layer, const LayerType& type, const std::vector<Value>& inputs,
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

Value Masks::made(Mask& mask, bool by_keras_3) {
  if (!mask.problem.empty()) throw Unsupported("takes the mask of \"" + mask.of + "\": " + mask.problem);
  // Keras 3 joins masks otherwise, so it is told.
  const bool is_implied = by_keras_3 && !mask.is_joined();
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
