#include "facets/keras/keras_plan.h"

#include <algorithm>

#include "model/model_itself.h"

namespace h5bridge {

std::string keras_name(const std::string& path) {
  std::string result = path.substr(is_model_itself(path) && path.size() > 1);
  std::replace_if(result.begin(), result.end(), [](char c) { return c == '.' || c == '/'; }, '_');
  return result;
}

}  // namespace h5bridge
