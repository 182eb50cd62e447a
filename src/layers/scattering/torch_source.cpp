#include "facets/torch_source/signature.h"

namespace h5bridge::scattering {
namespace {

Python one_hot(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const bool is_long = call.input_types.at(0).at(0).dtype == DType::Int64;
  const std::string ids = is_long ? call.input().text : call.input().receiver() + ".long()";
  const std::string result = "F.one_hot(" + ids + ", " + python_value(call, "num_classes").text + ")";
  return a.dtype("dtype") == DType::Int64 ? result : result + ".to(" + python_value(a.at("dtype")).text + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_code("one_hot", one_hot), torch_function("input.scatter(dim, index, src)"),
          torch_function("input.scatter_add(dim, index, src)")};
}

}  // namespace h5bridge::scattering
