// Conversions of dtypes: rounding, special values, and what has no conversion.
#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "h5bridge/error.h"
#include "h5bridge/tensor.h"

using namespace h5bridge;
using Catch::Matchers::Message;

namespace {

struct Format {
  DType dtype;
  int exponent_bits;
};
constexpr std::array<Format, 2> kSmallFormats{{{DType::Float16, 5}, {DType::BFloat16, 8}}};

std::uint16_t small_bits(DType dtype, double value) {
  return cast(tensor_of<double>(DType::Float64, {}, {value}), dtype).values<std::uint16_t>()[0];
}

double widened(DType dtype, std::uint16_t bits) {
  return cast(tensor_of<std::uint16_t>(dtype, {}, {bits}), DType::Float64).values<double>()[0];
}

/// The value of finite bits, by the definition of the format.
double defined_value(const Format& format, std::uint16_t bits) {
  const int mantissa_bits = 15 - format.exponent_bits;
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                                         : std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

}  // namespace

TEST_CASE("every small float widens to its value and comes back", "[cast]") {
  for (const Format& format : kSmallFormats) {
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
    const Tensor tensor = tensor_of(format.dtype, {65536}, all);
    const std::vector<double> wide = cast(tensor, DType::Float64).values<double>();
    const std::vector<std::uint16_t> back = cast(cast(tensor, DType::Float32), format.dtype).values<std::uint16_t>();
    const int infinity = ((1 << format.exponent_bits) - 1) << (15 - format.exponent_bits);
    const int quiet = 1 << (14 - format.exponent_bits);
    int wrong = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const int magnitude = all[i] & 0x7fff;
      if (magnitude > infinity) {
        wrong += !std::isnan(wide[i]) || back[i] != (all[i] | quiet);
      } else {
        const double signed_infinity = all[i] & 0x8000 ? -INFINITY : INFINITY;
        const double expected = magnitude == infinity ? signed_infinity : defined_value(format, all[i]);
        wrong += std::bit_cast<std::uint64_t>(wide[i]) != std::bit_cast<std::uint64_t>(expected) || back[i] != all[i];
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("doubles round to the nearest small float, ties to even", "[cast]") {
  std::mt19937_64 random(7);
  for (const Format& format : kSmallFormats) {
    const int infinity = ((1 << format.exponent_bits) - 1) << (15 - format.exponent_bits);
    std::uniform_int_distribution<int> bits(0, infinity - 2);
    for (int repeat = 0; repeat < 5000; ++repeat) {
      const auto low = static_cast<std::uint16_t>(bits(random));
      const auto high = static_cast<std::uint16_t>(low + 1);
      const double middle = (defined_value(format, low) + defined_value(format, high)) / 2;
      REQUIRE(small_bits(format.dtype, middle) == (low % 2 == 0 ? low : high));
      REQUIRE(small_bits(format.dtype, std::nextafter(middle, 0.0)) == low);
      REQUIRE(small_bits(format.dtype, std::nextafter(middle, INFINITY)) == high);
      REQUIRE(small_bits(format.dtype, -std::nextafter(middle, INFINITY)) == (high | 0x8000));
    }
    const auto largest = static_cast<std::uint16_t>(infinity - 1);
    const double limit =
        defined_value(format, largest) * 2 - defined_value(format, static_cast<std::uint16_t>(largest - 1));
    const double half_step = (defined_value(format, largest) + limit) / 2;
    CHECK(small_bits(format.dtype, half_step) == infinity);
    CHECK(small_bits(format.dtype, std::nextafter(half_step, 0.0)) == largest);
    CHECK(small_bits(format.dtype, 1e300) == infinity);
    CHECK(small_bits(format.dtype, -INFINITY) == (infinity | 0x8000));
    CHECK(small_bits(format.dtype, 1e-300) == 0);
    CHECK(small_bits(format.dtype, -1e-300) == 0x8000);
    CHECK(small_bits(format.dtype, std::numeric_limits<double>::denorm_min()) == 0);
    // A NaN whose payload lies below the mantissa stays one.
    CHECK(std::isnan(widened(format.dtype, small_bits(format.dtype, std::bit_cast<double>(0x7ff0000000000001)))));
  }
}

TEST_CASE("float64 to float32 rounds as the machine does", "[cast]") {
  const Tensor tensor = tensor_of<double>(DType::Float64, {3}, {0.1, 1e300, 1 + 0x1p-24});
  CHECK(cast(tensor, DType::Float32).values<float>() == std::vector<float>{0.1F, INFINITY, 1.0F});
  CHECK(cast(tensor, DType::Float64).source() == tensor.source());
}

TEST_CASE("integers convert where they fit", "[cast]") {
  const Tensor tensor = tensor_of<std::int64_t>(DType::Int64, {2, 2}, {0, 255, 128, 1}).permute(Shape{1, 0});
  CHECK(cast(tensor, DType::UInt8).values<std::uint8_t>() == std::vector<std::uint8_t>{0, 128, 255, 1});
  CHECK_THROWS_MATCHES(cast(tensor, DType::Int8), Unsupported, Message("the value 128 does not fit int8"));
  const Tensor negative = tensor_of<std::int32_t>(DType::Int32, {1}, {-1});
  CHECK_THROWS_MATCHES(cast(negative, DType::UInt64), Unsupported, Message("the value -1 does not fit uint64"));
  CHECK(cast(negative, DType::Int64).values<std::int64_t>() == std::vector<std::int64_t>{-1});
  CHECK_THROWS_MATCHES(cast(tensor_of<std::uint64_t>(DType::UInt64, {1}, {~std::uint64_t{0}}), DType::Int64),
                       Unsupported, Message("the value 18446744073709551615 does not fit int64"));
}

TEST_CASE("what has no conversion", "[cast]") {
  CHECK_THROWS_MATCHES(cast(zeros(DType::Int32, {1}), DType::Float32), Unsupported,
                       Message("there is no conversion from int32 to float32"));
  CHECK_THROWS_MATCHES(cast(zeros(DType::Float32, {1}), DType::Int64), Unsupported,
                       Message("there is no conversion from float32 to int64"));
  CHECK_THROWS_MATCHES(cast(zeros(DType::Bool, {1}), DType::UInt8), Unsupported,
                       Message("there is no conversion from bool to uint8"));
  CHECK(cast(zeros(DType::Bool, {1}), DType::Bool).dtype() == DType::Bool);
}
