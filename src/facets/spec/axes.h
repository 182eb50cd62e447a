// What functions on axes share: attributes that name axes, and shapes that broadcast.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "facets/spec/layer_type.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

/// One axis or several.
AttributeSpec required_axes(std::string name, std::string meaning);
/// One axis or several; None, the default, means all of them.
AttributeSpec axes_or_all(std::string name, std::string meaning);

/// The axes that an attribute names, counted from the start: an integer, a list, or all for None and for no axis.
/// Throws MalformedFile for an axis out of range and for one named twice.
std::vector<std::int64_t> axes_in(const Attributes& attributes, std::string_view name, std::int64_t rank);
/// The reverse: names `axes` in an attribute of either kind; None stays None.
void set_axes(Attributes& attributes, std::string_view name, const std::vector<std::int64_t>& axes);

/// The shape that results have whose inputs have these: axes are aligned at the end, and a size of 1 stretches. Throws
/// MalformedFile where they do not fit.
SymbolicShape broadcast(const SymbolicShape& a, const SymbolicShape& b);
SymbolicShape broadcast(const std::vector<SymbolicShape>& shapes);

/// Throws MalformedFile: shapes that should fit together do not.
[[noreturn]] void throw_misfit(const SymbolicShape& a, const SymbolicShape& b);

/// The product of sizes.
Size element_count(const SymbolicShape& shape);

}  // namespace h5bridge
