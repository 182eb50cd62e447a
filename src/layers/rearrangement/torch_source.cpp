#include "facets/torch_source/signature.h"

namespace h5bridge::rearrangement {
namespace {

constexpr PythonHelper kRegroup{"regroup",
                                R"py(def regroup(x, groups):
    """The same channels, counted by their place in a group first, as Keras does."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2))py",
                                {},
                                R"ts(def regroup(x: Tensor, groups: int) -> Tensor:
  return x.unflatten(1, [groups, -1]).transpose(1, 2).flatten(1, 2)
)ts"};

Python shuffle(const SourceCall& call) {
  const std::int64_t factor = call.attributes().integer("upscale_factor");
  return "F.pixel_shuffle(" + call.helper(kRegroup) + "(" + call.input().text + ", " + std::to_string(factor * factor) +
         "), " + std::to_string(factor) + ")";
}

Python unshuffle(const SourceCall& call) {
  const std::int64_t factor = call.attributes().integer("downscale_factor");
  const std::string x = call.input().text;
  return call.helper(kRegroup) + "(F.pixel_unshuffle(" + x + ", " + std::to_string(factor) + "), " +
         call.place.size(call.input_shape().at(1)).text + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_module("nn.PixelShuffle(upscale_factor)", "F.pixel_shuffle(input, upscale_factor)"),
          torch_module("nn.PixelUnshuffle(downscale_factor)", "F.pixel_unshuffle(input, downscale_factor)"),
          torch_code("PixelShuffle", shuffle),
          torch_code("PixelUnshuffle", unshuffle),
          torch_module("nn.ChannelShuffle(groups)"),
          torch_function("input.unfold(dimension, size, step)"),
          torch_function("torch.diagonal(input, offset, *, dim1, dim2)"),
          torch_code("meshgrid", [](const SourceCall& call) -> Python {
            std::vector<std::string> tensors;
            for (const Python& tensor : call.list("tensors")) tensors.push_back(tensor.text);
            return "torch.meshgrid(" + joined(tensors) +
                   ", indexing=" + python_string(call.attributes().text("indexing")) + ")";
          })};
}

}  // namespace h5bridge::rearrangement
