// What normalisations do after they have normalised: a weight and a bias, each of which may be missing.
#pragma once

#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge {

struct Affine {
  bool weight;
  bool bias;
};

/// From the attributes affine or elementwise_affine, scale and bias, as far as a type has them.
Affine affine_of(const Attributes& attributes);

/// "weight" and "bias", as far as there are.
std::vector<ParameterSpec> affine_parameters(const Attributes& attributes, const Shape& shape);

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
