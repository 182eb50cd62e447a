// 64-bit arithmetic that throws MalformedFile where the result does not fit: sizes and offsets in files are hostile.
#pragma once

#include <cstdint>
#include <string>

#include "h5bridge/error.h"

namespace h5bridge {

/// a + b; `what` is the subject of the message: "a size overflows 64 bits".
inline std::int64_t checked_add(std::int64_t a, std::int64_t b, const char* what) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw MalformedFile(std::string(what) + " overflows 64 bits");
  return sum;
}

inline std::int64_t checked_multiply(std::int64_t a, std::int64_t b, const char* what) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw MalformedFile(std::string(what) + " overflows 64 bits");
  return product;
}

}  // namespace h5bridge
