// What the facets of this family share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge::products {

/// Letters for axes; "..." stands for all that have none.
struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

/// Reads an equation for so many inputs; where it names no output, that has the letters that stand once, in order.
/// Throws MalformedFile.
Equation parse_equation(const std::string& text, std::size_t inputs);
std::string to_text(const Equation& equation);

/// The same equation as Keras takes it: without spaces, with an output, in small letters, which come in the order of
/// the letters that there were (upper case before lower): in that order are sums added up. Throws MalformedFile.
std::string plain_equation(const std::string& text);

/// An attribute that is an equation.
AttributeSpec required_equation(std::string name, std::string meaning);

/// The shape of what it makes of these inputs. Throws MalformedFile where they do not fit.
SymbolicShape contracted(const Equation& equation, const std::vector<SymbolicShape>& inputs);

/// The axes, counted from the start, along which Keras's Dot works. Throws MalformedFile.
std::pair<std::int64_t, std::int64_t> dot_axes(const Attributes& attributes, std::size_t first_rank,
                                               std::size_t second_rank);

/// The axis of three elements along which a cross product works. Throws MalformedFile where there is none.
std::int64_t cross_axis(const Attributes& attributes, const SymbolicShape& shape);

}  // namespace h5bridge::products
