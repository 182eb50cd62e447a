#include "facets/keras/keras_plan.h"

#include <algorithm>

namespace h5bridge {

std::string keras_name(const std::string& path) {
  std::string result = path;
  std::replace_if(result.begin(), result.end(), [](char c) { return c == '.' || c == '/'; }, '_');
  return result;
}

}  // namespace h5bridge
