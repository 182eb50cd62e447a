// LoRA: what trains in place of a frozen kernel, two small factors whose product is added to it. A layer with the sum
// for its kernel computes the same, and is what Keras's own archives hold.
#pragma once

#include <string>
#include <vector>

#include "files/keras_file.h"

namespace h5bridge {

/// Adds the products to their kernels where `file` has them apart (a .h5 does), and takes LoRA out of its
/// configuration, and its optimizer, whose state is that of the factors. Returns what there is to say, a line each.
/// Throws MalformedFile where factors do not fit a kernel.
std::vector<std::string> merge_lora(KerasFile& file);

}  // namespace h5bridge
