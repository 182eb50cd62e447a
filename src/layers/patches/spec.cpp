// Windows of an image as columns, and columns as windows that are added up.
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::patches {
namespace {

using Shapes = std::vector<SymbolicShape>;

std::vector<AttributeSpec> windows() {
  return {required_tuple("kernel_size", 2, "size of the window"),
          tuple("dilation", 2, 1, "distance of the window's elements"), tuple("padding", 2, 0, "zeros at both ends"),
          tuple("stride", 2, 1, "step of the window")};
}

void check(const Attributes& a) {
  for (const char* name : {"kernel_size", "dilation", "stride"}) check_at_least(a, name, 1);
  check_at_least(a, "padding", 0);
}

// How many windows an image of these sizes has.
Size window_count(const Attributes& a, const Size& height, const Size& width) {
  Size result(1);
  for (std::size_t i = 0; i < 2; ++i) {
    const Size& size = i == 0 ? height : width;
    const std::int64_t covered = a.integers("dilation")[i] * (a.integers("kernel_size")[i] - 1) + 1;
    const Size room = size + 2 * a.integers("padding")[i] - covered;
    if (room.value().value_or(0) < 0)
      throw MalformedFile("its window of " + std::to_string(covered) + " does not fit into " + size.str());
    result = result * (room.floor_divide(a.integers("stride")[i]) + 1);
  }
  return result;
}

LayerType columns(const std::string& name, const std::string& summary) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/nn/modules/fold.py; keras/src/ops/nn.py";
  type.attributes = windows();
  type.check = check;
  type.dtypes = keeps();
  return type;
}

void expect_rank(const SymbolicShape& input, std::size_t rank) {
  if (input.size() != rank)
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(rank) + " axes");
}

LayerType unfold() {
  LayerType type = columns("Unfold", "each window of an image, with all its channels, as a column");
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    const SymbolicShape& input = inputs.at(0);
    expect_rank(input, 4);
    const std::int64_t window = a.integers("kernel_size")[0] * a.integers("kernel_size")[1];
    return {{input[0], input[1] * window, window_count(a, input[2], input[3])}};
  };
  type.samples = {{"windows", {{"kernel_size", 3}}, {{2, 3, 7, 6}}},
                  {"all settings",
                   {{"kernel_size", Json::Array{2, 3}},
                    {"dilation", Json::Array{2, 1}},
                    {"padding", Json::Array{1, 2}},
                    {"stride", Json::Array{2, 3}}},
                   {{3, 2, 8, 7}}},
                  {"batch of one", {{"kernel_size", 2}, {"stride", 2}}, {{1, 4, 5, 9}}}};
  return type;
}

LayerType fold() {
  LayerType type = columns("Fold", "an image of columns, each a window with all its channels; what overlaps is added");
  type.attributes.insert(type.attributes.begin(), required_tuple("output_size", 2, "height and width of the image"));
  type.check = [](const Attributes& a) {
    check_at_least(a, "output_size", 1);
    check(a);
  };
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    const SymbolicShape& input = inputs.at(0);
    expect_rank(input, 3);
    const auto &size = a.integers("output_size"), &kernel = a.integers("kernel_size");
    const Size window(kernel[0] * kernel[1]), channels = input[1].floor_divide(window);
    if (channels * window != input[1])
      throw MalformedFile("its input of shape " + to_string(input) + " has no windows of " +
                          std::to_string(kernel[0] * kernel[1]) + " elements");
    const Size count = window_count(a, size[0], size[1]);
    if (input[2].value() && input[2] != count)
      throw MalformedFile("its input has " + input[2].str() + " columns, expected " + count.str());
    return {{input[0], channels, size[0], size[1]}};
  };
  type.samples = {{"overlapping", {{"output_size", Json::Array{5, 4}}, {"kernel_size", 3}}, {{2, 18, 6}}},
                  {"all settings",
                   {{"output_size", Json::Array{8, 7}},
                    {"kernel_size", Json::Array{2, 3}},
                    {"dilation", Json::Array{2, 1}},
                    {"padding", Json::Array{1, 2}},
                    {"stride", Json::Array{2, 3}}},
                   {{3, 12, 12}}}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {unfold(), fold()}; }

}  // namespace h5bridge::patches
