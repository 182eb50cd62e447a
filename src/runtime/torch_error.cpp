#include "runtime/torch_error.h"

#include <c10/util/Exception.h>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

std::string line(const std::string& where, const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  return (where.empty() ? "LibTorch: " : where + ": ") + text.substr(0, text.find('\n'));
}

bool says_out_of_memory(const c10::Error& error) {
  return std::string_view(error.what_without_backtrace()).find("can't allocate memory") != std::string_view::npos;
}

// Some of LibTorch's refusals of element types are of no class of their own.
bool says_unsupported(const c10::Error& error) {
  return std::string_view(error.what_without_backtrace()).find("is not supported") != std::string_view::npos;
}

}  // namespace

void rethrow_torch_error(const std::string& where) {
  try {
    throw;
  } catch (const ThrownByCaller& caller) {
    std::rethrow_exception(caller.thrown);
  } catch (const c10::OutOfMemoryError& error) {
    throw SystemFailure(line(where, error));
  } catch (const c10::NotImplementedError& error) {
    throw Unsupported(line(where, error));
  } catch (const c10::Error& error) {
    if (says_out_of_memory(error)) throw SystemFailure(line(where, error));
    if (says_unsupported(error)) throw Unsupported(line(where, error));
    throw UsageError(line(where, error));
  } catch (...) {
    try {
      rethrow_as_error();
    } catch (const Error& error) {
      if (where.empty()) throw;
      rethrow_in_file(error, where);
    }
  }
}

}  // namespace h5bridge
