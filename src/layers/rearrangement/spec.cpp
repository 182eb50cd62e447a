// The same elements in other places: channels and blocks of images, diagonals, windows, grids.
#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/rearrangement/channels.h"

namespace h5bridge::rearrangement {
namespace {

using Shapes = std::vector<SymbolicShape>;

void expect_multiple(const Size& size, std::int64_t factor, const char* what) {
  if (size.value().value_or(0) % factor != 0)
    throw MalformedFile(std::string(what) + " " + size.str() + " are no multiple of " + std::to_string(factor));
}

// Blocks of `factor` by `factor` elements that channels become (`to_blocks`), or that become channels.
LayerType pixel_shuffle(const std::string& name, const std::string& summary, const std::string& factor,
                        bool to_blocks) {
  LayerType type = function_type(
      name, summary,
      {required_integer(factor, "height and width of a block"),
       boolean(kBlocksFirst, false, "Keras's: channels are counted by their place in the block first"), data_format()});
  type.source = "torch/nn/modules/pixelshuffle.py; keras/src/ops/nn.py";
  type.layout = follows_data_format();
  type.check = [factor](const Attributes& a) { check_at_least(a, factor, 1); };
  type.shapes = [factor, to_blocks](const Attributes& a, const Shapes& inputs) -> Shapes {
    const Size block(a.integer(factor));
    SymbolicShape spatial = spatial_sizes(a, inputs.at(0), 2);
    Size channels = inputs[0][channel_axis(a, 4)];
    if (to_blocks) expect_multiple(channels, a.integer(factor) * a.integer(factor), "its channels");
    channels = to_blocks ? channels.floor_divide(block * block) : channels * block * block;
    for (Size& size : spatial) {
      if (!to_blocks) expect_multiple(size, a.integer(factor), "its rows or columns");
      size = to_blocks ? size * block : size.floor_divide(block);
    }
    return {with_channels(a, inputs[0][0], channels, spatial)};
  };
  const auto image = [&](std::int64_t block, std::int64_t batch) {
    return to_blocks ? Shape{batch, 2 * block * block, 4, 5} : Shape{batch, 3, 2 * block, 3 * block};
  };
  type.samples = {{"blocks of 2", {{factor, 2}}, {image(2, 3)}},
                  {"blocks of 3", {{factor, 3}}, {image(3, 1)}},
                  {"Keras's order", {{factor, 2}, {kBlocksFirst, true}}, {image(2, 2)}}};
  return type;
}

LayerType channel_shuffle() {
  LayerType type = function_type("ChannelShuffle", "channels taken in turn from each of several groups",
                                 {required_integer("groups", "how many groups"), data_format()});
  type.source = "torch/nn/modules/channelshuffle.py";
  type.layout = follows_data_format();
  type.check = [](const Attributes& a) { check_at_least(a, "groups", 1); };
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    if (inputs.at(0).size() < 3)
      throw MalformedFile("its input has shape " + to_string(inputs[0]) + ", expected at least 3 axes");
    expect_multiple(inputs[0][channel_axis(a, static_cast<std::int64_t>(inputs[0].size()))], a.integer("groups"),
                    "its channels");
    return {inputs[0]};
  };
  type.samples = {{"images", {{"groups", 3}}, {{2, 6, 4, 5}}}, {"sequences", {{"groups", 2}}, {{3, 4, 5}}}};
  return type;
}

LayerType unfold() {
  LayerType type =
      function_type("unfold", "windows along an axis, whose elements become the last one",
                    {required_integer("dimension", "the axis"), required_integer("size", "elements of a window"),
                     required_integer("step", "from one window to the next")});
  type.check = [](const Attributes& a) {
    check_at_least(a, "size", 1);
    check_at_least(a, "step", 1);
  };
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    Size& size = result[resolve_axis(a.integer("dimension"), static_cast<std::int64_t>(result.size()))];
    const Size window = a.open_integer("size"), step = a.open_integer("step");
    if (window.value() && step.value())
      size = windows_in(size, {.kernel = *window.value(), .stride = *step.value()}, {0, 0});
    else
      size = (size - window).floor_divide(step) + Size(1);
    result.push_back(window);
    return {result};
  };
  type.samples = {{"last axis", {{"dimension", -1}, {"size", 3}, {"step", 2}}, {{3, 8}}},
                  {"middle axis", {{"dimension", 1}, {"size", 2}, {"step", 1}}, {{2, 5, 4}}},
                  {"the batch", {{"dimension", 0}, {"size", 2}, {"step", 3}}, {{7, 3}}}};
  return type;
}

// Of a pair of axes.
LayerType diagonal() {
  LayerType type = function_type("diagonal", "a diagonal of two axes as the last axis",
                                 {integer("offset", 0, "how far above the main one"),
                                  integer("dim1", 0, "the axis of rows"), integer("dim2", 1, "the axis of columns")});
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    const auto rank = static_cast<std::int64_t>(result.size());
    const std::int64_t first = resolve_axis(a.integer("dim1"), rank);
    const std::int64_t second = resolve_axis(a.integer("dim2"), rank);
    if (first == second) throw MalformedFile("its two axes are the same");
    const auto rows = result[first].value();
    const auto columns = result[second].value();
    if (!rows || !columns)
      throw Unsupported("the diagonal of " + result[first].str() + " rows and " + result[second].str() +
                        " columns has a size that is not known; LoadOptions::fix_sizes may help");
    const std::int64_t offset = a.integer("offset");
    const std::int64_t length = offset >= 0 ? std::min(*rows, *columns - offset) : std::min(*rows + offset, *columns);
    result.erase(result.begin() + std::max(first, second));
    result.erase(result.begin() + std::min(first, second));
    result.push_back(std::max<std::int64_t>(length, 0));
    return {result};
  };
  type.samples = {{"last axes", {{"dim1", -2}, {"dim2", -1}}, {{2, 4, 5}}},
                  {"above", {{"offset", 1}, {"dim1", 1}, {"dim2", 3}}, {{2, 3, 4, 5}}},
                  {"below", {{"offset", -2}, {"dim1", 2}, {"dim2", 1}}, {{3, 4, 5}}}};
  return type;
}

LayerType meshgrid() {
  LayerType type = function_type("meshgrid", "the coordinates of a grid, given those along each axis",
                                 {text("indexing", "ij", {"ij", "xy"},
                                       "whether the first two axes are rows and columns, or the other way round")});
  type.operands = {list("tensors", 1, 100)};
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape grid;
    for (const SymbolicShape& input : inputs) {
      if (input.size() != 1) throw MalformedFile("its input has shape " + to_string(input) + ", expected one axis");
      grid.push_back(input[0]);
    }
    if (a.text("indexing") == "xy" && grid.size() > 1) std::swap(grid[0], grid[1]);
    return Shapes(inputs.size(), grid);
  };
  const std::vector<std::size_t> axes{0, Sample::kNoBatch, Sample::kNoBatch};
  type.samples = {
      {.what = "rows first",
       .attributes = {{"indexing", "ij"}},
       .inputs = {{3}, {5}},
       .batch_axes = {0, Sample::kNoBatch}},
      {.what = "columns first", .attributes = {{"indexing", "xy"}}, .inputs = {{3}, {5}, {2}}, .batch_axes = axes}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      pixel_shuffle("PixelShuffle", "channels as blocks of elements", "upscale_factor", true),
      pixel_shuffle("PixelUnshuffle", "blocks of elements as channels", "downscale_factor", false),
      channel_shuffle(),
      unfold(),
      diagonal(),
      meshgrid(),
  };
}

}  // namespace h5bridge::rearrangement
