// Of classes with which Keras computes something else of integers than of the same numbers in floats.
#pragma once

#include "facets/keras/mapping.h"

namespace h5bridge {

/// For KerasMapping::of_integers.
inline OfIntegers not_of_integers(const Attributes&, DType) { return OfIntegers::NotKnown; }

}  // namespace h5bridge
