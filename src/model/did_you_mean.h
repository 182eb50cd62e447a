// The name that was meant, where a name is misspelled.
#pragma once

#include <string>
#include <vector>

namespace h5bridge {

/// "; did you mean conv1?": the one of `known` that takes the fewest letters to become `name` (left out, added, changed
/// or swapped), if these are at most a third, or else the shortest one that `name` begins; "" where there is none.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& known);

/// The same of a file that is not there, and those in its folder.
std::string did_you_mean_file(const std::string& path);

}  // namespace h5bridge
