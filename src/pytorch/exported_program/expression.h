// Sizes of an exported program, which it writes as SymPy prints expressions for the machine:
// "Add(Symbol('s77', positive=True, integer=True), Integer(1))".
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "h5bridge/size.h"

namespace h5bridge {

/// The size that an expression is, with `symbol` for what each of its symbols is. Throws Unsupported for what is no
/// sum, product or quotient (the larger of two sizes), MalformedFile for a text of another form.
Size size_of_expression(std::string_view text, const std::function<Size(const std::string&)>& symbol);

}  // namespace h5bridge
