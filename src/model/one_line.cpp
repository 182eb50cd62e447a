#include "model/one_line.h"

#include <string_view>

namespace h5bridge {
namespace {

// Of a text that is not UTF-8 every byte beyond ASCII is escaped.
bool is_utf8(std::string_view text) {
  std::size_t following = 0;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (following > 0) {
      if ((code & 0xc0) != 0x80) return false;
      --following;
    } else if (code >= 0x80) {
      if (code < 0xc2 || code >= 0xf5) return false;
      following = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;
    }
  }
  return following == 0;
}

}  // namespace

std::string one_line(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const bool is_text = is_utf8(text);
  std::string line;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20 || code == 0x7f || (code >= 0x80 && !is_text)) {
      line += "\\x";
      line += kDigits[code >> 4];
      line += kDigits[code & 0xf];
    } else {
      line += letter;
    }
  }
  return line;
}

}  // namespace h5bridge
