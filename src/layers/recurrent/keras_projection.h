// An LSTM with a projection (proj_size), which Keras's has not. With m = o * tanh(c), of which PyTorch makes the hidden
// state h = weight_hr @ m, the recurrence weight_hh @ h is (weight_hh @ weight_hr) @ m: Keras's LSTM over m, and a
// Dense after it.
#pragma once

#include "facets/keras/mapping.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

/// The parts (KerasEmitter::Call::suffix) that one layer and direction with a projection is made of.
std::string projected_part(std::int64_t layer, std::int64_t direction);
std::string projection_part(std::int64_t layer, std::int64_t direction);

struct ProjectedLayer {
  const Kind& kind;
  const Attributes& attributes;  // of the whole module
  std::int64_t layer;
  Json::Object config;                               // that of Keras's LSTM, apart from where it begins
  std::vector<KerasEmitter::Handle> initial_states;  // of each direction h_0 and c_0, or none
};

/// Its outputs: the sequence or the last step, each direction's if they are not merged, and the states of each
/// direction.
std::vector<KerasEmitter::Handle> write_projected(const ProjectedLayer& layer, KerasEmitter::Handle input,
                                                  KerasEmitter& emitter);

/// The rules of one layer and direction.
WeightRules projected_rules(const Attributes& attributes, std::int64_t layer, std::int64_t direction,
                            bool has_initial_state);

}  // namespace h5bridge::recurrent
