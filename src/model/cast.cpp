#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "h5bridge/error.h"
#include "h5bridge/tensor.h"

namespace h5bridge {
namespace {

/// A 16-bit float: a sign, ExponentBits, and the rest mantissa. Each of its values is exact as a double.
template <int ExponentBits>
class SmallFloat {
 public:
  SmallFloat() = default;

  explicit SmallFloat(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    bits_ = static_cast<std::uint16_t>(bits >> 63 << 15 | magnitude_of(bits & ~(std::uint64_t{1} << 63)));
  }

  explicit operator double() const {
    const std::uint64_t exponent = (bits_ & 0x7fffu) >> kMantissaBits;
    const std::uint64_t mantissa = bits_ & ((1u << kMantissaBits) - 1);
    const double sign = bits_ >> 15 ? -1.0 : 1.0;
    if (exponent == 0) return sign * std::ldexp(static_cast<double>(mantissa), 1 - kBias - kMantissaBits);
    const std::uint64_t rebiased = exponent == kSpecialExponent ? 0x7ff : exponent + kRebias;
    return std::copysign(std::bit_cast<double>(rebiased << 52 | mantissa << kDroppedBits), sign);
  }

 private:
  static constexpr int kMantissaBits = 15 - ExponentBits;
  static constexpr int kDroppedBits = 52 - kMantissaBits;
  static constexpr int kBias = (1 << (ExponentBits - 1)) - 1;
  static constexpr std::uint64_t kRebias = 1023 - kBias;
  static constexpr std::uint64_t kSpecialExponent = (1u << ExponentBits) - 1;
  static constexpr std::uint64_t kInfinity = kSpecialExponent << kMantissaBits;

  /// value / 2^shift, ties to even.
  static std::uint64_t rounded_shift(std::uint64_t value, std::uint64_t shift) {
    const std::uint64_t below_half = (std::uint64_t{1} << (shift - 1)) - 1;
    return (value + below_half + ((value >> shift) & 1)) >> shift;
  }

  /// From the bits of a double without its sign.
  static std::uint64_t magnitude_of(std::uint64_t wide) {
    constexpr std::uint64_t kWideInfinity = std::uint64_t{0x7ff} << 52;
    constexpr std::uint64_t kQuiet = std::uint64_t{1} << (kMantissaBits - 1);
    if (wide > kWideInfinity) return kInfinity | kQuiet | ((wide & ~kWideInfinity) >> kDroppedBits);
    if (wide == kWideInfinity) return kInfinity;
    const std::uint64_t exponent = wide >> 52;
    // A carry out of the mantissa runs into the exponent, which is just what rounding up to the next power of two
    // means.
    if (exponent > kRebias) return std::min(rounded_shift(wide - (kRebias << 52), kDroppedBits), kInfinity);
    const std::uint64_t shift = kDroppedBits + 1 + kRebias - exponent;
    const std::uint64_t significand = (wide & ((std::uint64_t{1} << 52) - 1)) | std::uint64_t{1} << 52;
    return shift > 54 ? 0 : rounded_shift(significand, shift);
  }

  std::uint16_t bits_ = 0;
};

using Half = SmallFloat<5>;
using Brain = SmallFloat<8>;

/// Calls `visit` with a zero of the type that holds a floating point dtype; false for any other dtype.
template <typename Visit>
bool with_float(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::Float64: visit(double{}); return true;
    case DType::Float32: visit(float{}); return true;
    case DType::Float16: visit(Half{}); return true;
    case DType::BFloat16: visit(Brain{}); return true;
    default: return false;
  }
}

/// The same for integers.
template <typename Visit>
bool with_integer(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::Int64: visit(std::int64_t{}); return true;
    case DType::Int32: visit(std::int32_t{}); return true;
    case DType::Int16: visit(std::int16_t{}); return true;
    case DType::Int8: visit(std::int8_t{}); return true;
    case DType::UInt64: visit(std::uint64_t{}); return true;
    case DType::UInt32: visit(std::uint32_t{}); return true;
    case DType::UInt16: visit(std::uint16_t{}); return true;
    case DType::UInt8: visit(std::uint8_t{}); return true;
    default: return false;
  }
}

template <typename From, typename To, typename Convert>
Tensor converted(const Tensor& tensor, DType dtype, const Convert& convert) {
  const std::vector<From> from = tensor.values<From>();
  std::vector<To> to;
  to.reserve(from.size());
  for (const From value : from) to.push_back(convert(value));
  return tensor_of(dtype, tensor.shape(), to);
}

Tensor cast_floats(const Tensor& tensor, DType dtype) {
  Tensor result;
  with_float(tensor.dtype(), [&]<typename From>(From) {
    with_float(dtype, [&]<typename To>(To) {
      result =
          converted<From, To>(tensor, dtype, [](From value) { return static_cast<To>(static_cast<double>(value)); });
    });
  });
  return result;
}

Tensor cast_integers(const Tensor& tensor, DType dtype) {
  Tensor result;
  with_integer(tensor.dtype(), [&]<typename From>(From) {
    with_integer(dtype, [&]<typename To>(To) {
      result = converted<From, To>(tensor, dtype, [&](From value) {
        if (!std::in_range<To>(value))
          throw Unsupported("the value " + std::to_string(value) + " does not fit " + std::string(name_of(dtype)));
        return static_cast<To>(value);
      });
    });
  });
  return result;
}

constexpr auto kIgnore = [](auto) {};

}  // namespace

Tensor cast(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  const bool floats = with_float(tensor.dtype(), kIgnore) && with_float(dtype, kIgnore);
  const bool integers = with_integer(tensor.dtype(), kIgnore) && with_integer(dtype, kIgnore);
  if (floats || integers)
    return with_errors([&] { return floats ? cast_floats(tensor, dtype) : cast_integers(tensor, dtype); });
  throw Unsupported("there is no conversion from " + std::string(name_of(tensor.dtype())) + " to " +
                    std::string(name_of(dtype)));
}

}  // namespace h5bridge
