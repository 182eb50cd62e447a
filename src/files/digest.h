// Digests that tell whether a tensor is still the one that it was.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// BLAKE2b (RFC 7693) with a 128-bit result: faster than SHA-256 in plain C++, and no accident changes data unnoticed.
class Blake2b {
 public:
  Blake2b();
  void update(std::span<const std::byte> data);
  /// 32 hexadecimal digits; ends the computation.
  std::string finish();

 private:
  void compress(bool last);

  std::array<std::uint64_t, 8> state_;
  std::array<std::byte, 128> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t length_ = 0;
};

/// The digest of "float32(2, 3)" followed by the packed row-major bytes. The tensor is read in bounded blocks.
std::string digest(const Tensor& tensor);

}  // namespace h5bridge
