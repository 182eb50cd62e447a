#include "convert/temporaries.h"

#include <filesystem>
#include <set>
#include <system_error>

namespace h5bridge {
namespace {

// Never destroyed: a thread may ask for it to the end.
struct NotedTemporaries {
  std::recursive_mutex mutex;
  std::set<std::string> paths;
};

NotedTemporaries& noted() {
  static NotedTemporaries& result = *new NotedTemporaries();
  return result;
}

std::uint64_t bytes_of(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    const std::uint64_t size = std::filesystem::file_size(path, error);
    return error ? 0 : size;
  }
  std::uint64_t sum = 0;
  for (std::filesystem::directory_iterator file(path, error), end; !error && file != end; file.increment(error))
    sum += bytes_of(file->path());
  return sum;
}

}  // namespace

void note_temporary(const std::string& path) {
  const std::lock_guard lock(noted().mutex);
  noted().paths.insert(path);
}

void forget_temporary(const std::string& path) {
  const std::lock_guard lock(noted().mutex);
  noted().paths.erase(path);
}

void remove_temporaries() noexcept {
  const std::lock_guard lock(noted().mutex);
  std::error_code ignored;
  for (const std::string& path : noted().paths) std::filesystem::remove_all(path, ignored);
  noted().paths.clear();
}

std::uint64_t bytes_in_temporaries() noexcept {
  const std::lock_guard lock(noted().mutex);
  std::uint64_t sum = 0;
  for (const std::string& path : noted().paths) sum += bytes_of(path);
  return sum;
}

std::unique_lock<std::recursive_mutex> keep_temporaries() { return std::unique_lock(noted().mutex); }

}  // namespace h5bridge
