// How a call of an operator is read that is carried out, and what its result is made with; the operators by kind.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "facets/aten/folded_operators.h"

namespace h5bridge::aten::folding {

using Folded = std::optional<KnownNumbers>;
using Place = std::vector<std::int64_t>;
using Operators = std::map<std::string, FoldedOperator, std::less<>>;  // by their plain names

/// Element by element: sums, comparisons, truth values, choices.
Operators elementwise_operators();
/// What makes tensors of numbers.
Operators creation_operators();
/// The same elements in the same memory under another shape, or in memory of their own.
Operators view_operators();
/// Elements in other places, or some of them: side by side, by their numbers, turned round.
Operators placing_operators();

/// An argument that is a tensor; nullptr where its elements are not known.
const KnownNumbers* tensor(const FoldedCall& call, std::string_view name);
/// One that is a value; nullptr for None, and where there is none.
const Json* value(const FoldedCall& call, std::string_view name);
/// One that is not set is `otherwise`; nothing for one that is open.
std::optional<std::int64_t> integer(const FoldedCall& call, std::string_view name, std::int64_t otherwise);
std::optional<std::vector<std::int64_t>> integers(const FoldedCall& call, std::string_view name);
std::optional<Number> number(const Json* json);
/// An axis as it is counted from the front, of a tensor of `rank` axes.
std::optional<std::size_t> axis_of(std::optional<std::int64_t> axis, std::int64_t rank);

/// A tensor, or a number in its place, stretched to a shape.
struct Operand {
  Folded numbers;
  Number one;
  DType dtype = DType::Int64;
  bool has_axes = false;
  Number at(const Place& place) const { return numbers ? numbers->at(place) : one; }
};
std::optional<Operand> operand(const FoldedCall& call, std::string_view name);

/// The result, an element for each place.
Folded filled(const FoldedCall& call, const std::function<Number(const Place&)>& element);

inline Number real(double number) { return {true, 0, number}; }
inline Number whole(std::int64_t number) { return {false, number, 0}; }
inline Number truth(bool is_true) { return whole(is_true ? 1 : 0); }

}  // namespace h5bridge::aten::folding
