#include "model/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 64;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  return values;
}();

std::uint32_t value_of(char digit) {
  const std::uint8_t value = kValues[static_cast<unsigned char>(digit)];
  if (value == kNoDigit) throw MalformedFile("has a character that is no digit of base64");
  return value;
}

}  // namespace

std::string to_base64(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::vector<std::byte> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    throw MalformedFile("has " + std::to_string(text.size()) + " characters of base64, expected a multiple of 4");
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t missing = i + 4 == text.size() ? padding : 0;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) group = group << 6 | (k < 4 - missing ? value_of(text[i + k]) : 0);
    for (std::size_t k = 0; k < 3 - missing; ++k) bytes.push_back(static_cast<std::byte>(group >> (16 - 8 * k)));
    if (missing > 0 && (group & ((1u << 8 * missing) - 1)) != 0)
      throw MalformedFile("has bits behind the last byte of its base64");
  }
  return bytes;
}

}  // namespace h5bridge
