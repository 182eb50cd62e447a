// Resizing of images by a filter, as JAX and TensorFlow do it where PyTorch has no function of the same meaning.
#pragma once

#include <string>

#include "facets/torch_source/source.h"

namespace h5bridge {

/// `x`, (N, C, H, W), of another height and width, by the filter "cubic", "lanczos3" or "lanczos5"; the attribute
/// `antialias` widens it as an axis shrinks.
Python resampled(const SourceCall& call, const std::string& x, const std::string& size, const std::string& filter);

}  // namespace h5bridge
