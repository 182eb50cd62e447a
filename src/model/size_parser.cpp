#include "model/size_parser.h"

#include <algorithm>
#include <charconv>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr int kDeepest = 512;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_identifier(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_identifier(char c) { return starts_identifier(c) || is_digit(c); }

}  // namespace

bool is_identifier(std::string_view text) {
  return !text.empty() && starts_identifier(text[0]) && std::ranges::all_of(text, continues_identifier);
}

std::vector<std::string> identifiers_in(std::string_view text) {
  std::vector<std::string> names;
  for (auto at = text.begin(); at != text.end();) {
    at = std::find_if(at, text.end(), starts_identifier);
    const auto end = std::find_if_not(at, text.end(), continues_identifier);
    if (at != end) names.emplace_back(at, end);
    at = end;
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

Size SizeParser::parse() {
  Size size = sum();
  expect_end();
  return size;
}

std::pair<Size, Size> SizeParser::parse_quotient() {
  Size dividend = factor();
  expect("//");
  Size divisor = factor();
  expect_end();
  return {std::move(dividend), std::move(divisor)};
}

Size SizeParser::sum() {
  Size size = product();
  for (;;) {
    if (accept("+"))
      size = size + product();
    else if (accept("-"))
      size = size - product();
    else
      return size;
  }
}

Size SizeParser::product() {
  Size size = factor();
  for (;;) {
    if (accept("*"))
      size = size * factor();
    else if (accept("//"))
      size = size.floor_divide(factor());
    else
      return size;
  }
}

Size SizeParser::factor() {
  if (++depth_ > kDeepest) fail("it is nested more than " + std::to_string(kDeepest) + " levels deep");
  Size size;
  if (at_integer()) {
    size = integer();
  } else if (accept("-")) {
    size = Size() - factor();
  } else if (accept("(")) {
    size = sum();
    expect(")");
  } else {
    size = symbol();
  }
  --depth_;
  return size;
}

Size SizeParser::integer() {
  std::int64_t value = 0;
  const char* const begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc()) fail("the integer does not fit 64 bits");
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

Size SizeParser::symbol() {
  const std::string_view rest = text_.substr(at_);
  const auto end = std::ranges::find_if_not(rest, continues_identifier);
  std::string name(rest.begin(), end);
  if (!is_identifier(name)) fail("expected an integer, a name or a parenthesis");
  at_ += name.size();
  if (values_ != nullptr)
    if (const auto value = values_->find(name); value != values_->end()) return value->second;
  return Size::symbol(std::move(name));
}

void SizeParser::skip_spaces() {
  while (at_ < text_.size() && text_[at_] == ' ') ++at_;
}

bool SizeParser::at_integer() {
  skip_spaces();
  const std::string_view rest = text_.substr(at_);
  const std::size_t sign = rest.starts_with('-') ? 1 : 0;
  return rest.size() > sign && is_digit(rest[sign]);
}

bool SizeParser::accept(std::string_view token) {
  skip_spaces();
  if (!text_.substr(at_).starts_with(token)) return false;
  at_ += token.size();
  return true;
}

void SizeParser::expect(std::string_view token) {
  if (!accept(token)) fail("expected '" + std::string(token) + "'");
}

void SizeParser::expect_end() {
  skip_spaces();
  if (at_ < text_.size()) fail("expected an operator or the end");
}

void SizeParser::fail(const std::string& reason) const {
  constexpr std::size_t kMostShown = 80;
  const std::string shown = std::string(text_.substr(0, kMostShown)) + (text_.size() > kMostShown ? "..." : "");
  throw MalformedFile("'" + shown + "' is no size: " + reason + " at byte " + std::to_string(at_));
}

}  // namespace h5bridge
