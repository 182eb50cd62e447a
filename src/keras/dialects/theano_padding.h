// Padding "same" as Theano had it: half of the kernel before the image, whatever the strides. Keras 3 pads by what is
// needed, the larger half behind (keras 2.3.1, backend/theano_backend.py, conv2d and pool2d).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "h5bridge/json.h"

namespace h5bridge {

/// The extents of a convolution's kernel, strides and dilation, axis by axis.
struct KernelWindow {
  std::vector<std::int64_t> size, strides, dilation;
};
/// What a convolution's configuration in Keras 2's words says of them. Throws MalformedFile for numbers that are none.
KernelWindow kernel_window(const Json::Object& config);

/// The configuration of a ZeroPadding of as many axes, which puts before and behind a convolution's image what Theano
/// put there for "same"; nullopt where Keras 3 does the same.
std::optional<Json::Object> zeros_of_theano(const Json::Object& config);
/// ZeroPadding1D, 2D or 3D for it.
std::string class_of_zeros(const Json::Object& zeros);

/// The layers of a model in the form of Keras 3, with Theano's padding put before the convolutions for which it
/// differs. Throws Unsupported naming the layers that cannot be mended so: poolings, transposed convolutions.
void mend_theano_padding(Json::Array& layers);

}  // namespace h5bridge
