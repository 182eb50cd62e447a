// What Keras 3's merging layers compute with where an element of an input does not count, by the input's mask: Multiply
// takes 1, Maximum and Minimum what the other inputs have (keras/src/layers/merging/multiply.py; base_merge.py,
// _apply_merge_op_and_or_mask). It does so by itself and without saying so: here layers do, which Keras implies.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "facets/spec/mask_rule.h"
#include "keras/implied_masks.h"

namespace h5bridge {

class Uncounted {
 public:
  /// Adds a layer of that name, if it is free, or a similar one; gives its output.
  using AddLayer = std::function<Value(Layer layer, const std::string& name, std::vector<Value> inputs)>;
  using RankOf = std::function<std::size_t(const Value& value)>;

  Uncounted(ImpliedMasks& masks, AddLayer add, RankOf rank_of)
      : masks_(masks), add_(std::move(add)), rank_of_(std::move(rank_of)) {}

  /// Where each of a call's inputs counts, (batch, steps, 1) of (batch, steps, features); none where all of it does.
  /// Throws Unsupported for a mask that has not one axis less than its input.
  std::vector<std::optional<Value>> counted(const MaskRule& rule, const std::vector<Value>& inputs);
  /// The inputs as Keras merges them.
  std::vector<Value> replaced(const MaskRule& rule, const std::vector<Value>& inputs,
                              const std::vector<std::optional<Value>>& counted);
  /// What Keras gives, of what the merged inputs are.
  Value result(const MaskRule& rule, const Value& merged, const std::vector<std::optional<Value>>& counted);

 private:
  /// The most axes of any.
  std::size_t rank_of(const std::vector<Value>& inputs) const;
  Value column(const Value& mask);
  Value with_axis(const Value& value, std::int64_t axis);
  /// `value` where `condition` is true, and `other` elsewhere, a value or a number.
  Value where(const Value& condition, const Value& value, std::int64_t other);
  Value unless(const Value& condition, const Value& value, const Value& other);

  ImpliedMasks& masks_;
  AddLayer add_;
  RankOf rank_of_;
  std::map<Value, Value> columns_;   // by their masks
  std::map<Value, Value> opposite_;  // of columns
};

/// Throws Unsupported naming the layers that merge inputs so, which Keras 2 does not.
void refuse_merging_by_masks(const Architecture& architecture);

}  // namespace h5bridge
