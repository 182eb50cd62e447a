// Two HDF5 files compared as what they hold, by the C library alone: groups, data sets and attributes, their types,
// shapes and bytes. What a file leaves free (the places of things in it, chunks, unused room) does not count.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/json.h"

namespace h5bridge::testing {

/// A line for each thing that differs, by its path ("model_weights/dense/kernel", "/@model_config"); texts that are
/// JSON are compared as JSON.
std::vector<std::string> h5_differences(const std::string& found, const std::string& expected);

/// A line for each value that differs, by its path below `place`. The order of keys does not count; 1 and 1.0 differ.
std::vector<std::string> json_differences(const Json& found, const Json& expected, const std::string& place = "");

}  // namespace h5bridge::testing
