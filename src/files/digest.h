// Digests that tell whether a tensor, or a configuration, is still the one that it was.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// BLAKE2b (RFC 7693) with a 128-bit result, which files of version 0.1 and before have.
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

/// "xxh3:" and the 32 hexadecimal digits of XXH3_128bits (xxHash) of "float32(2, 3)" followed by the packed row-major
/// bytes: no accident changes data unnoticed, and it keeps up with memory. The tensor is read in bounded blocks.
std::string digest(const Tensor& tensor);
/// Whether `recorded` is the tensor's digest, of either kind; not if it is of another.
bool has_digest(const Tensor& tensor, const std::string& recorded);

/// "xxh3:" and the digits of what the document says, however it is written: of each value its kind, and its bits, text
/// or members in their order.
std::string digest(const Json& document);

}  // namespace h5bridge
