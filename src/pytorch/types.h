// torch's names for element types.
#pragma once

#include <optional>
#include <string_view>

#include "h5bridge/dtype.h"

namespace h5bridge {

/// "FloatStorage" for Float32; empty for a type that torch keeps in an UntypedStorage.
std::string_view storage_class_of(DType dtype);
/// The inverse; nullopt for any other word.
std::optional<DType> dtype_of_storage_class(std::string_view name);

}  // namespace h5bridge
