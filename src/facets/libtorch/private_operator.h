// Operators that LibTorch has for its compilers, without a promise that the next version has them.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <string_view>

namespace h5bridge {

/// An operator as a function of this type, if LibTorch has one of that name whose schema has exactly these arguments,
/// in parentheses.
template <typename Function>
std::optional<c10::TypedOperatorHandle<Function>> find_operator(const char* name, const char* overload,
                                                                std::string_view arguments) {
  const auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!handle) return std::nullopt;
  std::string stated = c10::toString(handle->schema());
  stated = stated.substr(stated.find('('));
  if (stated.substr(0, stated.rfind(" ->")) != arguments) return std::nullopt;
  try {
    return handle->typed<Function>();
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

}  // namespace h5bridge
