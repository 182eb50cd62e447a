// Writes a recurrent module as Keras layers: one for each of the stacked layers, and operations around them.
#pragma once

#include "layers/keras_mapping.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

/// The part (KerasEmitter::Call::suffix) that one of the stacked layers is.
std::string keras_part(std::int64_t layer);

class KerasWriter {
 public:
  /// `config` is that of the mapping: of Keras's layer, or of Bidirectional with what is kept of its two layers.
  KerasWriter(const Kind& kind, const Attributes& attributes, Json::Object config, KerasEmitter& emitter);
  /// Throws Unsupported for what Keras has no layer for.
  KerasEmitter::Results run();

 private:
  using Handle = KerasEmitter::Handle;

  /// One of the stacked layers: the outputs of Keras's layer.
  std::vector<Handle> write_layer(std::int64_t layer, Handle input);
  std::vector<Handle> initial_states(std::int64_t layer);
  Json::Object layer_config(std::int64_t layer) const;
  Json::Object bidirectional_config(const Attributes& attributes) const;
  /// Keras takes the batch first.
  Handle time_and_batch_swapped(const std::string& suffix, Handle value);
  /// How many outputs come before the states.
  std::size_t sequences() const;

  const Kind& kind_;
  const Attributes& attributes_;
  Json::Object config_;
  KerasEmitter& emitter_;
  bool needs_states_;
};

KerasEmitter::Results write_step(const Kind& kind, const Attributes& attributes, Json::Object config, KerasEmitter& emitter);

}  // namespace h5bridge::recurrent
