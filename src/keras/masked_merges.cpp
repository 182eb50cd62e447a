#include "keras/masked_merges.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr const char* kChoice = "where";

Layer implied_layer(const std::string& type) {
  Layer layer{{}, type, Registry::instance().find(type)->defaults(), {}};
  layer.keras.implied = true;
  return layer;
}

}  // namespace

std::vector<std::optional<Value>> Uncounted::counted(const MaskRule& rule, const std::vector<Value>& inputs) {
  std::vector<std::optional<Value>> result(inputs.size());
  if (rule.uncounted == MaskRule::Uncounted::Itself) return result;
  const std::size_t rank = rank_of(inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (rank_of_(inputs[i]) < rank) continue;  // Keras gives it more axes first, by which it loses its mask
    const std::optional<Value> mask = masks_.implied_of(inputs[i], inputs);
    if (!mask) continue;
    if (rank_of_(*mask) + 1 != rank)
      throw Unsupported("merges \"" + inputs[i].node + "\", of " + std::to_string(rank) + " axes, by a mask of " +
                        std::to_string(rank_of_(*mask)) + ", where Keras needs one axis less");
    result[i] = column(*mask);
  }
  return result;
}

std::size_t Uncounted::rank_of(const std::vector<Value>& inputs) const {
  std::size_t rank = 0;
  for (const Value& input : inputs) rank = std::max(rank, rank_of_(input));
  return rank;
}

std::vector<Value> Uncounted::replaced(const MaskRule& rule, const std::vector<Value>& inputs,
                                       const std::vector<std::optional<Value>>& counted) {
  std::vector<Value> result = inputs;
  if (std::ranges::none_of(counted, &std::optional<Value>::has_value)) return result;
  if (rule.uncounted == MaskRule::Uncounted::One) {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (counted[i]) result[i] = where(*counted[i], inputs[i], 1);
    return result;
  }
  // Of each element the first input's that counts there, which changes no maximum. Inputs behind one that counts
  // everywhere are none of these.
  const auto last = std::ranges::find(counted, std::optional<Value>()) - counted.begin();
  Value first = inputs[0];
  if (last < std::ssize(inputs)) {
    first = inputs[static_cast<std::size_t>(last)];
    while (rank_of_(first) < rank_of(inputs)) first = with_axis(first, 1);  // as Keras aligns what it merges
  }
  for (std::size_t i = static_cast<std::size_t>(last); i-- > 0;)
    if (inputs[i] != first) first = unless(*counted[i], inputs[i], first);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (counted[i]) result[i] = i == 0 ? first : unless(*counted[i], inputs[i], first);
  return result;
}

Value Uncounted::result(const MaskRule& rule, const Value& merged, const std::vector<std::optional<Value>>& counted) {
  const bool all_have_one = std::ranges::all_of(counted, &std::optional<Value>::has_value);
  if (rule.uncounted != MaskRule::Uncounted::One || !all_have_one || counted.empty()) return merged;
  Value any = *counted[0];
  std::vector<Value> known{any};
  for (const std::optional<Value>& column : counted)
    if (std::ranges::find(known, *column) == known.end())
      any = add_(implied_layer("logical_or"), merged.node + "_counts", {any, known.emplace_back(*column)});
  return where(any, merged, 0);
}

Value Uncounted::column(const Value& mask) {
  if (const auto known = columns_.find(mask); known != columns_.end()) return known->second;
  return columns_[mask] = with_axis(mask, -1);
}

Value Uncounted::with_axis(const Value& value, std::int64_t axis) {
  Layer layer = implied_layer("unsqueeze");
  layer.attributes.set("dim", axis);
  return add_(std::move(layer), value.node + "_axis", {value});
}

// What an implied layer stands for is the last of its inputs (without_implied).
Value Uncounted::where(const Value& condition, const Value& value, std::int64_t other) {
  Layer layer = implied_layer(kChoice);
  layer.attributes.set("other", other);
  return add_(std::move(layer), value.node + "_counted", {condition, value});
}

Value Uncounted::unless(const Value& condition, const Value& value, const Value& other) {
  auto known = opposite_.find(condition);
  if (known == opposite_.end())
    known =
        opposite_.emplace(condition, add_(implied_layer("logical_not"), condition.node + "_not", {condition})).first;
  return add_(implied_layer(kChoice), value.node + "_counted", {known->second, other, value});
}

void refuse_merging_by_masks(const Architecture& architecture) {
  const ArchitectureIndex index(architecture);
  std::set<std::string_view> chosen;
  std::string names;
  for (const Node& node : architecture.nodes) {
    const Layer& layer = index.layer_of(node);
    if (layer.keras.implied && layer.type == kChoice) chosen.insert(node.name);
    const bool merges = Registry::instance().type_of(layer).mask.uncounted != MaskRule::Uncounted::Itself;
    const std::vector<Value> values = node.values();
    if (merges && std::ranges::any_of(values, [&](const Value& value) { return chosen.contains(value.node); }))
      names += (names.empty() ? "\"" : ", \"") + shortened(node.name) + "\" (" + layer.type + ")";
  }
  if (!names.empty()) throw Unsupported(names + ": merges inputs by their masks, as Keras 3 does and Keras 2 does not");
}

}  // namespace h5bridge
