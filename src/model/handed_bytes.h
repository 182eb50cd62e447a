// Bytes that were read for somebody who makes their memory his own.
#pragma once

#include <atomic>
#include <memory>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// A tensor's bytes in memory of their own. Who takes the memory may write to it: only where a model is read for one
/// engine, and nobody else looks at it afterwards, are there such bytes.
class HandedBytes final : public ByteSource {
 public:
  /// What LibTorch's own memory has: sums may come out otherwise, in their last bits, where memory has less.
  static constexpr std::size_t kAlignment = 64;

  /// The elements of `tensor`, row-major. Throws what Tensor::read throws.
  static Tensor read(const Tensor& tensor);

  std::uint64_t size() const override { return size_; }
  /// The memory for who asks first, nullptr for others.
  std::shared_ptr<std::byte> take() const { return is_taken_.exchange(true) ? nullptr : memory_; }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  explicit HandedBytes(std::uint64_t size);

  std::uint64_t size_;
  std::shared_ptr<std::byte> memory_;
  mutable std::atomic<bool> is_taken_ = false;
};

}  // namespace h5bridge
