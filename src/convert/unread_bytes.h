// What of a model's files nobody has read, where it has a checksum.
#pragma once

#include "h5bridge/model.h"

namespace h5bridge {

/// Reads it: of the archives' entries that hold the model's weights and its optimizer's state. Throws MalformedFile
/// naming an entry that is damaged.
void check_unread(const Model& model);

}  // namespace h5bridge
