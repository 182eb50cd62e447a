#include "runner/library.h"

#include <dlfcn.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr const char* kLibrary = "libh5bridge_torch.so";

std::atomic<bool> asked_for = false;

/// The directory of the library (or the program) that this code is in; empty if the system does not tell.
std::filesystem::path own_directory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&torch_function_named), &info) == 0 || !info.dli_fname) return {};
  return std::filesystem::path(info.dli_fname).parent_path();
}

std::string last_error() {
  const char* message = dlerror();
  return message ? message : "unknown error";
}

void* open_library() {
  const std::filesystem::path beside = own_directory() / kLibrary;
  std::error_code ignored;
  const bool is_there = std::filesystem::exists(beside, ignored);
  if (void* library = dlopen(is_there ? beside.c_str() : kLibrary, RTLD_NOW | RTLD_LOCAL)) return library;
  if (is_there) throw SystemFailure("cannot load " + last_error());
  throw SystemFailure("this h5bridge is built without LibTorch (configure with -DH5BRIDGE_TORCH=ON)");
}

/// Opened once, whoever comes first; after a failure the next one tries again, and gets the error.
void* the_library() {
  asked_for = true;
  static void* const library = open_library();  // stays loaded to the end: LibTorch cannot be unloaded
  return library;
}

}  // namespace

void* torch_function_named(const char* name) {
  void* symbol = dlsym(the_library(), name);
  if (!symbol) throw SystemFailure("cannot use " + last_error());
  return symbol;
}

void load_torch_ahead() {
  asked_for = true;
  std::thread([] {
    try {
      the_library();
    } catch (const Error&) {
      // Who asks for a function of it is told.
    }
  }).detach();
}

bool is_torch_asked_for() { return asked_for; }

}  // namespace h5bridge
