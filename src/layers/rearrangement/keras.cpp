#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/rearrangement/channels.h"

namespace h5bridge::rearrangement {
namespace {

using Handle = KerasEmitter::Handle;
using Results = KerasEmitter::Results;
using Shapes = std::vector<SymbolicShape>;

bool is_last(const Attributes& a) { return a.text("data_format") == "channels_last"; }

// The channels of `groups` groups, one of each group after the other.
Handle emit_in_turn(const Attributes& a, Composition& steps, Handle x, std::int64_t groups) {
  const std::int64_t axis = channel_axis(a, steps.rank(x));
  const auto channels = steps.shape(x)[axis].value();
  if (!channels) throw Unsupported("open channels cannot be reordered in Keras; LoadOptions::fix_sizes may help");
  std::vector<std::int64_t> order(*channels);
  for (std::int64_t i = 0; i < *channels; ++i) order[i] = i % groups * (*channels / groups) + i / groups;
  return steps.take(x, axis, order);
}

// Keras counts a block's channels by their place first where they stand last, and as PyTorch does where they stand
// first.
KerasMapping blocks(const std::string& type, const std::string& class_name, const std::string& factor, bool to_blocks) {
  KerasMapping mapping = operation(
      type, class_name, {{factor, "block_size", spelling::integer()}, {"data_format", "data_format", spelling::text()}},
      {"x"}, kNN);
  mapping.derive = [](Attributes& a, const Shapes&) { a.set(kBlocksFirst, is_last(a)); };
  mapping.lower = [factor, to_blocks](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    const std::int64_t block = a.integer(factor);
    const Handle x = emitter.input(0);
    if (a.boolean(kBlocksFirst) == is_last(a)) return emitter.main(std::move(config), {x});
    Composition steps(emitter);
    const bool blocks_first = a.boolean(kBlocksFirst);
    if (to_blocks) {
      const auto channels = emitter.output_shape()[channel_axis(a, 4)].value().value_or(1);
      return emitter.main(std::move(config), {emit_in_turn(a, steps, x, blocks_first ? block * block : channels)});
    }
    const auto channels = emitter.input_shapes()[0][channel_axis(a, 4)].value().value_or(1);
    return emit_in_turn(a, steps, emitter.main(std::move(config), {x}).first(),
                        blocks_first ? channels : block * block);
  };
  const KerasSample last{"channels last",
                         {{"block_size", 2}, {"data_format", "channels_last"}},
                         {to_blocks ? Shape{2, 4, 5, 8} : Shape{2, 4, 6, 3}}};
  const KerasSample first{"channels first",
                          {{"block_size", 3}, {"data_format", "channels_first"}},
                          {to_blocks ? Shape{1, 18, 4, 5} : Shape{1, 2, 6, 3}}};
  mapping.samples = {last, first};
  return mapping;
}

KerasMapping channel_shuffle() {
  KerasMapping mapping = write_only(operation("ChannelShuffle", "Take"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
    Composition steps(emitter);
    return emit_in_turn(a, steps, emitter.input(0), a.integer("groups"));
  };
  return mapping;
}

// Every window's first element, its second one, ... next to each other.
KerasMapping unfold() {
  KerasMapping mapping = write_only(operation("unfold", "Stack"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
    Composition steps(emitter);
    const std::int64_t axis =
        resolve_axis(a.integer("dimension"), static_cast<std::int64_t>(emitter.input_shapes()[0].size()));
    const std::int64_t size = a.integer("size");
    std::vector<Handle> elements;
    for (std::int64_t k = 0; k < size; ++k)
      elements.push_back(steps.cut(emitter.input(0), axis,
                                   {k, k + 1 == size ? std::nullopt : std::optional(k + 1 - size), a.integer("step")}));
    return steps.last("Stack", {elements}, {{"axis", -1}});
  };
  return mapping;
}

KerasMapping meshgrid() {
  KerasMapping mapping = operation("meshgrid", "Meshgrid", {{"indexing", "indexing", spelling::text()}}, {});
  mapping.accepts = [](const Shapes& inputs) {
    return std::all_of(inputs.begin(), inputs.end(), [](const SymbolicShape& input) { return input.size() == 1; });
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      blocks("PixelShuffle", "DepthToSpace", "upscale_factor", true),
      blocks("PixelUnshuffle", "SpaceToDepth", "downscale_factor", false),
      channel_shuffle(),
      unfold(),
      operation("diagonal", "Diagonal",
                {{"offset", "offset", spelling::integer()},
                 {"dim1", "axis1", spelling::integer()},
                 {"dim2", "axis2", spelling::integer()}}),
      meshgrid(),
  };
}

}  // namespace h5bridge::rearrangement
