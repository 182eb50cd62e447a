// hard_sigmoid changed its meaning: clip(0.2 x + 0.5, 0, 1) up to Keras 2, clip(x / 6 + 0.5, 0, 1) in Keras 3 and in
// PyTorch. The old one of x is the new one of 1.2 x, so files of Keras 2 get a factor of 1.2 before it, and compute
// what the software that wrote them computed. Source: keras 2.3.1, backend/tensorflow_backend.py, hard_sigmoid;
// keras 3.15, src/activations/activations.py.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "keras/dialects/configuration.h"

namespace h5bridge {

inline constexpr double kOldHardSigmoidFactor = 1.2;

/// Puts the factor before old hard sigmoids of the model whose layers these are: by a Rescaling layer where the
/// function can stand alone, and in recurrent layers by multiplying weights, which `factors` then tells. `outputs` are
/// the model's output_layers, null in a Sequential model. Throws Unsupported where neither is possible, naming the
/// layer. Models within the model are left to the caller.
///
/// Likewise for the way back, with the opposite factor; then those of `mended` have their factor already.
enum class HardSigmoid { OfKeras2, OfKeras3 };
void mend_hard_sigmoids(Json::Array& layers, Json& outputs, std::vector<GateFactors>& factors,
                        HardSigmoid meant = HardSigmoid::OfKeras2, const std::set<std::string>& mended = {});

/// Whether the layer is a model, or wraps one.
bool holds_model(const Json& layer);

}  // namespace h5bridge
