// What is in a folder, for formats that are folders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace h5bridge {

/// The names of what lies in a folder, sorted; none of one that cannot be read. Those of a folder with more than some
/// thousands of files are cut off: no format has as many at its top.
std::vector<std::string> names_in_folder(const std::string& path);

bool folder_has(const std::string& path, std::string_view name);

}  // namespace h5bridge
