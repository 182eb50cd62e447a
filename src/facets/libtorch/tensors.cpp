#include "facets/libtorch/tensors.h"

#include <algorithm>
#include <array>

#include "h5bridge/error.h"
#include "model/handed_bytes.h"
#include "model/mapped_file.h"

namespace h5bridge {
namespace {

struct TypePair {
  DType dtype;
  torch::ScalarType type;
};

constexpr std::array<TypePair, 17> kTypes{{
    {DType::Float64, torch::kFloat64},
    {DType::Float32, torch::kFloat32},
    {DType::Float16, torch::kFloat16},
    {DType::BFloat16, torch::kBFloat16},
    {DType::Float8E4M3FN, torch::kFloat8_e4m3fn},
    {DType::Float8E5M2, torch::kFloat8_e5m2},
    {DType::Int64, torch::kInt64},
    {DType::Int32, torch::kInt32},
    {DType::Int16, torch::kInt16},
    {DType::Int8, torch::kInt8},
    {DType::UInt64, torch::kUInt64},
    {DType::UInt32, torch::kUInt32},
    {DType::UInt16, torch::kUInt16},
    {DType::UInt8, torch::kUInt8},
    {DType::Bool, torch::kBool},
    {DType::Complex64, torch::kComplexFloat},
    {DType::Complex128, torch::kComplexDouble},
}};

// The elements where they lie, if that is memory to be had and they lie as in LibTorch's own; or nullptr.
std::shared_ptr<std::byte> in_place(const Tensor& tensor) {
  if (tensor.element_count() == 0 || !tensor.is_contiguous()) return nullptr;
  const std::uint64_t offset = static_cast<std::uint64_t>(tensor.offset()) * size_of(tensor.dtype());
  if (const auto* handed = dynamic_cast<const HandedBytes*>(tensor.source().get()))
    return tensor.byte_count() == handed->size() ? handed->take() : nullptr;
  const auto* mapped = dynamic_cast<const MappedBytes*>(tensor.source().get());
  if (!mapped || !mapped->is_aligned(offset, HandedBytes::kAlignment)) return nullptr;
  return mapped->to_write(offset, tensor.byte_count());
}

}  // namespace

torch::ScalarType scalar_type_of(DType dtype) { return std::ranges::find(kTypes, dtype, &TypePair::dtype)->type; }

DType dtype_of(torch::ScalarType type) {
  const auto found = std::ranges::find(kTypes, type, &TypePair::type);
  if (found == kTypes.end()) throw Unsupported(std::string("a tensor of type ") + c10::toString(type));
  return found->dtype;
}

torch::Tensor to_torch(const Tensor& tensor, torch::Device device) {
  if (const std::shared_ptr<std::byte> bytes = in_place(tensor))
    return torch::from_blob(bytes.get(), tensor.shape(), [bytes](void*) {}, scalar_type_of(tensor.dtype())).to(device);
  const torch::Tensor result = torch::empty(tensor.shape(), scalar_type_of(tensor.dtype()));
  tensor.read({static_cast<std::byte*>(result.data_ptr()), result.nbytes()});
  return result.to(device);
}

Tensor from_torch(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.detach().to(torch::kCPU).resolve_conj().resolve_neg().contiguous();
  const auto* begin = static_cast<const std::byte*>(plain.const_data_ptr());
  return Tensor(dtype_of(plain.scalar_type()), plain.sizes().vec(), bytes_in_memory({begin, begin + plain.nbytes()}));
}

}  // namespace h5bridge
