#include "facets/torch_source/signature.h"
#include "layers/augmentation/kinds.h"

namespace h5bridge::augmentation {
namespace {

// In evaluation they leave images alone.
Python as_it_is(const SourceCall& call) { return call.input(); }

Python as_floats(const SourceCall& call) {
  const bool is_float = is_floating_point(call.input_types.at(0).at(0).dtype);
  return is_float ? call.input() : Python(call.input().receiver() + ".float()");
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result;
  for (const Kind& kind : kinds()) result.push_back(torch_code(kind.class_name, kind.casts ? as_floats : as_it_is));
  return result;
}

}  // namespace h5bridge::augmentation
