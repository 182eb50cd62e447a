#include "runner/runner.h"

#include <dlfcn.h>

#include <filesystem>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr const char* kLibrary = "libh5bridge_torch.so";
constexpr const char* kEntry = "h5bridge_make_runner";
using Entry = Runner* (*)(const Model&, const RunOptions&);

/// The directory of the library (or the program) that this code is in; empty if the system does not tell.
std::filesystem::path own_directory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&make_runner), &info) == 0 || !info.dli_fname) return {};
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

Entry load_entry() {
  void* library = open_library();  // stays loaded to the end: LibTorch cannot be unloaded
  void* symbol = dlsym(library, kEntry);
  if (!symbol) throw SystemFailure("cannot use " + last_error());
  return reinterpret_cast<Entry>(symbol);
}

}  // namespace

std::unique_ptr<Runner> make_runner(const Model& model, const RunOptions& options) {
  static const Entry entry = load_entry();
  return std::unique_ptr<Runner>(entry(model, options));
}

}  // namespace h5bridge
