// LoRA: what trains in place of a frozen kernel, two small factors whose product is added to it. A layer with the sum
// for its kernel computes the same, and is what Keras's own archives hold.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "files/keras_file.h"

namespace h5bridge {

/// The factors that products get, by the layers' names: lora_alpha / lora_rank.
using LoraScales = std::map<std::string, double>;

/// Takes LoRA out of a configuration. Throws MalformedFile for a rank that is none, Unsupported where two layers of one
/// name have other factors.
LoraScales take_lora(Json& model_config);

/// Adds the products to their kernels where `file` has them apart (a .h5 does), and leaves its optimizer out, whose
/// state is that of the factors. Returns what there is to say, a line each. Throws MalformedFile where factors do not
/// fit a kernel.
std::vector<std::string> merge_lora(KerasFile& file, const LoraScales& scales);

}  // namespace h5bridge
