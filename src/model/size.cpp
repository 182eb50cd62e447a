#include "h5bridge/size.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

#include "h5bridge/error.h"
#include "model/checked.h"
#include "model/size_parser.h"

namespace h5bridge {
namespace {

// Far beyond what a network's sizes are; a stranger's expression could otherwise grow exponentially with its length.
constexpr std::size_t kMostTerms = 256;
constexpr std::size_t kMostFactors = 32;
constexpr std::size_t kLongestAtom = 1000;

[[noreturn]] void throw_too_large() { throw MalformedFile("a size is too large an expression"); }

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

using Atoms = std::vector<std::string>;  // sorted

bool contains(const Atoms& product, const Atoms& factor) { return std::ranges::includes(product, factor); }

Atoms without(const Atoms& product, const Atoms& factor) {
  Atoms rest;
  std::ranges::set_difference(product, factor, std::back_inserter(rest));
  return rest;
}

bool is_symbol(const std::string& atom) { return atom.find("//") == std::string::npos; }

std::string product_text(const Atoms& product, std::int64_t coefficient) {
  const bool has_number = product.empty() || coefficient != 1;
  std::string text = has_number ? std::to_string(coefficient) : "";
  if (coefficient == -1 && !product.empty()) text = "-";
  for (const std::string& atom : product) {
    if (!text.empty() && text != "-") text += "*";
    // "2*a//b" would be (2*a)//b.
    const bool alone = product.size() == 1 && !has_number;
    text += is_symbol(atom) || alone ? atom : "(" + atom + ")";
  }
  return text;
}

}  // namespace

Size::Size(std::int64_t value) { add({}, value); }

Size Size::symbol(std::string name) {
  if (!is_identifier(name)) throw MalformedFile("expected the name of a size, found '" + name + "'");
  Size size;
  size.add({std::move(name)}, 1);
  return size;
}

Size Size::parse(std::string_view text) { return SizeParser(text).parse(); }

void Size::add(const Product& product, std::int64_t coefficient) {
  if (coefficient == 0) return;
  const auto [place, added] = terms_.try_emplace(product, coefficient);
  if (!added) place->second = checked_add(place->second, coefficient, "a size");
  if (place->second == 0) terms_.erase(place);
  if (product.size() > kMostFactors || terms_.size() > kMostTerms) throw_too_large();
}

std::optional<std::int64_t> Size::value() const {
  if (terms_.empty()) return 0;
  if (terms_.size() == 1 && terms_.begin()->first.empty()) return terms_.begin()->second;
  return std::nullopt;
}

std::string Size::str() const {
  if (terms_.empty()) return "0";
  std::string text;
  const auto append = [&](const Term& term) {
    std::string next = product_text(term.first, term.second);
    if (!text.empty()) {
      // The smallest integer has no positive to subtract.
      const bool negative = next[0] == '-' && term.second != std::numeric_limits<std::int64_t>::min();
      text += negative ? " - " : " + ";
      if (negative) next.erase(0, 1);
    }
    text += next;
  };
  // The constant, whose empty product comes first in the map, is written last.
  const auto constant = terms_.find({});
  for (const Term& term : terms_)
    if (!term.first.empty()) append(term);
  if (constant != terms_.end()) append(*constant);
  return text;
}

Size Size::bind(const std::map<std::string, std::int64_t>& values) const {
  Size result;
  for (const auto& [product, coefficient] : terms_) {
    Size term(coefficient);
    for (const std::string& atom : product) term = term * SizeParser(atom, &values).parse();
    result = result + term;
  }
  return result;
}

std::vector<std::string> Size::symbols() const { return identifiers_in(str()); }

Size Size::operator+(const Size& other) const {
  Size sum = *this;
  for (const auto& [product, coefficient] : other.terms_) sum.add(product, coefficient);
  return sum;
}

Size Size::operator-(const Size& other) const { return *this + other * Size(-1); }

Size Size::operator*(const Size& other) const {
  Size result;
  for (const auto& [a, a_coefficient] : terms_) {
    for (const auto& [b, b_coefficient] : other.terms_) {
      Product product;
      std::ranges::merge(a, b, std::back_inserter(product));
      result.add(product, checked_multiply(a_coefficient, b_coefficient, "a size"));
    }
  }
  return result;
}

// The term of the most factors, of these the first: a monomial order, so the leading term of a product is the product
// of the leading terms.
const Size::Term& Size::leading() const {
  return *std::ranges::max_element(terms_, [](const Term& a, const Term& b) {
    return a.first.size() != b.first.size() ? a.first.size() < b.first.size() : a.first > b.first;
  });
}

// Long division; nothing if there is a remainder.
std::optional<Size> Size::exact_quotient(const Size& divisor) const {
  const auto& [product, coefficient] = divisor.leading();
  Size quotient;
  Size remainder = *this;
  while (!remainder.terms_.empty()) {
    const auto& [from, from_coefficient] = remainder.leading();
    if (!contains(from, product) || from_coefficient % coefficient != 0) return std::nullopt;
    Size step;
    step.add(without(from, product), from_coefficient / coefficient);
    quotient = quotient + step;
    remainder = remainder - step * divisor;
  }
  return quotient;
}

std::string Size::operand() const {
  const std::string text = str();
  const bool simple = is_identifier(text) || (value() && *value() >= 0);
  return simple ? text : "(" + text + ")";
}

Size Size::quotient_atom(const Size& dividend, const Size& divisor) {
  std::string atom = dividend.operand() + "//" + divisor.operand();
  if (atom.size() > kLongestAtom) throw_too_large();
  Size size;
  size.add({std::move(atom)}, 1);
  return size;
}

Size Size::floor_divide(const Size& divisor) const {
  if (divisor.terms_.empty()) throw MalformedFile("the size " + str() + " is divided by zero");
  if (divisor.leading().second < 0) return (*this * Size(-1)).floor_divide(divisor * Size(-1));
  if (const std::optional<Size> exact = exact_quotient(divisor)) return *exact;
  if (divisor.terms_.size() > 1) return quotient_atom(*this, divisor);

  // (q*d + r)//d is q + r//d: multiples of the divisor leave the quotient.
  const auto& [factor, count] = divisor.leading();
  Size whole;
  Size rest;
  for (const auto& [product, coefficient] : terms_) {
    const std::int64_t quotient = contains(product, factor) ? floor_quotient(coefficient, count) : 0;
    if (quotient != 0) whole.add(without(product, factor), quotient);
    rest.add(product, coefficient - quotient * count);
  }
  return whole + rest.reduced_quotient(factor, count);
}

Size Size::ceil_divide(std::int64_t divisor) const {
  if (divisor <= 0) throw MalformedFile("the size " + str() + " is divided by " + std::to_string(divisor));
  return (*this + Size(divisor - 1)).floor_divide(divisor);
}

// This over count * factor, of which it holds no multiples.
Size Size::reduced_quotient(const Product& factor, std::int64_t count) const {
  // What divides the divisor and all terms is cancelled. An integer divisor lets the constant round: (4*h + 3)//6 is
  // (2*h + 1)//3.
  const bool by_integer = factor.empty();
  std::int64_t common_count = count;
  Product common = factor;
  for (const auto& [product, coefficient] : terms_) {
    if (by_integer && product.empty()) continue;
    common_count = std::gcd(common_count, coefficient);
    Product shared;
    std::ranges::set_intersection(common, product, std::back_inserter(shared));
    common = std::move(shared);
  }
  Size dividend;
  for (const auto& [product, coefficient] : terms_)
    dividend.add(without(product, common), floor_quotient(coefficient, common_count));
  Size divisor;
  divisor.add(without(factor, common), count / common_count);
  if (common_count > 1 || !common.empty()) return dividend.floor_divide(divisor);
  if (by_integer)
    if (const std::optional<Size> merged = dividend.merged_quotient(count)) return *merged;
  return quotient_atom(dividend, divisor);
}

// (a//b + k)//count is (a + k*b)//(b*count) where b and count are positive integers.
std::optional<Size> Size::merged_quotient(std::int64_t count) const {
  const Term& term = leading();
  const auto constant = terms_.find({});
  const bool only_quotient =
      term.first.size() == 1 && term.second == 1 && terms_.size() == (constant == terms_.end() ? 1 : 2);
  if (!only_quotient || is_symbol(term.first[0])) return std::nullopt;
  const auto [dividend, divisor] = SizeParser(term.first[0]).parse_quotient();
  if (!divisor.value()) return std::nullopt;
  const Size offset = constant == terms_.end() ? Size() : Size(constant->second) * divisor;
  return (dividend + offset).floor_divide(divisor * Size(count));
}

std::string to_string(const SymbolicShape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + shape[i].str();
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::optional<std::vector<std::int64_t>> fixed(const SymbolicShape& shape) {
  std::vector<std::int64_t> numbers;
  for (const Size& size : shape) {
    if (size.is_open()) return std::nullopt;
    numbers.push_back(*size.value());
  }
  return numbers;
}

}  // namespace h5bridge
