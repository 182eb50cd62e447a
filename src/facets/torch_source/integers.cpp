#include "facets/torch_source/integers.h"

namespace h5bridge {
namespace {

std::function<Python(const SourceCall&)> through_floats(std::function<Python(const SourceCall&)> inner) {
  if (!inner) return inner;
  return [inner = std::move(inner)](const SourceCall& call) -> Python {
    const DType dtype = call.input_types.at(0).at(0).dtype;
    if (is_floating_point(dtype) || dtype == DType::Int64 || dtype == DType::Bool || call.outputs.size() != 1)
      return inner(call);
    SourceCall of_floats = call;
    of_floats.operands.at(0).at(0) = call.input().receiver() + ".double()";
    return inner(of_floats).receiver() + ".to(" + python_value(AttributeValue(dtype)).text + ")";
  };
}

}  // namespace

TorchSource of_integers_too(TorchSource source) {
  source.call = through_floats(std::move(source.call));
  source.function = through_floats(std::move(source.function));
  return source;
}

}  // namespace h5bridge
