// torch's names for element types.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "h5bridge/dtype.h"

namespace h5bridge {

/// "FloatStorage" for Float32; empty for a type that torch keeps in an UntypedStorage.
std::string_view storage_class_of(DType dtype);
/// The inverse; nullopt for any other word.
std::optional<DType> dtype_of_storage_class(std::string_view name);

/// Bytes of an element of any of torch's storages, also of those that have no equivalent here: "QInt32Storage" is 4,
/// "UntypedStorage" 1. nullopt for any other word.
std::optional<std::size_t> element_size_of_storage_class(std::string_view name);

}  // namespace h5bridge
