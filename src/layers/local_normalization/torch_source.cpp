#include "facets/torch_source/signature.h"

namespace h5bridge::local_normalization {
namespace {

Python normalize(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const std::vector<std::int64_t>& dims = a.integers("dim");
  std::string settings;
  if (a.number("p") != 2) settings += ", p=" + python_float(a.number("p"));
  if (dims != std::vector<std::int64_t>{1})
    settings += ", dim=" + (dims.size() == 1 && !call.place.is_script() ? std::to_string(dims[0])
                                                                        : python_value(a.at("dim")).text);
  if (a.number("eps") != 1e-12) settings += ", eps=" + python_float(a.number("eps"));
  return "F.normalize(" + call.input().text + settings + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_module("nn.LocalResponseNorm(size, *, alpha, beta, k)"), torch_code("normalize", normalize)};
}

}  // namespace h5bridge::local_normalization
