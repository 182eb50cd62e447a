#include "model/size_terms.h"

#include <optional>
#include <string_view>

#include "model/size_parser.h"

namespace h5bridge {
namespace {

// The parts of `text` between those of `separators` that are in no parentheses; each part begins with its separator.
std::vector<std::string_view> parts_of(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (depth > 0 || i == begin || separators.find(text[i]) == std::string_view::npos) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace

// Sizes are spelled in one way: "2*a*(b//2) - a//2 + 1".
std::vector<SizeTerm> terms_of(const Size& size) {
  const std::string text = size.str();
  std::vector<SizeTerm> terms;
  for (std::string_view part : parts_of(text, "+-")) {
    SizeTerm& term = terms.emplace_back(SizeTerm{1, {}});
    while (part.starts_with('+') || part.starts_with('-') || part.starts_with(' ')) {
      if (part[0] == '-') term.coefficient = -term.coefficient;
      part.remove_prefix(1);
    }
    for (std::string_view factor : parts_of(part, "*")) {
      if (factor.starts_with('*')) factor.remove_prefix(1);
      const Size atom = Size::parse(factor);
      if (const auto number = atom.value())
        term.coefficient *= *number;
      else
        term.atoms.push_back(atom);
    }
  }
  return terms;
}

std::optional<std::pair<Size, Size>> quotient_of(const Size& atom) {
  const std::string text = atom.str();
  if (is_identifier(text)) return std::nullopt;
  return SizeParser(text).parse_quotient();
}

}  // namespace h5bridge
