#include "facets/torch_source/signature.h"

namespace h5bridge::repetition {
namespace {

Python repeat_vector(const SourceCall& call) {
  return call.input().receiver() + ".unsqueeze(1).repeat(1, " + python_value(call, "n").text + ", 1)";
}

Python repeat_interleave(const SourceCall& call) {
  const Attributes& a = call.attributes();
  return call.input().receiver() + ".repeat_interleave(" + python_value(call, "repeats").text +
         (a.is_none("dim") ? "" : ", dim=" + std::to_string(a.integer("dim"))) + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_function("input.expand(*size)"),
          torch_function_as("broadcast_to", "input.expand(*size)"),
          torch_function("input.expand_as(other)"),
          torch_function("input.repeat(*repeats)"),
          torch_function("input.tile(*dims)"),
          torch_code("repeat_interleave", repeat_interleave),
          torch_code("RepeatVector", repeat_vector),
          torch_function("input.flip(*dims)"),
          torch_function("torch.roll(input, shifts, dims)"),
          torch_function("torch.tril(input, diagonal)"),
          torch_function("torch.triu(input, diagonal)")};
}

}  // namespace h5bridge::repetition
