// What undoes a pooling by the places of its maxima.
#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/unpooling/sizes.h"

namespace h5bridge::unpooling {
namespace {

using Shapes = std::vector<SymbolicShape>;

Shapes shapes(const Attributes& a, const Shapes& inputs) {
  const SymbolicShape& input = inputs.at(0);
  if (inputs.at(1) != input) throw_misfit(input, inputs[1]);
  const SymbolicShape spatial = spatial_sizes(a, input, a.integers("kernel_size").size());
  return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))],
                        output_sizes(a, spatial))};
}

// Places that a pooling with these windows could have found, in an output of `sizes`.
std::vector<std::int64_t> places(const Shape& input, const std::vector<Window>& windows,
                                 const std::vector<std::int64_t>& padding, const Shape& sizes) {
  std::vector<std::int64_t> result;
  for (std::int64_t number = 0; number < element_count(input); ++number) {
    std::int64_t rest = number;
    std::int64_t place = 0;
    std::int64_t factor = 1;
    for (std::size_t i = sizes.size(); i-- > 0;) {
      const std::int64_t window = rest % input[i + 2];
      rest /= input[i + 2];
      const std::int64_t within = (number / 2) % std::min(windows[i].kernel, windows[i].stride);
      place += factor * std::clamp<std::int64_t>(window * windows[i].stride + within - padding[i], 0, sizes[i] - 1);
      factor *= sizes[i];
    }
    result.push_back(place);
  }
  return result;
}

LayerType max_unpooling(std::size_t axes) {
  LayerType type;
  type.name = "MaxUnpool" + torch_suffix(axes);
  type.summary = "zeros, but for elements at the places that a second input names, as MaxPool" + torch_suffix(axes) +
                 " gives them";
  type.source = "torch/nn/modules/pooling.py";
  type.operands = {required("input"), required("indices")};
  type.dtypes = keeps();
  type.attributes = {
      required_tuple("kernel_size", axes, "size of the pooling's window"),
      or_none(tuple("stride", axes, 1, "step of the window; None: the window's size")),
      tuple("padding", axes, 0, "elements that the pooling added at both ends"),
      of_call(or_none(required_sizes(
          "output_size",
          "the spatial axes of what was pooled, maybe with batch and channels before; None: what its windows cover"))),
      data_format(),
  };
  type.check = [](const Attributes& a) {
    for (const char* name : {"kernel_size", "stride"}) check_at_least(a, name, 1);
    check_at_least(a, "padding", 0);
  };
  type.shapes = shapes;
  type.layout = follows_data_format();
  const auto add = [&](const std::string& what, Json::Object attributes, std::int64_t batch = 2) {
    Shape input(axes + 2, 3);
    input[0] = batch;
    for (std::size_t i = 0; i < axes; ++i) input[i + 2] = 4 + static_cast<std::int64_t>(i);
    Sample sample{what, std::move(attributes), {input, input}};
    const Attributes a = attributes_from_json(type, sample.attributes, type.name);
    const SymbolicShape open(input.begin() + 2, input.end());
    sample.integers[1] = places(input, windows_of(a), a.integers("padding"), *fixed(output_sizes(a, open)));
    type.samples.push_back(std::move(sample));
  };
  Json::Array uneven;
  Json::Array sizes;
  for (std::size_t i = 0; i < axes; ++i) {
    uneven.push_back(2 + static_cast<std::int64_t>(i) % 2);
    sizes.push_back(2 * (4 + static_cast<std::int64_t>(i)) + 1);
  }
  add("plain", {{"kernel_size", 2}}, 3);
  add("uneven", {{"kernel_size", uneven}}, 1);
  add("gaps", {{"kernel_size", 2}, {"stride", 3}});
  add("padding", {{"kernel_size", 3}, {"stride", 3}, {"padding", 1}});
  add("a size", {{"kernel_size", 2}, {"stride", 2}, {"output_size", sizes}});
  return type;
}

}  // namespace

SymbolicShape output_sizes(const Attributes& a, const SymbolicShape& spatial) {
  const std::vector<Window> windows = windows_of(a);
  const auto& padding = a.integers("padding");
  SymbolicShape covered;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    covered.push_back((spatial[i] - Size(1)) * Size(windows[i].stride) + Size(windows[i].kernel - 2 * padding[i]));
    if (covered[i].value().value_or(1) < 1) throw MalformedFile("its output would have the size " + covered[i].str());
  }
  if (a.is_none("output_size")) return covered;
  SymbolicShape sizes = a.sizes("output_size");
  if (sizes.size() == windows.size() + 2) sizes.erase(sizes.begin(), sizes.begin() + 2);
  if (sizes.size() != windows.size())
    throw MalformedFile("its output_size " + to_string(a.sizes("output_size")) + " does not have " +
                        std::to_string(windows.size()) + " sizes");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto difference = (sizes[i] - covered[i]).value().value_or(0);
    if (std::abs(difference) >= windows[i].stride || sizes[i].value().value_or(1) < 1)
      throw MalformedFile("its output_size " + sizes[i].str() + " is a stride or more from the " + covered[i].str() +
                          " that its windows cover");
  }
  return sizes;
}

std::vector<LayerType> layer_types() { return {max_unpooling(1), max_unpooling(2), max_unpooling(3)}; }

}  // namespace h5bridge::unpooling
