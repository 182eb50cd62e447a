#include "pytorch/python_source/kept_numbers.h"

#include <algorithm>
#include <cctype>

#include "facets/torch_source/python.h"

namespace h5bridge::torch_source {
namespace {

constexpr std::size_t kMostKept = 4;  // more are another forward

struct NumberIn {
  std::size_t begin = 0;
  std::size_t end = 0;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The end of a number that begins at `at`: "12", "0.5", "1e-06".
std::size_t end_of_number(const std::string& text, std::size_t at) {
  while (at < text.size() && is_word(text[at])) {
    const bool has_sign = text[at] == 'e' && at + 1 < text.size() && (text[at + 1] == '-' || text[at + 1] == '+');
    at += has_sign ? 2 : 1;
  }
  return at;
}

std::vector<NumberIn> numbers_in(const std::string& text) {
  std::vector<NumberIn> result;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
      ++i;
    } else if (is_digit(text[i])) {
      const std::size_t end = end_of_number(text, i);
      result.push_back({i, end});
      i = end;
    } else if (is_word(text[i])) {
      while (i < text.size() && is_word(text[i])) ++i;
    } else {
      ++i;
    }
  }
  return result;
}

std::string text_of(const std::string& statement, const NumberIn& number) {
  return statement.substr(number.begin, number.end - number.begin);
}

// Neither an axis nor the number of a part.
bool may_be_kept(const std::string& statement, const NumberIn& number) {
  const std::string before = statement.substr(0, number.begin);
  const bool is_part = before.ends_with('[') && number.end < statement.size() && statement[number.end] == ']';
  const std::string text = text_of(statement, number);
  return !is_part && !before.ends_with("dim=") && !before.ends_with('-') && text != "0" && text != "1";
}

// The call whose arguments the number is among, and how many stand before it: ("reshape", 2).
std::pair<std::string, std::size_t> call_around(const std::string& text, std::size_t at) {
  std::size_t depth = 0, commas = 0;
  while (at-- > 0) {
    if (text[at] == ')' || text[at] == ']') ++depth;
    if (text[at] == ',' && depth == 0) ++commas;
    if (text[at] != '(' && text[at] != '[') continue;
    if (depth-- > 0) continue;
    std::size_t begin = at;
    while (begin > 0 && is_word(text[begin - 1]) && text[begin - 1] != '.') --begin;
    return {text.substr(begin, at - begin), commas};
  }
  return {"", 0};
}

std::string name_of_number(const std::string& statement, const NumberIn& number) {
  const auto [call, place] = call_around(statement, number.begin);
  if (text_of(statement, number).find_first_of(".e") != std::string::npos) return "scale";
  const bool is_shape = call == "reshape" || call == "view" || call == "unflatten";
  const std::size_t closed = statement.find(')', number.end);
  const bool is_of_heads =
      is_shape && closed != std::string::npos && statement.compare(closed, 12, ").transpose(") == 0;
  if (is_of_heads && place == 2) return "num_heads";
  if (is_of_heads && place == 3) return "head_dim";
  return call == "split" ? "part_size" : "size";
}

}  // namespace

std::string without_numbers(const Statements& statements) {
  std::string result;
  for (const std::string& statement : statements) {
    std::size_t last = 0;
    for (const NumberIn& number : numbers_in(statement)) {
      result += statement.substr(last, number.begin - last) + "#";
      last = number.end;
    }
    result += statement.substr(last) + "\n";
  }
  return result;
}

std::optional<KeptNumbers> kept_numbers(const std::vector<Statements>& forwards,
                                        const std::vector<std::string>& taken_names) {
  KeptNumbers result;
  for (std::size_t s = 0; s < forwards[0].size(); ++s) {
    std::vector<std::vector<NumberIn>> places;
    for (const Statements& forward : forwards) places.push_back(numbers_in(forward[s]));
    std::string statement = forwards[0][s];
    for (std::size_t n = places[0].size(); n-- > 0;) {
      std::vector<std::string> values;
      for (std::size_t f = 0; f < forwards.size(); ++f) values.push_back(text_of(forwards[f][s], places[f][n]));
      if (std::ranges::all_of(values, [&](const std::string& value) { return value == values[0]; })) continue;
      for (std::size_t f = 0; f < forwards.size(); ++f)
        if (!may_be_kept(forwards[f][s], places[f][n])) return std::nullopt;
      auto kept = std::ranges::find(result.numbers, values, &KeptNumber::values);
      if (kept == result.numbers.end()) {
        std::string name = name_of_number(forwards[0][s], places[0][n]);
        const auto is_taken = [&](const std::string& wanted) {
          return !is_attribute_name(wanted) || std::ranges::find(taken_names, wanted) != taken_names.end() ||
                 std::ranges::find(result.numbers, wanted, &KeptNumber::name) != result.numbers.end();
        };
        for (int number = 2; is_taken(name); ++number)
          name = name_of_number(forwards[0][s], places[0][n]) + "_" + std::to_string(number);
        kept = result.numbers.insert(result.numbers.end(), {name, values});
      }
      statement.replace(places[0][n].begin, places[0][n].end - places[0][n].begin, "self." + kept->name);
    }
    result.statements.push_back(statement);
  }
  if (result.numbers.size() > kMostKept) return std::nullopt;
  return result;
}

}  // namespace h5bridge::torch_source
