// LibTorch's errors as ours: one line that says where.
#pragma once

#include <string>

namespace h5bridge {

/// Called in a handler: throws what is being handled as an h5bridge error that names `where`. Out of memory becomes
/// SystemFailure, an operation that LibTorch does not have Unsupported, anything else that LibTorch refuses UsageError.
[[noreturn]] void rethrow_torch_error(const std::string& where);

template <typename Work>
auto torch_call(const std::string& where, Work&& work) {
  try {
    return work();
  } catch (...) {
    rethrow_torch_error(where);
  }
}

}  // namespace h5bridge
