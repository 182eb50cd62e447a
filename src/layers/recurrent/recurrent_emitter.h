// Writes a recurrent module as Keras layers: one for each of the stacked layers, and operations around them.
#pragma once

#include "facets/keras/mapping.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

/// The part (KerasEmitter::Call::suffix) that one of the stacked layers is.
std::string keras_part(std::int64_t layer);

class RecurrentEmitter {
 public:
  /// `inner_class` is Keras's class that does the work: "LSTM", or "RNN" with all stacked layers in one. `config` is
  /// that of the mapping: of this class, or of Bidirectional with what is kept of its two layers.
  RecurrentEmitter(const Kind& kind, const std::string& inner_class, const Attributes& attributes, Json::Object config,
                   KerasEmitter& emitter);
  /// Throws Unsupported for what Keras has no layer for.
  KerasEmitter::Results run();

 private:
  using Handle = KerasEmitter::Handle;

  /// One Keras layer, which begins with that one of the stacked layers: its outputs.
  std::vector<Handle> write_layer(std::int64_t layer, Handle input);
  std::vector<Handle> initial_states(std::int64_t layer);
  Handle one_state(std::int64_t state, std::int64_t layer, std::int64_t direction);
  Json::Object layer_config(std::int64_t layer) const;
  Json::Object bidirectional_config(const Attributes& attributes) const;
  /// What is kept of the cells is made whole.
  void write_cells(Json::Object& inner_config) const;
  /// Keras takes the batch first.
  Handle time_and_batch_swapped(const std::string& suffix, Handle value);
  /// How many outputs come before the states.
  std::size_t sequences() const;
  bool is_last(std::int64_t layer) const;

  const Kind& kind_;
  const KerasMapping& inner_;
  const std::int64_t layers_at_once_;  // how many of the stacked layers are one of Keras's
  const Attributes& attributes_;
  Json::Object config_;
  KerasEmitter& emitter_;
  bool needs_states_;
};

KerasEmitter::Results write_step(const Kind& kind, const Attributes& attributes, Json::Object config,
                                 KerasEmitter& emitter);

}  // namespace h5bridge::recurrent
