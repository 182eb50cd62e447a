#include "model/handed_bytes.h"

#include <algorithm>
#include <new>

namespace h5bridge {
namespace {

std::shared_ptr<std::byte> aligned_memory(std::uint64_t size) {
  constexpr std::align_val_t alignment{HandedBytes::kAlignment};
  return {static_cast<std::byte*>(::operator new(size, alignment)),
          [](std::byte* memory) { ::operator delete(memory, alignment); }};
}

}  // namespace

HandedBytes::HandedBytes(std::uint64_t size) : size_(size), memory_(aligned_memory(size)) {}

Tensor HandedBytes::read(const Tensor& tensor) {
  const std::shared_ptr<HandedBytes> bytes(new HandedBytes(tensor.byte_count()));
  tensor.read({bytes->memory_.get(), bytes->size_});
  return Tensor(tensor.dtype(), tensor.shape(), bytes);
}

void HandedBytes::read_range(std::uint64_t offset, std::span<std::byte> into) const {
  std::copy_n(memory_.get() + offset, into.size(), into.data());
}

}  // namespace h5bridge
