#include "files/pickle_text.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include "files/little_endian.h"

namespace h5bridge::pickle {
namespace {

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (code_point < 0x80) return put(code_point);
  const int continuations = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  constexpr std::uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  put(kLead[continuations] | code_point >> (6 * continuations));
  for (int shift = 6 * (continuations - 1); shift >= 0; shift -= 6) put(0x80 | (code_point >> shift & 0x3f));
}

std::optional<std::uint32_t> hexadecimal(std::string_view text, std::size_t start, std::size_t count) {
  if (start + count > text.size()) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = text.data() + start + count;
  const auto result = std::from_chars(text.data() + start, end, value, 16);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

/// Of a UTF-8 text that is known to be one: the characters as Latin-1, which is how Python 3 writes bytes in
/// protocol 2.
std::optional<std::string> latin1(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes.push_back(text[i]);
    } else if (lead == 0xc2 || lead == 0xc3) {
      bytes.push_back(static_cast<char>((lead & 3) << 6 | (text[++i] & 0x3f)));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

std::optional<Content> encoded(const std::vector<Ref>& arguments) {
  if (arguments.size() != 2) return std::nullopt;
  const auto* text = arguments[0]->as<std::string>();
  const auto* encoding = arguments[1]->as<std::string>();
  if (!text || !encoding || *encoding != "latin1") return std::nullopt;
  std::optional<std::string> content = latin1(*text);
  return content ? std::optional<Content>(Content{Bytes{std::move(*content)}}) : std::nullopt;
}

std::optional<Content> byte_content(const std::vector<Ref>& arguments) {
  if (arguments.empty()) return Content{Bytes{}};
  const auto* content = arguments.size() == 1 ? arguments[0]->as<Bytes>() : nullptr;
  return content ? std::optional<Content>(Content{*content}) : std::nullopt;
}

std::optional<Content> set_of(const std::vector<Ref>& arguments) {
  if (arguments.empty()) return Content{Set{}};
  const auto* items = arguments.size() == 1 ? sequence(*arguments[0]) : nullptr;
  return items ? std::optional<Content>(Content{Set{*items}}) : std::nullopt;
}

std::optional<Content> ordered_dict(const std::vector<Ref>& arguments) {
  if (arguments.empty()) return Content{Dict{{}, true}};
  const auto* pairs = arguments.size() == 1 ? sequence(*arguments[0]) : nullptr;
  if (!pairs) return std::nullopt;
  Dict dict{{}, true};
  for (const Ref pair : *pairs) {
    const auto* both = sequence(*pair);
    if (!both || both->size() != 2) return std::nullopt;
    dict.items.emplace_back((*both)[0], (*both)[1]);
  }
  return Content{std::move(dict)};
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (length == 0 || length > text.size() - i) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    const auto second = length > 2 ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    if (overlong || (lead == 0xf4 && second > 0x8f)) return false;
    i += length;
  }
  return true;
}

std::optional<std::string> raw_unicode_escape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t digits = text[i] != '\\' || i + 1 == text.size() ? 0
                               : text[i + 1] == 'u'                    ? 4
                               : text[i + 1] == 'U'                    ? 8
                                                                       : 0;
    if (digits == 0) {
      append_utf8(result, static_cast<unsigned char>(text[i++]));
      continue;
    }
    const auto code_point = hexadecimal(text, i + 2, digits);
    if (!code_point || *code_point > 0x10ffff) return std::nullopt;
    append_utf8(result, *code_point);
    i += 2 + digits;
  }
  return result;
}

std::optional<std::string> python_literal(std::string_view text) {
  if (text.size() < 2 || (text.front() != '\'' && text.front() != '"') || text.back() != text.front())
    return std::nullopt;
  text = text.substr(1, text.size() - 2);
  constexpr std::string_view kEscapes = "\\'\"ntrabfv";
  constexpr std::string_view kMeanings = "\\'\"\n\t\r\a\b\f\v";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      result.push_back(text[i]);
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    if (text[i] == 'x') {
      const auto byte = hexadecimal(text, i + 1, 2);
      if (!byte) return std::nullopt;
      result.push_back(static_cast<char>(*byte));
      i += 2;
    } else if (const std::size_t escape = kEscapes.find(text[i]); escape != std::string_view::npos) {
      result.push_back(kMeanings[escape]);
    } else {
      return std::nullopt;
    }
  }
  return result;
}

std::int64_t small_twos_complement(std::span<const std::byte> bytes) {
  const bool negative = !bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{0};
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<std::uint64_t>(bytes[i]);
  return static_cast<std::int64_t>(value);
}

std::string decimal_digits(std::span<const std::byte> bytes) {
  std::vector<unsigned> magnitude;
  for (const std::byte byte : bytes) magnitude.push_back(static_cast<unsigned>(byte));
  const bool negative = !magnitude.empty() && magnitude.back() >= 0x80;
  if (negative) {
    unsigned carry = 1;
    for (unsigned& byte : magnitude) {
      const unsigned sum = (byte ^ 0xffU) + carry;
      byte = sum & 0xffU;
      carry = sum >> 8;
    }
  }
  std::string digits;
  while (!magnitude.empty()) {  // divides by ten until nothing is left
    unsigned remainder = 0;
    for (std::size_t i = magnitude.size(); i-- > 0;) {
      const unsigned part = remainder << 8 | magnitude[i];
      magnitude[i] = part / 10;
      remainder = part % 10;
    }
    digits.push_back(static_cast<char>('0' + remainder));
    while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
  }
  if (digits.empty()) digits.push_back('0');
  if (negative) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::optional<Content> construct_builtin(const Global& callable, const std::vector<Ref>& arguments) {
  using Construct = std::optional<Content> (*)(const std::vector<Ref>&);
  static const std::map<std::string, Construct, std::less<>> table = {
      {"collections.OrderedDict", ordered_dict},
      {"_codecs.encode", encoded},
      {"builtins.set", set_of},
      {"__builtin__.set", set_of},
      {"builtins.frozenset", set_of},
      {"__builtin__.frozenset", set_of},
      {"builtins.bytes", byte_content},
      {"__builtin__.bytes", byte_content},
      {"builtins.bytearray", byte_content},
      {"__builtin__.bytearray", byte_content},
  };
  const auto found = table.find(callable.path());
  return found == table.end() ? std::nullopt : found->second(arguments);
}

}  // namespace h5bridge::pickle
