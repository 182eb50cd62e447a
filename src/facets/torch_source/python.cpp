#include "facets/torch_source/python.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>

namespace h5bridge {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Names that Python keeps for itself; the soft keywords are names.
const std::set<std::string_view>& keywords() {
  static const std::set<std::string_view> words{"False", "None",   "True",   "and",      "as",       "assert", "async",
                                                "await", "break",  "class",  "continue", "def",      "del",    "elif",
                                                "else",  "except", "for",    "from",     "global",   "if",     "import",
                                                "in",    "is",     "lambda", "not",      "nonlocal", "or",     "pass",
                                                "raise", "return", "try",    "while",    "with",     "yield"};
  return words;
}

// What every nn.Module has, so that it cannot hold a submodule of the name: dir(torch.nn.Module()), but for what begins
// with an underscore. A test compares it with PyTorch's.
const std::set<std::string_view>& module_attributes() {
  static const std::set<std::string_view> names{"T_destination",
                                                "add_module",
                                                "apply",
                                                "bfloat16",
                                                "buffers",
                                                "call_super_init",
                                                "children",
                                                "compile",
                                                "cpu",
                                                "cuda",
                                                "double",
                                                "dump_patches",
                                                "eval",
                                                "extra_repr",
                                                "float",
                                                "forward",
                                                "get_buffer",
                                                "get_extra_state",
                                                "get_parameter",
                                                "get_submodule",
                                                "half",
                                                "ipu",
                                                "load_state_dict",
                                                "modules",
                                                "mtia",
                                                "named_buffers",
                                                "named_children",
                                                "named_modules",
                                                "named_parameters",
                                                "parameters",
                                                "register_backward_hook",
                                                "register_buffer",
                                                "register_forward_hook",
                                                "register_forward_pre_hook",
                                                "register_full_backward_hook",
                                                "register_full_backward_pre_hook",
                                                "register_load_state_dict_post_hook",
                                                "register_load_state_dict_pre_hook",
                                                "register_module",
                                                "register_parameter",
                                                "register_state_dict_post_hook",
                                                "register_state_dict_pre_hook",
                                                "requires_grad_",
                                                "set_extra_state",
                                                "set_submodule",
                                                "share_memory",
                                                "state_dict",
                                                "to",
                                                "to_empty",
                                                "train",
                                                "training",
                                                "type",
                                                "xpu",
                                                "zero_grad"};
  return names;
}

// The bytes of one character of UTF-8, and its number; a byte that begins none counts as itself.
std::pair<std::size_t, char32_t> character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
  if (length == 1 || length > text.size()) return {1, first};
  char32_t code = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  return {length, code};
}

std::string escaped(char32_t code) {
  std::array<char, 16> buffer{};
  const char* form = code > 0xFFFF ? "\\U%08x" : code > 0xFF ? "\\u%04x" : "\\x%02x";
  std::snprintf(buffer.data(), buffer.size(), form, static_cast<unsigned>(code));
  return buffer.data();
}

// "1.25e-03" of the absolute value.
template <typename Number>
std::string scientific(Number value) {
  std::array<char, 40> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value), std::chars_format::scientific);
  return {buffer.data(), written.ptr};
}

std::string as_python(const std::string& scientific, bool is_negative) {
  const std::size_t e = scientific.find('e');
  std::string digits = scientific.substr(0, e);
  std::erase(digits, '.');
  const int exponent = std::stoi(scientific.substr(e + 1));
  std::string result = is_negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    result += digits.substr(0, 1);
    if (digits.size() > 1) result += "." + digits.substr(1);
    const std::string number = std::to_string(std::abs(exponent));
    return result + (exponent < 0 ? "e-" : "e+") + (number.size() < 2 ? "0" : "") + number;
  }
  if (exponent < 0) return result + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto before = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= before) return result + digits + std::string(before - digits.size(), '0') + ".0";
  return result + digits.substr(0, before) + "." + digits.substr(before);
}

}  // namespace

std::string python_string(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const auto [length, code] = character(text);
    if (code == '"' || code == '\\')
      result += {'\\', static_cast<char>(code)};
    else if (code == '\n')
      result += "\\n";
    else if (code >= ' ' && code < 0x7F)
      result += static_cast<char>(code);
    else
      result += escaped(code);
    text.remove_prefix(length);
  }
  return result + "\"";
}

// Python's repr(): the fewest digits that give the number again, with an exponent below -4 and from 16 on.
std::string python_float(double value) {
  if (std::isnan(value)) return "float(\"nan\")";
  if (std::isinf(value)) return value > 0 ? "float(\"inf\")" : "float(\"-inf\")";
  return as_python(scientific(value), std::signbit(value));
}

std::string python_float32(float value) {
  if (!std::isfinite(value)) return python_float(value);
  const std::string digits = scientific(value);
  const bool is_same = static_cast<float>(std::strtod(digits.c_str(), nullptr)) == std::abs(value);
  return is_same ? as_python(digits, std::signbit(value)) : python_float(value);
}

std::string python_tuple(const std::vector<std::string>& elements) {
  return "(" + joined(elements) + (elements.size() == 1 ? ",)" : ")");
}

std::string python_list(const std::vector<std::string>& elements) { return "[" + joined(elements) + "]"; }

Python python_number(const std::string& literal) {
  return {literal, literal.starts_with('-') ? Binding::Sign : Binding::Atom};
}

bool is_python_name(std::string_view text) {
  return !text.empty() && is_letter(text[0]) &&
         std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c); }) && !keywords().contains(text);
}

// What begins with an underscore may be anything of nn.Module's, and two of them would be changed by Python.
bool is_attribute_name(std::string_view text) {
  return is_python_name(text) && text[0] != '_' && !module_attributes().contains(text);
}

std::string variable_name(std::string_view text, std::string_view fallback) {
  std::string result;
  for (const char c : text) result += is_letter(c) || is_digit(c) ? c : '_';
  const bool has_letter = std::ranges::any_of(result, [](char c) { return is_letter(c) && c != '_'; });
  if (!has_letter) return std::string(fallback);
  if (is_digit(result[0]) || result[0] == '_') result = std::string(fallback) + "_" + result;
  if (!is_python_name(result)) result += "_";
  return result;
}

std::string class_name(std::string_view text, std::string_view fallback) {
  std::string result;
  bool starts_word = true;
  for (const char c : text) {
    const bool counts = is_digit(c) || (is_letter(c) && c != '_');
    if (counts) result += starts_word && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    starts_word = !counts;
  }
  if (result.empty() || is_digit(result[0])) result = std::string(fallback) + result;
  return is_python_name(result) ? result : result + "_";
}

std::string plain_text(std::string_view text) {
  std::string result;
  for (const char c : text) result += c >= ' ' && c < 0x7F && c != '"' && c != '\\' && c != '\'' ? c : '_';
  return result;
}

}  // namespace h5bridge
