#include "facets/torch_source/signature.h"

namespace h5bridge::shape {
namespace {

TorchSource flatten_channels_last() {
  return torch_code("Flatten", [](const SourceCall& call) -> Python {
    const std::int64_t end = call.attributes().integer("end_dim");
    return "torch.flatten(" + call.input().receiver() + ".movedim(1, -1), " +
           std::to_string(call.attributes().integer("start_dim")) +
           (end == -1 ? ")" : ", " + std::to_string(end) + ")");
  });
}

// Keras's Flatten begins behind the batch, which PyTorch's function does not by itself.
TorchSource flatten() {
  TorchSource result = torch_module("nn.Flatten(start_dim, end_dim)");
  result.function_name = "flatten";
  result.function = [](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    const std::int64_t end = a.integer("end_dim");
    return "torch.flatten(" + call.input().text + ", " + std::to_string(a.integer("start_dim")) +
           (end == -1 ? "" : ", " + std::to_string(end)) + ")";
  };
  return result;
}

// One element stands for itself, several are a list.
std::string axes(const Attributes& a, std::string_view name) {
  const std::vector<std::int64_t>& values = a.integers(name);
  return values.size() == 1 ? std::to_string(values[0]) : python_value(a.at(name)).text;
}

Python squeeze(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const bool all = a.is_none("dim") || a.integers("dim").empty();
  return call.input().receiver() + ".squeeze(" + (all ? "" : axes(a, "dim")) + ")";
}

Python movedim(const SourceCall& call) {
  const Attributes& a = call.attributes();
  return call.input().receiver() + ".movedim(" + axes(a, "source") + ", " + axes(a, "destination") + ")";
}

// A view of contiguous elements where the input is contiguous; a copy elsewhere, where view() would fail.
TorchSource reshape(const std::string& type) { return torch_function_as(type, "input.reshape(*shape)"); }

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {flatten(),
          flatten_channels_last(),
          torch_module("nn.Unflatten(dim, unflattened_size)"),
          torch_function_as("Unflatten", "input.unflatten(dim, unflattened_size)"),
          reshape("view"),
          reshape("reshape"),
          torch_code("squeeze", squeeze),
          torch_function("input.unsqueeze(dim)"),
          torch_function("input.permute(*dims)"),
          torch_function("input.transpose(dim0, dim1)"),
          torch_code("movedim", movedim)};
}

}  // namespace h5bridge::shape
