// The functions batch_norm and instance_norm.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"

namespace h5bridge::batch_normalization {

/// By its name. Without running statistics it normalises by those of the batch, or of each example.
Functional function(const std::string& name);
/// The module that does the same for an input of `rank` axes.
std::string module_of(const std::string& function, std::size_t rank);
KerasMapping function_mapping(const std::string& name);

}  // namespace h5bridge::batch_normalization
