// Keras's words for what normalisations do after they have normalised (facets/spec/affine.h).
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/affine.h"

namespace h5bridge {

/// Keras's "gamma" and "beta" of them, and the keys "scale" and "center" that say so.
WeightRules affine_weights(const Attributes& attributes);
void set_affine(const Attributes& attributes, Json::Object& config);

/// Settings of these two in training for a sample: constructor arguments that are none of Keras's own values.
Json::Object affine_training_settings();

/// A multiplication and an addition along some axes as a Keras layer of its own, for what is normalised by operations:
/// an EinsumDense, whose variables train as parameters do. The configuration is the layer's, `axes` increase.
Json::Object einsum_affine(const Attributes& attributes, const SymbolicShape& shape,
                           const std::vector<std::int64_t>& axes);
WeightRules einsum_affine_weights(const Attributes& attributes, const SymbolicShape& shape,
                                  const std::vector<std::int64_t>& axes);

}  // namespace h5bridge
