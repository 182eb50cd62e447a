// What normalisations do after they have normalised: a weight and a bias, each of which may be missing.
#pragma once

#include "facets/spec/layer_type.h"

namespace h5bridge {

struct Affine {
  bool weight;
  bool bias;
};

/// From the attributes affine or elementwise_affine, scale and bias, as far as a type has them.
Affine affine_of(const Attributes& attributes);

/// "weight" and "bias", as far as there are.
std::vector<ParameterSpec> affine_parameters(const Attributes& attributes, const Shape& shape);

}  // namespace h5bridge
