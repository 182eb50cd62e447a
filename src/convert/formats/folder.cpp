#include "convert/formats/folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace h5bridge {

std::vector<std::string> names_in_folder(const std::string& path) {
  constexpr std::size_t kMost = 10000;
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end && names.size() < kMost;
       entry.increment(error))
    names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  return names;
}

bool folder_has(const std::string& path, std::string_view name) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::path(path) / name, ignored);
}

}  // namespace h5bridge
