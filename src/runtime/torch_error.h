// LibTorch's errors as ours: one line that says where.
#pragma once

#include <exception>
#include <string>

namespace h5bridge {

/// What a function of the caller's threw while we called it: it leaves the library as it came.
struct ThrownByCaller {
  std::exception_ptr thrown;
};

/// Called in a handler: throws what is being handled as an h5bridge error that names `where`, unless that is empty. Out
/// of memory becomes SystemFailure, an operation that LibTorch does not have Unsupported, anything else that LibTorch
/// refuses UsageError.
[[noreturn]] void rethrow_torch_error(const std::string& where);

template <typename Work>
auto torch_call(const std::string& where, Work&& work) {
  try {
    return work();
  } catch (...) {
    rethrow_torch_error(where);
  }
}

/// The edge of this library, as with_errors is of the one without LibTorch.
template <typename Work>
auto with_torch_errors(Work&& work) {
  return torch_call("", work);
}

}  // namespace h5bridge
