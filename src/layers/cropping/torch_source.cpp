#include "facets/torch_source/signature.h"

namespace h5bridge::cropping {
namespace {

// "1:-2"; an axis of which nothing is taken off is ":".
std::string kept(std::int64_t before, std::int64_t after) {
  return (before ? std::to_string(before) : "") + ":" + (after ? std::to_string(-after) : "");
}

Python crop(const SourceCall& call) {
  const std::vector<std::int64_t>& cropping = call.attributes().integers("cropping");
  std::vector<std::string> items{":", ":"};
  for (std::size_t i = 0; i < cropping.size(); i += 2) items.push_back(kept(cropping[i], cropping[i + 1]));
  return call.input().receiver() + "[" + joined(items) + "]";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_code("Cropping1D", crop), torch_code("Cropping2D", crop), torch_code("Cropping3D", crop)};
}

}  // namespace h5bridge::cropping
