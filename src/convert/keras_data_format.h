// Whether a Keras file has its network with the channels first or last.
#pragma once

#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"
#include "keras/tree.h"

namespace h5bridge {

/// As the file says itself, else as its configuration, of which `stated` has the layers, or `architecture` does.
DataFormat data_format_of_file(const KerasFile& file, const KerasModel& stated, const Architecture& architecture);

}  // namespace h5bridge
