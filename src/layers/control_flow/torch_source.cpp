#include "facets/torch_source/signature.h"

namespace h5bridge::control_flow {
namespace {

// Where one of them takes more than an expression, the forward has an if (pytorch/python_source/blocks.h).
Python cond(const SourceCall& call) {
  const std::string condition =
      call.place.is_script() ? "bool(" + call.input(0).text + ")" : call.input(0).within(Binding::Comparison);
  return {call.input(1).within(Binding::Comparison) + " if " + condition + " else " +
              call.input(2).within(Binding::Comparison),
          Binding::Conditional};
}

}  // namespace

std::vector<TorchSource> torch_sources() { return {torch_code("cond", cond)}; }

}  // namespace h5bridge::control_flow
