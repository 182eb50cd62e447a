#include "model/quoted.h"

namespace h5bridge {

std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  const auto continues_character = [](char letter) { return (static_cast<unsigned char>(letter) & 0xc0) == 0x80; };
  while (most > 0 && continues_character(text[most])) --most;
  return std::string(text.substr(0, most)) + "...";
}

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string result;
  for (const std::string& text : texts) result.append(result.empty() ? "" : separator).append(text);
  return result;
}

std::string quoted(const Json& json) { return shortened(json.dump()); }

}  // namespace h5bridge
