// Text of Python: literals, names and expressions, as black would write them. Whatever a file says gets into source
// through these alone, so that no name of a stranger's becomes code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/architecture.h"
#include "model/quoted.h"

namespace h5bridge {

/// How tightly the outermost operator of an expression binds, the loosest first.
enum class Binding { Conditional, Comparison, BitOr, BitXor, BitAnd, Sum, Product, Sign, Power, Atom };

/// An expression.
struct Python {
  std::string text;
  Binding binding = Binding::Atom;

  Python(std::string written, Binding outermost = Binding::Atom) : text(std::move(written)), binding(outermost) {}
  Python(const char* written) : text(written) {}
  /// In parentheses, unless it binds at least as tightly as `wanted`.
  std::string within(Binding wanted) const { return binding < wanted ? "(" + text + ")" : text; }
  /// What methods are called on.
  std::string receiver() const { return within(Binding::Atom); }
};

/// A string literal in double quotes, whose every character beyond plain ASCII is escaped.
std::string python_string(std::string_view text);
/// repr() of a float; infinities and NaN as float("inf").
std::string python_float(double value);
/// The same of a number that is read as a float32.
std::string python_float32(float value);
/// "(1, 2)", "(1,)", "()".
std::string python_tuple(const std::vector<std::string>& elements);
/// "[1, 2]".
std::string python_list(const std::vector<std::string>& elements);
/// A negative number binds like a sign.
Python python_number(const std::string& literal);

/// Whether it can stand where Python wants a name: ASCII letters, digits and underscores, and no keyword.
bool is_python_name(std::string_view text);
/// Whether a submodule, parameter or buffer of this name can be written `self.name`: it is no attribute of nn.Module.
bool is_attribute_name(std::string_view text);
/// `text` with all else made underscores: a name for a variable. `fallback` where nothing is left of it.
std::string variable_name(std::string_view text, std::string_view fallback);
/// The same as a class is called: "conv_block" is ConvBlock.
std::string class_name(std::string_view text, std::string_view fallback);
/// What may stand in a docstring or a comment: plain ASCII, in one line, without quotes and backslashes.
std::string plain_text(std::string_view text);

}  // namespace h5bridge
