// Whether a Keras file has its network with the channels first or last.
#pragma once

#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// As the file says itself, else as its configuration or `architecture` does.
DataFormat data_format_of_file(const KerasFile& file, const Architecture& architecture);

}  // namespace h5bridge
