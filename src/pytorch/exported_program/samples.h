// The example inputs that torch.export.save keeps beside a program.
#pragma once

#include <string>
#include <vector>

#include "files/zip.h"
#include "h5bridge/architecture.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// A tensor for each of `inputs`, in order, under its name; none where the archive has none, or others than fit.
/// `model` names the program in the archive.
std::vector<NamedTensor> sample_inputs(const ZipReader& archive, const std::string& model,
                                       const std::vector<Input>& inputs);

}  // namespace h5bridge
