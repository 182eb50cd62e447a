// Source: keras/src/layers/core/einsum_dense.py.
#include "layers/linear/einsum.h"

#include <algorithm>
#include <map>
#include <set>

#include "h5bridge/error.h"

namespace h5bridge::linear {
namespace {

using Ellipsis = Einsum::Ellipsis;
constexpr std::string_view kDots = "...";

// Takes the dots off one term.
Ellipsis take_ellipsis(std::string& term) {
  if (term.starts_with(kDots)) {
    term.erase(0, kDots.size());
    return Ellipsis::Left;
  }
  if (term.ends_with(kDots)) {
    term.resize(term.size() - kDots.size());
    return Ellipsis::Right;
  }
  return Ellipsis::None;
}

// Distinct letters, and at least one.
bool is_term(const std::string& term) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !term.empty() && std::ranges::all_of(term, is_letter) &&
         std::set(term.begin(), term.end()).size() == term.size();
}

}  // namespace

Einsum parse_einsum(const std::string& equation) {
  const std::size_t comma = equation.find(',');
  const std::size_t arrow = equation.find("->");
  const auto refuse = [&] {
    return MalformedFile("the equation \"" + equation +
                         "\" has none of the forms x,y->z and ...x,y->...z and x...,y->z...");
  };
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow) throw refuse();
  Einsum result{equation.substr(0, comma), equation.substr(comma + 1, arrow - comma - 1), equation.substr(arrow + 2)};
  result.ellipsis = take_ellipsis(result.input);
  const bool same_ends = take_ellipsis(result.output) == result.ellipsis;
  if (!same_ends || !is_term(result.input) || !is_term(result.weight) || !is_term(result.output)) throw refuse();
  return result;
}

std::size_t elided_axes(const Einsum& einsum, const SymbolicShape& input) {
  const bool fits =
      einsum.ellipsis == Ellipsis::None ? input.size() == einsum.input.size() : input.size() >= einsum.input.size();
  if (!fits) throw MalformedFile("its input has shape " + to_string(input) + ", expected the axes " + einsum.input);
  return input.size() - einsum.input.size();
}

SymbolicShape einsum_shape(const Einsum& einsum, const SymbolicShape& input, const Shape& weight) {
  const std::size_t elided = elided_axes(einsum, input);
  const std::size_t first = einsum.ellipsis == Ellipsis::Left ? elided : 0;
  if (weight.size() != einsum.weight.size())
    throw MalformedFile("its weight has shape " + to_string(weight) + ", expected the axes " + einsum.weight);
  std::map<char, Size> sizes;
  for (std::size_t i = 0; i < einsum.input.size(); ++i) sizes[einsum.input[i]] = input[first + i];
  for (std::size_t i = 0; i < weight.size(); ++i) {
    const auto [known, is_new] = sizes.emplace(einsum.weight[i], weight[i]);
    if (!is_new && !known->second.is_open() && known->second != Size(weight[i]))
      throw MalformedFile("its input has shape " + to_string(input) + ", which does not fit a weight of shape " +
                          to_string(weight));
  }
  SymbolicShape result;
  for (const char axis : einsum.output) {
    const auto known = sizes.find(axis);
    if (known == sizes.end()) throw MalformedFile("the equation's axis \"" + std::string(1, axis) + "\" has no size");
    result.push_back(known->second);
  }
  const auto dots =
      input.begin() + static_cast<std::ptrdiff_t>(einsum.ellipsis == Ellipsis::Left ? 0 : einsum.input.size());
  result.insert(einsum.ellipsis == Ellipsis::Left ? result.begin() : result.end(), dots,
                dots + static_cast<std::ptrdiff_t>(elided));
  return result;
}

Shape einsum_bias_shape(const Einsum& einsum, const std::string& bias_axes, const SymbolicShape& output) {
  const std::size_t elided = output.size() - einsum.output.size();
  const std::size_t offset = einsum.ellipsis == Ellipsis::Left ? elided : 0;
  std::size_t first = einsum.output.size();
  for (const char axis : bias_axes) {
    const std::size_t place = einsum.output.find(axis);
    if (place == std::string::npos)
      throw MalformedFile("the bias's axis \"" + std::string(1, axis) + "\" is not in the equation's result");
    first = std::min(first, place);
  }
  Shape result;
  for (std::size_t i = first; i < einsum.output.size(); ++i) {
    const bool along = bias_axes.find(einsum.output[i]) != std::string::npos;
    const auto size = along ? output[offset + i].value() : std::optional<std::int64_t>(1);
    if (!size) throw MalformedFile("the bias's axis \"" + std::string(1, einsum.output[i]) + "\" has an open size");
    result.push_back(*size);
  }
  if (einsum.ellipsis == Ellipsis::Right) result.resize(result.size() + elided, 1);
  return result;
}

}  // namespace h5bridge::linear
