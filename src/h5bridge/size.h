// Sizes of axes that may be open: integers, symbols such as `batch`, and arithmetic on them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace h5bridge {

/// A polynomial with integer coefficients over symbols and floor divisions, kept in a canonical form, so that equal
/// sizes compare equal: `2*batch + 1`, `(height + 1)//2`; `(height + 3)//2` becomes `(height + 1)//2 + 1`.
/// Sums, products and quotients throw MalformedFile where a coefficient leaves 64 bits or the expression grows beyond
/// any network's need.
class Size {
 public:
  Size() = default;
  Size(int value) : Size(static_cast<std::int64_t>(value)) {}
  Size(std::int64_t value);
  /// Throws MalformedFile unless `name` is an identifier.
  static Size symbol(std::string name);
  /// Reads what str() writes: + - * // parentheses, symbols and integers. Throws MalformedFile.
  static Size parse(std::string_view text);

  /// The number, unless a symbol is in it.
  std::optional<std::int64_t> value() const;
  bool is_open() const { return !value(); }
  std::string str() const;
  /// With the symbols in `values` bound to numbers.
  Size bind(const std::map<std::string, std::int64_t>& values) const;
  /// The names of the symbols in it, sorted.
  std::vector<std::string> symbols() const;

  Size operator+(const Size& other) const;
  Size operator-(const Size& other) const;
  Size operator*(const Size& other) const;
  /// Rounds towards minus infinity, as Python's //. Throws MalformedFile on a zero divisor.
  Size floor_divide(const Size& divisor) const;
  /// Rounds up. Throws MalformedFile unless the divisor is positive.
  Size ceil_divide(std::int64_t divisor) const;
  bool operator==(const Size&) const = default;

 private:
  // The atoms of a product, sorted: symbols, or "A//B" in canonical spelling, where A and B are symbols, integers or in
  // parentheses. The empty product is the constant.
  using Product = std::vector<std::string>;
  using Term = std::pair<const Product, std::int64_t>;

  void add(const Product& product, std::int64_t coefficient);
  const Term& leading() const;
  std::string operand() const;
  std::optional<Size> exact_quotient(const Size& divisor) const;
  std::optional<Size> merged_quotient(std::int64_t count) const;
  Size reduced_quotient(const Product& factor, std::int64_t count) const;
  static Size quotient_atom(const Size& dividend, const Size& divisor);

  std::map<Product, std::int64_t> terms_;  // without zeros
};

using SymbolicShape = std::vector<Size>;

/// "(batch, 3, 32, 32)".
std::string to_string(const SymbolicShape& shape);
/// The numbers, unless any size is open.
std::optional<std::vector<std::int64_t>> fixed(const SymbolicShape& shape);

}  // namespace h5bridge
