#include "pytorch/module_input.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/tensor_type.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostAxes = 5;

using Sizes = std::map<std::string, std::int64_t>;
using Layers = std::vector<const Layer*>;

/// How open sizes are called behind the batch, by the number of axes; as the exporter calls them.
const std::array<std::vector<std::string>, kMostAxes + 1>& axis_names() {
  static const std::array<std::vector<std::string>, kMostAxes + 1> names{{
      {},
      {"batch"},
      {"batch", "length"},
      {"batch", "length", "length_1"},
      {"batch", "channels", "height", "width"},
      {"batch", "channels", "depth", "height", "width"},
  }};
  return names;
}

const LayerType& type_of(const Layer& layer) { return Registry::instance().type_of(layer); }

/// PyTorch's recurrent layers have the batch second unless they say otherwise.
bool has_batch_second(const Layer& layer) {
  return layer.attributes.contains("batch_first") && !layer.attributes.boolean("batch_first");
}

SymbolicShape open_shape(std::size_t rank, const Layer& first) {
  SymbolicShape shape;
  for (const std::string& name : axis_names()[rank]) shape.push_back(Size::symbol(name));
  if (rank > 2 && has_batch_second(first)) std::swap(shape[0], shape[1]);
  return shape;
}

/// How far a shape gets.
struct Passage {
  std::size_t layers = 0;  // that it goes through
  std::size_t outputs = 1;
  std::string problem;  // with the next one
};

Passage pass(const Layers& layers, const Input& input, const Sizes& sizes) {
  TensorType type{input.dtype, input.shape};
  for (Size& size : type.shape) size = size.bind(sizes);
  Passage passage;
  for (const Layer* layer : layers) {
    try {
      std::vector<TensorType> outputs = type_of(*layer).outputs(layer->attributes, {type});
      passage.outputs = outputs.size();
      type = std::move(outputs.at(0));
    } catch (const Error& error) {
      passage.problem = describe(*layer) + ": " + error.what();
      break;
    }
    ++passage.layers;
  }
  return passage;
}

/// All numbers among a layer's settings that an axis may have to have.
std::set<std::int64_t> numbers_of(const Layer& layer) {
  std::set<std::int64_t> numbers;
  for (const auto& [name, value] : layer.attributes) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) numbers.insert(*number);
    if (const auto* several = std::get_if<std::vector<std::int64_t>>(&value))
      numbers.insert(several->begin(), several->end());
    // What an axis is taken apart into.
    if (const auto* shape = std::get_if<SymbolicShape>(&value)) {
      Size product = 1;
      for (const Size& size : *shape) product = product * size;
      if (product.value()) numbers.insert(*product.value());
    }
  }
  std::erase_if(numbers, [](std::int64_t number) { return number < 1; });
  return numbers;
}

/// The input with one more axis, or two, bound to numbers that the layer which stops it has; what gets further, or
/// nothing.
std::optional<Input> bound(const Layers& layers, const Input& input, const Sizes& sizes, std::size_t reached,
                           int axes) {
  const std::set<std::int64_t> numbers = numbers_of(*layers[reached]);
  for (std::size_t axis = input.shape.size(); axis-- > 0;) {
    const std::vector<std::string> symbols = input.shape[axis].symbols();
    if (symbols.empty() || symbols[0] == "batch" || sizes.contains(symbols[0])) continue;
    for (const std::int64_t number : numbers) {
      Input tried = input;
      tried.shape[axis] = number;
      if (axes > 1) {
        if (auto found = bound(layers, tried, sizes, reached, axes - 1)) return found;
      } else if (pass(layers, tried, sizes).layers > reached) {
        return tried;
      }
    }
  }
  return std::nullopt;
}

/// The input of `rank` axes that goes through all layers, or how far the best one gets.
std::pair<std::optional<Input>, Passage> fitted(const Layers& layers, Input input, const Sizes& sizes) {
  while (true) {
    Passage passage = pass(layers, input, sizes);
    if (passage.layers == layers.size()) return {std::move(input), passage};
    std::optional<Input> next;
    for (int axes = 1; axes <= 3 && !next; ++axes) next = bound(layers, input, sizes, passage.layers, axes);
    if (!next) return {std::nullopt, passage};
    input = *std::move(next);
  }
}

/// The numbers of axes to try: first what the first layer that has to be told something is made for.
std::vector<std::size_t> ranks_for(const Layers& layers) {
  const auto is_told = [](const Layer* layer) {
    return std::ranges::any_of(type_of(*layer).attributes, [](const AttributeSpec& spec) { return !spec.fallback; });
  };
  const auto telling = std::ranges::find_if(layers, is_told);
  const LayerType& type = type_of(telling == layers.end() ? *layers.front() : **telling);
  std::vector<std::size_t> ranks;
  const auto add = [&](std::size_t rank) {
    if (rank >= 1 && rank <= kMostAxes && std::ranges::count(ranks, rank) == 0) ranks.push_back(rank);
  };
  for (const Sample& sample : type.samples) add(sample.inputs.at(0).size());
  for (std::size_t rank = 2; rank <= kMostAxes; ++rank) add(rank);
  return ranks;
}

}  // namespace

Input input_of_chain(const Layers& layers, const Sizes& sizes) {
  const bool is_of_indices = type_of(*layers.front()).integers == Integers::AreIndices;
  Passage furthest;
  for (const std::size_t rank : ranks_for(layers)) {
    const Input open{"input", open_shape(rank, *layers.front()), is_of_indices ? DType::Int64 : DType::Float32};
    auto [input, passage] = fitted(layers, open, sizes);
    if (input) return *std::move(input);
    if (furthest.problem.empty() || passage.layers > furthest.layers) furthest = passage;
  }
  throw Unsupported("the file does not say what shape its input has, and none was found that fits: " +
                    furthest.problem + "; bind open sizes (LoadOptions::fix_sizes) if that helps");
}

std::size_t outputs_of_chain(const Layers& layers, const Input& input, const Sizes& sizes) {
  return pass(layers, input, sizes).outputs;
}

}  // namespace h5bridge
