#include <algorithm>
#include <cmath>
#include <limits>

#include "facets/aten/folded_call.h"

namespace h5bridge::aten::folding {
namespace {

int category(DType dtype) { return dtype == DType::Bool ? 0 : is_floating_point(dtype) ? 2 : 1; }

// What two are compared as: the type of what has axes is changed by that of what has none for another kind of numbers
// alone (torch/_prims_common/__init__.py, elementwise_dtypes).
DType common_dtype(const Operand& a, const Operand& b) {
  if (a.has_axes != b.has_axes) {
    const Operand &first = a.has_axes ? a : b, &other = a.has_axes ? b : a;
    return category(other.dtype) > category(first.dtype) ? other.dtype : first.dtype;
  }
  if (category(a.dtype) != category(b.dtype)) return category(a.dtype) > category(b.dtype) ? a.dtype : b.dtype;
  const bool is_wide = a.dtype == DType::Float64 || a.dtype == DType::Int64;
  return is_wide ? a.dtype : b.dtype;
}

using Function = std::function<Number(const Number&, const Number&)>;

// As PyTorch's integers: beyond the largest one they begin again at the smallest.
std::int64_t wrapped(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }

// Of two operands in the result's type, or, for truth values, in that of both.
FoldedOperator elementwise(Function function, bool gives_truth = false) {
  return [function = std::move(function), gives_truth](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self"), b = operand(call, "other");
    const auto alpha = call.operation.find("alpha");
    if (!a || !b || (alpha && value(call, "alpha") && *value(call, "alpha") != Json(1)) || value(call, "rounding_mode"))
      return std::nullopt;
    const DType within = gives_truth ? common_dtype(*a, *b) : call.dtype;
    if (!is_foldable(within)) return std::nullopt;
    return filled(call, [&](const Place& place) {
      return function(converted(a->at(place), within), converted(b->at(place), within));
    });
  };
}

FoldedOperator of_one(std::function<Number(const Number&)> function) {
  return [function = std::move(function)](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self");
    if (!a) return std::nullopt;
    return filled(call, [&](const Place& place) { return function(a->at(place)); });
  };
}

// a op b of truth values, or of integers bit by bit.
FoldedOperator bitwise(std::function<std::int64_t(std::int64_t, std::int64_t)> function) {
  return elementwise([function = std::move(function)](const Number& a, const Number& b) {
    return whole(function(a.integer, b.integer));
  });
}

FoldedOperator compared(std::function<bool(double, double)> of_reals,
                        std::function<bool(std::int64_t, std::int64_t)> of_integers) {
  return elementwise(
      [of_reals = std::move(of_reals), of_integers = std::move(of_integers)](const Number& a, const Number& b) {
        return truth(a.is_real ? of_reals(a.real, b.real) : of_integers(a.integer, b.integer));
      },
      true);
}

template <typename Compare>
FoldedOperator compared_by(Compare compare) {
  return compared([compare](double a, double b) { return compare(a, b); },
                  [compare](std::int64_t a, std::int64_t b) { return compare(a, b); });
}

FoldedOperator joined_truth(std::function<bool(bool, bool)> function) {
  return [function = std::move(function)](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self"), b = operand(call, "other");
    if (!a || !b) return std::nullopt;
    return filled(call,
                  [&](const Place& place) { return truth(function(a->at(place).is_true(), b->at(place).is_true())); });
  };
}

Number sum(const Number& a, const Number& b) {
  if (a.is_real) return real(a.real + b.real);
  return whole(wrapped(static_cast<std::uint64_t>(a.integer) + static_cast<std::uint64_t>(b.integer)));
}
Number difference(const Number& a, const Number& b) {
  if (a.is_real) return real(a.real - b.real);
  return whole(wrapped(static_cast<std::uint64_t>(a.integer) - static_cast<std::uint64_t>(b.integer)));
}
Number product(const Number& a, const Number& b) {
  if (a.is_real) return real(a.real * b.real);
  return whole(wrapped(static_cast<std::uint64_t>(a.integer) * static_cast<std::uint64_t>(b.integer)));
}
Number negative(const Number& a) {
  return a.is_real ? real(-a.real) : whole(wrapped(0 - static_cast<std::uint64_t>(a.integer)));
}
Number quotient(const Number& a, const Number& b) { return real(a.as_real() / b.as_real()); }
Number smaller(const Number& a, const Number& b) {
  if (!a.is_real) return whole(std::min(a.integer, b.integer));
  return std::isnan(a.real) || std::isnan(b.real) ? real(a.real + b.real) : real(std::min(a.real, b.real));
}
Number larger(const Number& a, const Number& b) {
  if (!a.is_real) return whole(std::max(a.integer, b.integer));
  return std::isnan(a.real) || std::isnan(b.real) ? real(a.real + b.real) : real(std::max(a.real, b.real));
}

// Of integers alone, towards negative infinity; what PyTorch does for reals takes several roundings.
FoldedOperator divided(std::function<std::int64_t(std::int64_t quotient, std::int64_t rest)> chosen) {
  return [chosen = std::move(chosen)](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self"), b = operand(call, "other");
    if (!a || !b || is_floating_point(call.dtype)) return std::nullopt;
    bool fits = true;
    Folded result = filled(call, [&](const Place& place) {
      const std::int64_t x = a->at(place).integer, y = b->at(place).integer;
      if (y == 0 || (y == -1 && x == std::numeric_limits<std::int64_t>::min())) {
        fits = false;
        return whole(0);
      }
      std::int64_t ratio = x / y, rest = x % y;
      if (rest != 0 && (rest < 0) != (y < 0)) {
        --ratio;
        rest += y;
      }
      return whole(chosen(ratio, rest));
    });
    return fits ? result : std::nullopt;
  };
}

// Where a condition holds the one, elsewhere the other.
Folded chosen(const FoldedCall& call) {
  const auto condition = operand(call, "condition"), yes = operand(call, "self"), no = operand(call, "other");
  if (!condition || !yes || !no) return std::nullopt;
  return filled(call,
                [&](const Place& place) { return condition->at(place).is_true() ? yes->at(place) : no->at(place); });
}

Folded mask_filled(const FoldedCall& call) {
  const auto mask = operand(call, "mask"), of = operand(call, "self"), with = operand(call, "value");
  if (!mask || !of || !with) return std::nullopt;
  return filled(call, [&](const Place& place) { return mask->at(place).is_true() ? with->at(place) : of->at(place); });
}

}  // namespace

Operators elementwise_operators() {
  Operators all_of{
      {"add", elementwise(sum)},
      {"sub", elementwise(difference)},
      {"rsub", elementwise([](const Number& a, const Number& b) { return difference(b, a); })},
      {"mul", elementwise(product)},
      {"div", elementwise(quotient)},
      {"minimum", elementwise(smaller)},
      {"maximum", elementwise(larger)},
      {"floor_divide", divided([](std::int64_t ratio, std::int64_t) { return ratio; })},
      {"remainder", divided([](std::int64_t, std::int64_t rest) { return rest; })},
      {"eq", compared_by(std::equal_to<>())},
      {"ne", compared_by(std::not_equal_to<>())},
      {"lt", compared_by(std::less<>())},
      {"le", compared_by(std::less_equal<>())},
      {"gt", compared_by(std::greater<>())},
      {"ge", compared_by(std::greater_equal<>())},
      {"logical_and", joined_truth([](bool a, bool b) { return a && b; })},
      {"logical_or", joined_truth([](bool a, bool b) { return a || b; })},
      {"logical_xor", joined_truth([](bool a, bool b) { return a != b; })},
      {"bitwise_and", bitwise(std::bit_and<>())},
      {"bitwise_or", bitwise(std::bit_or<>())},
      {"bitwise_xor", bitwise(std::bit_xor<>())},
      {"neg", of_one(negative)},
      {"abs", of_one([](const Number& a) {
         return a.is_real ? real(std::abs(a.real)) : a.integer < 0 ? negative(a) : a;
       })},
      {"logical_not", of_one([](const Number& a) { return truth(!a.is_true()); })},
      {"where", chosen},
      {"masked_fill", mask_filled},
  };
  for (const char* name : {"and", "or", "xor"})
    all_of.emplace("__" + std::string(name) + "__", all_of.at("bitwise_" + std::string(name)));
  all_of.emplace("bitwise_not", [](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self");
    if (!a) return std::nullopt;
    return filled(call, [&](const Place& place) {
      const Number one = a->at(place);
      return a->dtype == DType::Bool ? truth(!one.is_true()) : whole(~one.integer);
    });
  });
  return all_of;
}

}  // namespace h5bridge::aten::folding
