// A list of integers, each of which may be None where an attribute says so.
#pragma once

#include <limits>

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// An integer of a list that is None.
inline constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

/// Any number of integers; one stands for a list of one.
AttributeSpec required_integers(std::string name, std::string meaning);
/// `length` integers, or one that stands for them all.
AttributeSpec required_tuple(std::string name, std::size_t length, std::string meaning);
AttributeSpec tuple(std::string name, std::size_t length, std::int64_t fallback, std::string meaning);
/// Likewise, but each may be None; any number of them where `length` is 0.
AttributeSpec required_optional_integers(std::string name, std::size_t length, std::string meaning);

/// The kind by itself, for kinds that take more besides.
AttributeKindPtr integers_kind(std::size_t length);

}  // namespace h5bridge
