// LocallyConnected1D and 2D, convolutions with weights of their own at each place, which Keras 3 has no more: as
// windows that an EinsumDense takes. Source: keras 2.3.1 and tf_keras 2.21, layers/local.py, layers/locally_connected/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "files/keras_h5.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// Such a layer, with what its arrays say of its sizes.
struct LocalLayer {
  std::string layer;    // whose group in a file has its variables: itself, or a model that it is in
  std::string inner{};  // itself, in the latter case
  bool is_channels_first = false;
  int implementation = 1;                     // how its kernel is stored, 1 to 3
  std::vector<std::int64_t> window, strides;  // an extent an axis
  std::vector<std::int64_t> before;           // zeros, or places of no weight, before the image
  std::vector<std::int64_t> image, places;    // extents of what it takes and gives; `image` is empty where no one asks
  std::int64_t channels = 0, filters = 0;
};

bool is_locally_connected(const Json& layer);

/// The layers, in the form of Keras 3, with windows and products in place of those that are locally connected, which
/// are added to `found`. `is_chain`: they have no calls; then `layers` are given calls where there was one.
/// `weights` are the file's, nullptr where none is there, and `group` is the model within the model that these are the
/// layers of. Throws Unsupported naming the layer whose sizes nothing tells.
void take_local_layers(Json::Array& layers, bool is_chain, const std::vector<KerasLayerWeights>* weights,
                       const std::string& group, std::vector<LocalLayer>& found);

/// Its kernel as an EinsumDense has it, (places..., channels x window, filters), of whichever implementation.
Tensor local_kernel(const Tensor& kernel, const LocalLayer& layer);
/// Its bias, (places..., filters); with channels_first, the array is read in rows of (filters, places...).
Tensor local_bias(const Tensor& bias, const LocalLayer& layer);

}  // namespace h5bridge
