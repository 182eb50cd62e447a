#include "layers/products/equation.h"

#include <algorithm>
#include <map>

#include "facets/spec/attributes/text_kind.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"

namespace h5bridge::products {
namespace {

constexpr const char* kDots = "...";

[[noreturn]] void throw_wrong(const std::string& equation) {
  throw MalformedFile("its equation \"" + equation + "\" does not fit its inputs");
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string without_dots(std::string letters) {
  if (const auto dots = letters.find(kDots); dots != std::string::npos) letters.erase(dots, 3);
  return letters;
}

void check(const std::string& letters, const std::string& equation) {
  const std::string named = without_dots(letters);
  if (!std::all_of(named.begin(), named.end(), is_letter)) throw_wrong(equation);
}

std::string implicit_output(const std::vector<std::string>& inputs) {
  std::map<char, int> uses;
  bool has_dots = false;
  for (const std::string& input : inputs) {
    has_dots = has_dots || input.find(kDots) != std::string::npos;
    for (const char letter : without_dots(input)) ++uses[letter];
  }
  std::string result = has_dots ? kDots : "";
  for (const auto& [letter, count] : uses)
    if (count == 1) result += letter;
  return result;
}

// Sizes by letter, and those of the axes without one.
struct Extents {
  std::map<char, Size> named;
  SymbolicShape leading;
};

void take(Extents& extents, const std::string& letters, const SymbolicShape& input, const std::string& equation) {
  const std::string named = without_dots(letters);
  const bool has_dots = named.size() != letters.size();
  if (named.size() > input.size() || (!has_dots && named.size() != input.size())) throw_wrong(equation);
  const std::size_t unnamed = input.size() - named.size();
  const std::size_t before = has_dots ? letters.find(kDots) : named.size();
  for (std::size_t k = 0; k < named.size(); ++k) {
    const Size& size = input[k < before ? k : k + unnamed];
    Size& known = extents.named.emplace(named[k], size).first->second;
    if (known == size || size == Size(1)) continue;
    if (known.value() && size.value() && known != Size(1)) throw_wrong(equation);
    if (size.value() || known == Size(1)) known = size;
  }
  if (!has_dots) return;
  const auto first = input.begin() + static_cast<std::ptrdiff_t>(before);
  extents.leading = broadcast(extents.leading, SymbolicShape(first, first + static_cast<std::ptrdiff_t>(unnamed)));
}

}  // namespace

Equation parse_equation(const std::string& text, std::size_t inputs) {
  std::string plain = text;
  std::erase(plain, ' ');
  const auto arrow = plain.find("->");
  const std::string left = plain.substr(0, arrow);
  Equation result;
  for (std::size_t start = 0; start <= left.size();) {
    const std::size_t comma = std::min(left.find(',', start), left.size());
    result.inputs.push_back(left.substr(start, comma - start));
    check(result.inputs.back(), text);
    start = comma + 1;
  }
  if (result.inputs.size() != inputs) throw_wrong(text);
  result.output = arrow == std::string::npos ? implicit_output(result.inputs) : plain.substr(arrow + 2);
  check(result.output, text);
  return result;
}

std::string plain_equation(const std::string& text) {
  Equation equation = parse_equation(text, static_cast<std::size_t>(std::ranges::count(text, ',')) + 1);
  std::map<char, char> letters;
  for (const std::string& input : equation.inputs)
    for (const char letter : input)
      if (is_letter(letter)) letters[letter] = letter;
  const bool is_small = std::ranges::all_of(letters, [](const auto& letter) { return letter.first >= 'a'; });
  if (is_small || letters.size() > 26) return to_text(equation);
  char next = 'a';
  for (auto& [before, after] : letters) after = next++;
  const auto rename = [&](std::string& named) {
    for (char& letter : named)
      if (const auto found = letters.find(letter); found != letters.end()) letter = found->second;
  };
  std::ranges::for_each(equation.inputs, rename);
  rename(equation.output);
  return to_text(equation);
}

namespace {

// Letters are as good as others.
class EquationKind : public TextKind {
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const override {
    return plain_equation(std::get<std::string>(a)) == plain_equation(std::get<std::string>(b));
  }
};

}  // namespace

AttributeSpec required_equation(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<EquationKind>(), std::move(meaning)};
}

std::string to_text(const Equation& equation) {
  std::string result;
  for (const std::string& input : equation.inputs) result += (&input == &equation.inputs[0] ? "" : ",") + input;
  return result + "->" + equation.output;
}

SymbolicShape contracted(const Equation& equation, const std::vector<SymbolicShape>& inputs) {
  Extents extents;
  for (std::size_t i = 0; i < inputs.size(); ++i) take(extents, equation.inputs[i], inputs[i], to_text(equation));
  SymbolicShape result;
  const auto dots = equation.output.find(kDots);
  const std::string named = without_dots(equation.output);
  for (std::size_t k = 0; k <= named.size(); ++k) {
    if (k == dots) result.insert(result.end(), extents.leading.begin(), extents.leading.end());
    if (k == named.size()) break;
    const auto size = extents.named.find(named[k]);
    if (size == extents.named.end()) throw_wrong(to_text(equation));
    result.push_back(size->second);
  }
  return result;
}

std::pair<std::int64_t, std::int64_t> dot_axes(const Attributes& attributes, std::size_t first_rank,
                                               std::size_t second_rank) {
  const auto& axes = attributes.integers("axes");
  if (axes.empty() || axes.size() > 2) throw MalformedFile("its axes " + to_string(axes) + " are not one or two");
  const std::pair result{resolve_axis(axes.front(), static_cast<std::int64_t>(first_rank)),
                         resolve_axis(axes.back(), static_cast<std::int64_t>(second_rank))};
  if (result.first == 0 || result.second == 0) throw MalformedFile("its axes " + to_string(axes) + " name the batch");
  return result;
}

}  // namespace h5bridge::products
