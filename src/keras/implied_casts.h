// The casts that Keras does by itself: of integers where it computes with floats or gives others than PyTorch, and of
// floats to a layer's dtype policy. PyTorch is told to do them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"
#include "keras/implied_masks.h"
#include "keras/lifted_graph.h"

namespace h5bridge {

class ImpliedCasts {
 public:
  /// What is cast has the mask that it had before, by `masks`.
  ImpliedCasts(LiftedGraph& graph, ImpliedMasks& masks) : graph_(graph), masks_(masks) {}

  /// Notes the type in which a layer has its tensors and takes floats.
  void note_policy(const std::string& layer, DType policy) { different_policies_.insert(policies_[layer] = policy); }
  /// That of a layer. Where all have the same, the model computes in the type of its weights, whatever its inputs come
  /// in, and there is nothing to tell.
  std::optional<DType> policy_of(const std::string& layer) const;

  /// What a layer takes for an input: integers and truth values where it computes with floats are those, and floats of
  /// the type of its policy.
  Value taken(const Value& value, const std::string& layer, Integers integers);
  Value cast(const Value& value, DType dtype, const std::string& suffix);
  Value integers_as(const Value& value, DType dtype);
  /// float32 has all integers of the shorter types, so that their limits can be told in it.
  Value rounded(const Value& value, DType dtype);

  /// The types of a call's results in Keras, where they may be others than PyTorch's.
  std::vector<DType> keras_types(const KerasMapping& mapping, const Layer& layer,
                                 const std::vector<Value>& inputs) const;
  /// PyTorch is told to cast the outputs of `node`, which stand for Keras's call: integers then overflow as Keras's do.
  void give_keras_types(const std::string& keras_layer, std::int64_t call, const std::string& node,
                        const std::vector<DType>& wanted);
  /// The type of integers that Keras computes with in floats and brings back to it. Throws Unsupported where it
  /// computes with them otherwise than with floats.
  std::optional<DType> type_rounded_to(const KerasMapping& mapping, const Layer& layer,
                                       const std::vector<Value>& inputs) const;

 private:
  Value add_implied(const std::string& type, const std::map<std::string, std::int64_t>& settings, const Value& value);

  LiftedGraph& graph_;
  ImpliedMasks& masks_;
  std::map<std::string, DType> policies_;
  std::set<DType> different_policies_;
  std::map<std::pair<Value, DType>, Value> casts_;
};

}  // namespace h5bridge
