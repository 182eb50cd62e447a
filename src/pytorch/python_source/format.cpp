#include "pytorch/python_source/format.h"

namespace h5bridge::torch_source {
namespace {

constexpr std::size_t kWidth = 88;

// The place behind a string literal that begins at `at`.
std::size_t behind_string(const std::string& text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return text.size();
}

// A bracket that nothing but what follows it at the end of the statement closes.
struct Bracket {
  std::size_t open = std::string::npos;
  std::size_t close = std::string::npos;
};

// Whether a number alone is in it: an index, which stays behind what it is taken from.
bool is_index(const std::string& text, const Bracket& bracket) {
  if (text[bracket.open] != '[') return false;
  for (std::size_t i = bracket.open + 1; i < bracket.close; ++i)
    if (text[i] < '0' || text[i] > '9') return false;
  return true;
}

// The last bracket at the top that has something in it, but for an index where there is another.
Bracket last_bracket(const std::string& text) {
  Bracket result;
  std::size_t depth = 0, open = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      i = behind_string(text, i);
      continue;
    }
    if (text[i] == '(' || text[i] == '[' || text[i] == '{') {
      if (depth++ == 0) open = i;
    } else if (text[i] == ')' || text[i] == ']' || text[i] == '}') {
      const Bracket ended{open, i};
      const bool may_stay = result.open != std::string::npos && result.close + 1 == open && is_index(text, ended);
      if (--depth == 0 && i > open + 1 && !may_stay) result = ended;
    }
    ++i;
  }
  return result;
}

// The parts between commas at the top.
std::vector<std::string> elements_of(const std::string& text) {
  std::vector<std::string> result(1);
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      const std::size_t end = behind_string(text, i);
      result.back() += text.substr(i, end - i);
      i = end;
      continue;
    }
    if (text[i] == '(' || text[i] == '[' || text[i] == '{') ++depth;
    if (text[i] == ')' || text[i] == ']' || text[i] == '}') --depth;
    if (text[i] == ',' && depth == 0) {
      result.emplace_back();
      i += i + 1 < text.size() && text[i + 1] == ' ' ? 2 : 1;
      continue;
    }
    result.back() += text[i++];
  }
  if (result.back().empty()) result.pop_back();
  return result;
}

void lay_out(const std::string& text, std::size_t indentation, std::vector<std::string>& lines) {
  const std::string margin(indentation, ' ');
  const Bracket bracket = last_bracket(text);
  if (indentation + text.size() <= kWidth || bracket.open == std::string::npos) {
    lines.push_back(margin + text);
    return;
  }
  const std::string inside = text.substr(bracket.open + 1, bracket.close - bracket.open - 1);
  lines.push_back(margin + text.substr(0, bracket.open + 1));
  const std::vector<std::string> elements = elements_of(inside);
  if (elements.size() == 1 || indentation + 4 + inside.size() <= kWidth) {
    lay_out(inside, indentation + 4, lines);
  } else {
    for (const std::string& element : elements) {
      lay_out(element, indentation + 4, lines);
      lines.back() += ",";
    }
  }
  lines.push_back(margin + text.substr(bracket.close));
}

}  // namespace

std::vector<std::string> laid_out(const std::string& statement, std::size_t indentation) {
  std::vector<std::string> lines;
  lay_out(statement, indentation, lines);
  return lines;
}

}  // namespace h5bridge::torch_source
