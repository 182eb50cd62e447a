// Tensors of files and tensors of LibTorch.
#pragma once

#include <torch/torch.h>

#include "h5bridge/tensor.h"

namespace h5bridge {

torch::ScalarType scalar_type_of(DType dtype);
/// Throws Unsupported for a type that no file holds (quantised ones).
DType dtype_of(torch::ScalarType type);

/// Reads a tensor, straight from its file, into memory of its own: contiguous and 64-byte aligned. One that lies so in
/// a mapped file (model/mapped_file.h) is used there.
torch::Tensor to_torch(const Tensor& tensor, torch::Device device = torch::kCPU);

/// A copy in memory.
Tensor from_torch(const torch::Tensor& tensor);

}  // namespace h5bridge
