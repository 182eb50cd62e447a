// Reads the spelling of a Size.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/size.h"

namespace h5bridge {

bool is_identifier(std::string_view text);

/// The identifiers in an expression, sorted, each once.
std::vector<std::string> identifiers_in(std::string_view text);

/// sum := product (("+" | "-") product)*;  product := factor (("*" | "//") factor)*;
/// factor := "-" factor | integer | symbol | "(" sum ")". As in Python.
class SizeParser {
 public:
  using Values = std::map<std::string, std::int64_t>;

  /// Symbols in `values` are read as their numbers. Both arguments must outlive the parser.
  explicit SizeParser(std::string_view text, const Values* values = nullptr) : text_(text), values_(values) {}

  /// The whole text; throws MalformedFile.
  Size parse();
  /// The operands of the text "factor//factor".
  std::pair<Size, Size> parse_quotient();

 private:
  Size sum();
  Size product();
  Size factor();
  Size integer();
  Size symbol();
  void skip_spaces();
  bool at_integer();
  bool accept(std::string_view token);
  void expect(std::string_view token);
  void expect_end();
  [[noreturn]] void fail(const std::string& reason) const;

  std::string_view text_;
  const Values* values_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace h5bridge
