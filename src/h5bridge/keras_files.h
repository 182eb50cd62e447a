// What a caller says of old Keras files, where they do not say it themselves.
#pragma once

namespace h5bridge {

/// How the weights of a Keras file without an architecture find their layers.
enum class LayerMatch { Order, Name };

/// What computed for Keras 0 and 1.
enum class KerasBackend { Theano, TensorFlow };

}  // namespace h5bridge
