#include "facets/spec/kernel.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "facets/spec/functional.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

bool any_above_one(const std::vector<std::int64_t>& values) {
  return std::any_of(values.begin(), values.end(), [](std::int64_t value) { return value > 1; });
}

Margins crop_of_valid(const Window& window, std::optional<std::int64_t> output_padding) {
  return {0, -output_padding.value_or(std::max(window.stride - window.extent(), std::int64_t{0}))};
}

Margins crop_of_same(const Window& window, std::optional<std::int64_t> output_padding) {
  const std::int64_t extent = window.extent();
  const std::int64_t total = output_padding ? extent - extent % 2 - *output_padding : extent - window.stride;
  const std::int64_t before = std::max(total, std::int64_t{0}) / 2;
  return {before, total - before};
}

}  // namespace

void check_kernel(const Attributes& a) {
  for (const char* name : {"in_channels", "out_channels", "groups", "kernel_size", "stride", "dilation"})
    if (a.contains(name)) check_at_least(a, name, 1);
  if (!a.contains("groups")) return;
  for (const char* name : {"in_channels", "out_channels"})
    if (a.integer(name) % a.integer("groups") != 0)
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) + ", which " +
                          std::to_string(a.integer("groups")) + " groups do not divide");
}

void check_input_channels(const Attributes& a, const SymbolicShape& input) {
  const Size& channels = input.at(channel_axis(a, static_cast<std::int64_t>(input.size())));
  if (channels != Size(a.integer("in_channels")))
    throw MalformedFile("its input has " + channels.str() + " channels (shape " + to_string(input) + "), expected " +
                        std::to_string(a.integer("in_channels")));
}

void derive_in_channels(Attributes& attributes, const SymbolicShape& input, std::size_t axes) {
  spatial_sizes(attributes, input, axes);  // the number of axes
  const auto channels = input[channel_axis(attributes, static_cast<std::int64_t>(input.size()))].value();
  if (!channels) throw MalformedFile("the channels of its input are open");
  attributes.set("in_channels", *channels);
}

std::vector<ParameterSpec> kernel_parameters(const Attributes& a, const std::string& outer, const std::string& inner) {
  Shape weight{a.integer(outer), a.integer(inner) / a.integer("groups")};
  const auto& kernel = a.integers("kernel_size");
  weight.insert(weight.end(), kernel.begin(), kernel.end());
  std::vector<ParameterSpec> result{{"weight", weight}};
  if (a.boolean("bias")) result.push_back({"bias", {a.integer("out_channels")}});
  return result;
}

Shape kernel_operand(const SymbolicShape& shape, std::size_t axes) {
  if (shape.size() != axes + 2)
    throw MalformedFile("its weight has shape " + to_string(shape) + ", expected " + std::to_string(axes + 2) +
                        " axes");
  return operand_shape(shape);
}

std::vector<std::int64_t> keras_kernel_axes(std::size_t axes) {
  std::vector<std::int64_t> order(axes);
  std::iota(order.begin(), order.end(), 2);
  order.insert(order.end(), {1, 0});
  return order;
}

std::vector<WeightStep> depthwise_kernel_steps(std::int64_t channels, std::int64_t multiplier,
                                               const std::vector<std::int64_t>& kernel_size) {
  Shape torch{channels * multiplier, 1};
  Shape keras{channels, multiplier};
  torch.insert(torch.end(), kernel_size.begin(), kernel_size.end());
  keras.insert(keras.end(), kernel_size.begin(), kernel_size.end());
  std::vector<std::int64_t> order = keras_kernel_axes(kernel_size.size());
  std::swap(order[order.size() - 2], order.back());
  return {ChangeShape{torch, keras}, PermuteAxes{order}};
}

bool has_strides(const Attributes& attributes) { return any_above_one(attributes.integers("stride")); }
bool has_dilation(const Attributes& attributes) { return any_above_one(attributes.integers("dilation")); }

std::vector<Margins> crops_of(const Attributes& a) {
  std::vector<Margins> result;
  const std::vector<Window> windows = windows_of(a);
  const bool same = has_padding_word(a, "same");
  const bool valid = has_padding_word(a, "valid");
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto output_padding =
        a.is_none("output_padding") ? std::nullopt : std::optional(a.integers("output_padding")[i]);
    if (same)
      result.push_back(crop_of_same(windows[i], output_padding));
    else if (valid)
      result.push_back(crop_of_valid(windows[i], output_padding));
    else
      result.push_back({a.integers("padding")[i], a.integers("padding")[i] - output_padding.value_or(0)});
  }
  return result;
}

Json::Object sample_settings(const std::vector<std::string>& weights) {
  Json::Object result{{"activity_regularizer", "l1"}};
  for (const std::string& weight : weights) {
    result.set(weight + "_initializer", "he_normal");
    result.set(weight + "_regularizer", "l2");
    result.set(weight + "_constraint", "max_norm");
  }
  return result;
}

Shape sample_image(std::int64_t batch, std::int64_t channels, std::size_t axes) {
  Shape shape(axes + 2);
  shape[0] = batch;
  shape[1] = channels;
  std::iota(shape.begin() + 2, shape.end(), 9);
  return shape;
}

Shape sample_keras_image(std::int64_t batch, std::int64_t channels, std::size_t axes) {
  Shape shape = sample_image(batch, channels, axes);
  std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
  return shape;
}

}  // namespace h5bridge
