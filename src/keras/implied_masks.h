// The masks that Keras hands on by itself. A Functional model of Keras 3 tells of them, others do not: they become
// layers where something takes them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge {

class ImpliedMasks {
 public:
  /// Puts a layer that makes a mask, or a part of one, behind those that there are, named after `of`; gives its output.
  using AddLayer = std::function<Value(Layer layer, const std::string& of, std::vector<Value> inputs)>;

  /// How Keras hands masks to a call.
  struct Handing {
    bool by_itself = false;             // it does
    bool by_itself_in_keras_3 = false;  // Keras 3 would, too
    bool joins = false;                 // it makes one mask of several, without saying so: Keras 1 and 2
    bool joins_when_run = false;        // Keras 3 joins them when the model runs, which matters to what takes them then
    bool takes_away = false;            // the layer takes the masks of its inputs when it runs, and they are gone then
  };
  /// Whether a value is made from another one's outputs.
  using IsMadeFrom = std::function<bool(const Value& value, const std::string& node)>;

  ImpliedMasks(AddLayer add, IsMadeFrom is_made_from) : add_(std::move(add)), is_made_from_(std::move(is_made_from)) {}

  /// Gives the call what it takes of the masks of its inputs. `takes`: the names that the layer's class in Keras has.
  void hand_to(PlainCall& call, const LayerType& type, const std::vector<std::string>& takes, const Handing& handing);
  /// Notes that a value has the mask of another; false if that has none.
  bool hand_on(const Value& from, const Value& to);
  /// Notes that what takes the mask of `to` is refused, if `from` has one.
  void refuse_if_masked(const Value& from, const Value& to, std::string problem);
  /// The mask of what `asking`, a call's inputs, have among them, as Keras 3 makes it by itself; none where that has
  /// none.
  std::optional<Value> implied_of(const Value& value, const std::vector<Value>& asking);
  /// Whether a value has one.
  bool has(const Value& value) const { return masks_.contains(value); }
  /// Notes that a value has the mask `mask`, which something makes.
  void give(const Value& mask, const Value& to);
  /// Notes what becomes of them behind the call. `keeps_rank`: the output has as many axes as the first input.
  void follow(const Layer& layer, const LayerType& type, const std::vector<Value>& inputs, const Value& output,
              std::int64_t rank, bool keeps_rank, const Handing& handing);

 private:
  struct Mask;
  using MaskPtr = std::shared_ptr<Mask>;

  MaskPtr of(const Value& value) const;
  MaskPtr joined_when_run(const LayerType& type, const std::vector<Value>& inputs, const Value& output) const;
  /// As MultiHeadAttention of Keras 3 does. Throws Unsupported where no file says whether somebody else was first.
  void take_away(const std::vector<Value>& inputs, const std::string& node);
  MaskPtr joined(const Layer& layer, const LayerType& type, const std::vector<Value>& inputs, std::int64_t rank) const;
  Value made(Mask& mask, bool by_keras_3);

  AddLayer add_;
  IsMadeFrom is_made_from_;
  std::map<Value, MaskPtr> masks_;
  std::map<Value, std::vector<std::string>> takers_;  // nodes that looked at the mask of a value
  std::map<Value, std::string> taken_away_by_;        // the node
  std::vector<Value> asking_;                         // the inputs of the call that is looked at
};

}  // namespace h5bridge
