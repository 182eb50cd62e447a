// 64-bit arithmetic that throws where the result does not fit: sizes and offsets in files are hostile.
#pragma once

#include <cstdint>
#include <string>

#include "h5bridge/error.h"

namespace h5bridge {

/// a + b; `what` is the subject of the message: "a size overflows 64 bits".
template <typename Fault = MalformedFile>
std::int64_t checked_add(std::int64_t a, std::int64_t b, const char* what) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw Fault(std::string(what) + " overflows 64 bits");
  return sum;
}

template <typename Fault = MalformedFile>
std::int64_t checked_multiply(std::int64_t a, std::int64_t b, const char* what) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Fault(std::string(what) + " overflows 64 bits");
  return product;
}

/// Runs `work`, which makes tensors as a file says: what a Tensor refuses its caller, that file has wrong.
template <typename Work>
auto as_file_says(Work&& work) {
  try {
    return work();
  } catch (const UsageError& error) {
    throw MalformedFile(error.what());
  }
}

}  // namespace h5bridge
