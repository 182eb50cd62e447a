// Channels first becomes channels last and back: where permutes are needed, where they are not, and what weights take
// up.
#include "passes/layout.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "h5bridge/error.h"
#include "passes/infer_shapes.h"
#include "unit/architectures.h"
#include "unit/random_tensors.h"

namespace h5bridge::testing {
namespace {

const Size batch = Size::symbol("batch");

Json::Object conv(int in, int out, int window = 3) {
  return {{"in_channels", in}, {"out_channels", out}, {"kernel_size", window}};
}
Json::Object linear(int in, int out) { return {{"in_features", in}, {"out_features", out}}; }

std::int64_t count(const Architecture& architecture, const std::string& type) {
  return std::count_if(architecture.layers.begin(), architecture.layers.end(),
                       [&](const Layer& layer) { return layer.type == type; });
}

const Attributes& attributes_of(const LayoutChange& change, const std::string& layer) {
  return change.architecture.find_layer(layer)->attributes;
}

LayoutChange to_last(const Architecture& architecture) {
  LayoutChange change = change_layout(architecture, DataFormat::ChannelsLast);
  CHECK_NOTHROW(check_graph(change.architecture));
  CHECK_NOTHROW(infer_shapes(change.architecture));
  return change;
}

std::vector<WeightStep> steps_of(const LayoutChange& change, const std::string& name) {
  const auto found = change.weights.find(name);
  return found == change.weights.end() ? std::vector<WeightStep>{} : found->second;
}

// There and back is where we were, weights and all.
void check_return(const Architecture& architecture) {
  const LayoutChange there = to_last(architecture);
  const LayoutChange back = change_layout(there.architecture, DataFormat::ChannelsFirst);
  CHECK(back.architecture == architecture);
  for (const NamedParameter& parameter : parameters_of(architecture)) {
    INFO(parameter.name);
    const Tensor tensor = random_tensor(parameter.spec.dtype, parameter.spec.shape);
    const Tensor changed = to_keras(steps_of(there, parameter.name), {tensor}).at(0);
    CHECK(bit_equal(to_keras(steps_of(back, parameter.name), {changed}).at(0), tensor));
  }
}

// `order` says from which flattened place (channels first) each of the features (channels last) comes.
template <typename Order>
void check_columns(const LayoutChange& change, const std::string& weight, std::int64_t rows, std::int64_t columns,
                   Order&& order) {
  const Tensor changed = to_keras(steps_of(change, weight), {counting_tensor({rows, columns})}).at(0);
  const auto values = changed.values<std::int32_t>();
  REQUIRE(changed.shape() == Shape{rows, columns});
  std::vector<std::int32_t> expected;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; ++column)
      expected.push_back(static_cast<std::int32_t>(row * columns + order(column)));
  CHECK(values == expected);
}

// The place in (C, H, W) of element `place` of (H, W, C).
auto channels_last_place(std::int64_t channels, std::int64_t height, std::int64_t width) {
  return [=](std::int64_t place) {
    const std::int64_t c = place % channels;
    const std::int64_t w = place / channels % width;
    const std::int64_t h = place / channels / width;
    return (c * height + h) * width + w;
  };
}

}  // namespace

TEST_CASE("a convolution takes its data format on, and so do input and output") {
  const Architecture architecture =
      ArchitectureBuilder(batch_of({3, 8, 9})).layer("conv", "Conv2d", conv(3, 4)).layer("relu", "ReLU").build();
  const LayoutChange change = to_last(architecture);
  CHECK(change.architecture.inputs[0].shape == SymbolicShape{batch, 8, 9, 3});
  CHECK(change.inputs.at("x") == std::vector<std::int64_t>{0, 2, 3, 1});
  CHECK(change.outputs.at(0) == std::vector<std::int64_t>{0, 2, 3, 1});
  CHECK(attributes_of(change, "conv").text("data_format") == "channels_last");
  CHECK(count(change.architecture, "permute") == 0);
  CHECK(change.weights.empty());
  CHECK(infer_shapes(change.architecture).of(change.architecture.outputs[0].value) == SymbolicShape{batch, 6, 7, 4});
  check_return(architecture);
}

TEST_CASE("a layout that is there already changes nothing") {
  const Architecture architecture =
      ArchitectureBuilder(batch_of({3, 8, 9})).layer("conv", "Conv2d", conv(3, 4)).layer("flatten", "Flatten").build();
  const LayoutChange change = change_layout(architecture, DataFormat::ChannelsFirst);
  CHECK(change.architecture == architecture);
  CHECK(change.weights.empty());
  CHECK(change.inputs.at("x") == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK_FALSE(differs_from(architecture, DataFormat::ChannelsFirst));
  CHECK(differs_from(architecture, DataFormat::ChannelsLast));
}

TEST_CASE("a model in channels_last stays as it is, though layers on features have no format") {
  Json::Object first = conv(3, 2);
  first.set("data_format", "channels_last");
  const Architecture architecture = ArchitectureBuilder(batch_of({6, 7, 3}))
                                        .layer("conv", "Conv2d", first)
                                        .layer("flatten", "Flatten")
                                        .layer("norm", "BatchNorm1d", {{"num_features", 40}})
                                        .layer("fc", "Linear", linear(40, 5))
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(change.architecture == architecture);
  CHECK(change.weights.empty());
}

TEST_CASE("batch normalisation wants its images moved as a convolution does") {
  const Architecture architecture =
      ArchitectureBuilder(batch_of({3, 6, 7})).layer("norm", "BatchNorm2d", {{"num_features", 3}}).build();
  const LayoutChange change = to_last(architecture);
  CHECK(change.architecture.inputs[0].shape == SymbolicShape{batch, 6, 7, 3});
  CHECK(count(change.architecture, "permute") == 0);
  check_return(architecture);
}

TEST_CASE("a chain of diamonds takes no more time than a chain") {
  ArchitectureBuilder builder(batch_of({3, 6, 7}));
  builder.layer("a0", "ReLU");
  for (int i = 1; i < 80; ++i)
    builder.layer("a" + std::to_string(i), "add", {}, {"a" + std::to_string(i - 1), "a" + std::to_string(i - 1)});
  CHECK(to_last(builder.build()).architecture.inputs[0].shape == SymbolicShape{batch, 3, 6, 7});
}

TEST_CASE("a model without images has no layout to change") {
  const Architecture architecture = ArchitectureBuilder(batch_of({7, 5}))
                                        .layer("fc", "Linear", linear(5, 3))
                                        .layer("softmax", "Softmax", {{"dim", -1}})
                                        .build();
  CHECK(to_last(architecture).architecture == architecture);
}

TEST_CASE("a flatten's order is folded into the dense layer behind it") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3, 6, 7}))
                                        .layer("conv", "Conv2d", conv(3, 2))
                                        .layer("flatten", "Flatten")
                                        .layer("drop", "Dropout")
                                        .layer("fc", "Linear", linear(40, 5))
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  CHECK(change.weights.size() == 1);
  check_columns(change, "fc.weight", 5, 40, channels_last_place(2, 4, 5));
  check_return(architecture);
}

TEST_CASE("a view that flattens is a flatten") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3, 6, 7}))
                                        .layer("conv", "Conv2d", conv(3, 2))
                                        .layer("view", "view", {{"shape", Json::Array{-1, 40}}})
                                        .layer("fc", "Linear", linear(40, 5))
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  check_columns(change, "fc.weight", 5, 40, channels_last_place(2, 4, 5));
}

TEST_CASE("a permute before a flatten vanishes into the weights") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3, 6, 7}))
                                        .layer("conv", "Conv2d", conv(3, 2))
                                        .layer("permute", "permute", {{"dims", Json::Array{0, 3, 2, 1}}})
                                        .layer("view", "view", {{"shape", Json::Array{"batch", -1}}})
                                        .layer("fc", "Linear", linear(40, 5))
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  // PyTorch flattens (W, H, C), Keras (H, W, C).
  check_columns(change, "fc.weight", 5, 40, [](std::int64_t place) {
    const std::int64_t c = place % 2;
    const std::int64_t w = place / 2 % 5;
    const std::int64_t h = place / 10;
    return (w * 4 + h) * 2 + c;
  });
}

TEST_CASE("a permute to channels_last before a flatten leaves nothing to reorder") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3, 6, 7}))
                                        .layer("conv", "Conv2d", conv(3, 2))
                                        .layer("permute", "permute", {{"dims", Json::Array{0, 2, 3, 1}}})
                                        .layer("flatten", "Flatten")
                                        .layer("fc", "Linear", linear(40, 5))
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  CHECK(change.weights.empty());
}

TEST_CASE("a flatten that is an output, or is joined, has its image permuted first") {
  ArchitectureBuilder builder(batch_of({3, 6, 7}));
  builder.layer("conv", "Conv2d", conv(3, 2)).layer("flatten", "Flatten");
  SECTION("output") {}
  SECTION("cat") {
    builder.input("y", batch_of({4}))
        .layer("cat", "cat", {{"dim", 1}}, {"flatten", "y"})
        .layer("fc", "Linear", linear(44, 5));
  }
  SECTION("output and dense") { builder.layer("fc", "Linear", linear(40, 5)).output("flatten").output("fc"); }
  SECTION("softmax over the features") {
    builder.layer("softmax", "Softmax", {{"dim", 1}}).layer("fc", "Linear", linear(40, 5));
  }
  const Architecture architecture = builder.build();
  const LayoutChange change = to_last(architecture);
  REQUIRE(count(change.architecture, "permute") == 1);
  const Node* flatten = change.architecture.find_node("flatten");
  const Layer& permute = change.architecture.layer_of(*change.architecture.find_node(flatten->values()[0].node));
  CHECK(permute.type == "permute");
  CHECK(permute.attributes.integers("dims") == std::vector<std::int64_t>{0, 3, 1, 2});
  CHECK(change.weights.empty());
  CHECK(infer_shapes(change.architecture).of({"flatten"}) == SymbolicShape{batch, 40});
}

TEST_CASE("after global pooling a flatten has nothing to reorder") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3, 6, 7}))
                                        .layer("conv", "Conv2d", conv(3, 4))
                                        .layer("pool", "AdaptiveAvgPool2d", {{"output_size", 1}})
                                        .layer("flatten", "Flatten")
                                        .layer("fc", "Linear", linear(4, 5))
                                        .output("flatten")
                                        .output("fc")
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  CHECK(change.weights.empty());
  check_return(architecture);
}

TEST_CASE("features that a flatten reordered go through PReLU and BatchNorm1d, whose tensors are reordered alike") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3, 6, 7}))
                                        .layer("conv", "Conv2d", conv(3, 2))
                                        .layer("flatten", "Flatten")
                                        .layer("prelu", "PReLU", {{"num_parameters", 40}})
                                        .layer("norm", "BatchNorm1d", {{"num_features", 40}})
                                        .layer("fc", "Linear", linear(40, 5))
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  const auto place = channels_last_place(2, 4, 5);
  for (const char* name : {"prelu.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"}) {
    INFO(name);
    const auto values = to_keras(steps_of(change, name), {counting_tensor({40})}).at(0).values<std::int32_t>();
    for (std::int64_t i = 0; i < 40; ++i) CHECK(values[i] == place(i));
  }
  CHECK(steps_of(change, "norm.num_batches_tracked").empty());
  check_columns(change, "fc.weight", 5, 40, place);
  check_return(architecture);
}

TEST_CASE("PReLU takes the layout that comes") {
  const Json::Object prelu{{"num_parameters", 3}};
  const LayoutChange alone = to_last(ArchitectureBuilder(batch_of({3, 6, 7})).layer("prelu", "PReLU", prelu).build());
  CHECK(attributes_of(alone, "prelu").text("data_format") == "channels_first");
  CHECK(count(alone.architecture, "permute") == 0);
  const Architecture architecture = ArchitectureBuilder(batch_of({4, 6, 7}))
                                        .layer("conv", "Conv2d", conv(4, 3))
                                        .layer("prelu", "PReLU", prelu)
                                        .build();
  const LayoutChange behind = to_last(architecture);
  CHECK(attributes_of(behind, "prelu").text("data_format") == "channels_last");
  CHECK(count(behind.architecture, "permute") == 0);
  check_return(architecture);
}

TEST_CASE("a residual branch costs no permute") {
  const Architecture architecture =
      ArchitectureBuilder(batch_of({4, 6, 7}))
          .layer("conv", "Conv2d", {{"in_channels", 4}, {"out_channels", 4}, {"kernel_size", 3}, {"padding", 1}})
          .layer("norm", "BatchNorm2d", {{"num_features", 4}})
          .layer("add", "add", {}, {"norm", "x"})
          .layer("relu", "ReLU")
          .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  CHECK(attributes_of(change, "norm").text("data_format") == "channels_last");
  check_return(architecture);
}

TEST_CASE("an axis is counted anew") {
  const Architecture architecture = ArchitectureBuilder(batch_of({4, 6, 7}))
                                        .layer("one", "Conv2d", conv(4, 3))
                                        .layer("two", "Conv2d", conv(4, 2), {"x"})
                                        .layer("cat", "cat", {{"dim", 1}}, {"one", "two"})
                                        .layer("softmax", "Softmax", {{"dim", -2}})
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 0);
  CHECK(attributes_of(change, "cat").integer("dim") == 3);
  CHECK(attributes_of(change, "softmax").integer("dim") == 1);
}

TEST_CASE("a broadcast over other axes has the original layout restored") {
  const Architecture architecture = ArchitectureBuilder(batch_of({4, 6, 7}))
                                        .input("y", {7})
                                        .layer("conv", "Conv2d", conv(4, 3), {"x"})
                                        .layer("pad", "ZeroPad2d", {{"padding", 1}})
                                        .layer("add", "add", {}, {"pad", "y"})
                                        .build();
  const LayoutChange change = to_last(architecture);
  CHECK(count(change.architecture, "permute") == 1);
  CHECK(infer_shapes(change.architecture).of({"add"}) == SymbolicShape{batch, 3, 6, 7});
}

TEST_CASE("one value with two consumers is permuted once") {
  const Architecture architecture = ArchitectureBuilder(batch_of({4, 6, 7}))
                                        .layer("conv", "Conv2d", conv(4, 3))
                                        .layer("one", "view", {{"shape", Json::Array{"batch", 6, 10}}})
                                        .layer("two", "view", {{"shape", Json::Array{"batch", 10, 6}}}, {"conv"})
                                        .output("one")
                                        .output("two")
                                        .build();
  CHECK(count(to_last(architecture).architecture, "permute") == 1);
}

TEST_CASE("a layer called twice is changed once; where calls would differ it gets its inputs as they were") {
  ArchitectureBuilder builder(batch_of({4, 6, 7}));
  builder.layer("conv", "Conv2d", {{"in_channels", 4}, {"out_channels", 4}, {"kernel_size", 3}, {"padding", 1}})
      .call("conv_1", "conv");
  SECTION("alike") {
    const LayoutChange change = to_last(builder.build());
    CHECK(count(change.architecture, "permute") == 0);
    CHECK(count(change.architecture, "Conv2d") == 1);
    check_return(builder.build());
  }
  SECTION("a dense layer on reordered and on plain features") {
    const Architecture architecture =
        builder.layer("flatten", "Flatten").layer("fc", "Linear", linear(168, 168)).call("fc_1", "fc").build();
    const LayoutChange change = to_last(architecture);
    CHECK(count(change.architecture, "permute") == 1);
    CHECK(steps_of(change, "fc.weight").empty());
    check_return(architecture);
  }
  SECTION("a new axis that is an image's channels for one call alone") {
    const Architecture architecture = ArchitectureBuilder(batch_of({4, 5}))
                                          .layer("one", "unsqueeze", {{"dim", 1}}, {"x"})
                                          .call("two", "one", {"x"})
                                          .layer("pad", "ReflectionPad2d", {{"padding", 1}}, {"two"})
                                          .output("one")
                                          .output("pad")
                                          .build();
    const LayoutChange change = to_last(architecture);
    CHECK(attributes_of(change, "one").integer("dim") == 1);
    CHECK(count(change.architecture, "permute") == 1);
    check_return(architecture);
  }
}

TEST_CASE("Keras's flatten with data_format channels_first moves the channels last itself") {
  const Architecture first = ArchitectureBuilder(batch_of({3, 6, 7}))
                                 .layer("conv", "Conv2d", conv(3, 2))
                                 .layer("flatten", "Flatten", {{"channels_last_order", true}})
                                 .layer("fc", "Linear", linear(40, 5))
                                 .build();
  SECTION("to channels_last: what it did is done") {
    const LayoutChange change = to_last(first);
    CHECK(count(change.architecture, "permute") == 0);
    CHECK_FALSE(attributes_of(change, "flatten").boolean("channels_last_order"));
    CHECK(change.weights.empty());
  }
  SECTION("to PyTorch's plain flatten: the weights take it up") {
    const LayoutChange change = change_layout(first, DataFormat::ChannelsFirst);
    CHECK(count(change.architecture, "permute") == 0);
    CHECK_FALSE(attributes_of(change, "flatten").boolean("channels_last_order"));
    // Feature (c, h, w) of PyTorch's order comes from (h, w, c).
    check_columns(change, "fc.weight", 5, 40, [](std::int64_t place) {
      const std::int64_t w = place % 5;
      const std::int64_t h = place / 5 % 4;
      const std::int64_t c = place / 20;
      return (h * 5 + w) * 2 + c;
    });
  }
}

TEST_CASE("axes that the model itself moves are not taken for a change of layout") {
  // Only the flatten is changed; the other output stays what it is.
  const Architecture architecture = ArchitectureBuilder(batch_of({4, 4}))
                                        .layer("permute", "permute", {{"dims", Json::Array{0, 2, 1}}})
                                        .layer("flatten", "Flatten", {{"channels_last_order", true}}, {"x"})
                                        .layer("fc", "Linear", linear(16, 5))
                                        .output("permute")
                                        .output("fc")
                                        .build();
  const LayoutChange change = change_layout(architecture, DataFormat::ChannelsFirst);
  CHECK(change.outputs.at(0) == std::vector<std::int64_t>{0, 1, 2});
  CHECK(count(change.architecture, "permute") == 1);
  CHECK(change.weights.size() == 1);
}

TEST_CASE("every sample goes to channels_last and back") {
  for_each_sample([](const SampleCase& each) {
    const Architecture architecture = each.architecture();
    const LayoutChange there = to_last(architecture);
    const LayoutChange back = change_layout(there.architecture, DataFormat::ChannelsFirst);
    const SymbolicShape before = infer_shapes(architecture).of(architecture.outputs[0].value);
    CHECK(infer_shapes(back.architecture).of(back.architecture.outputs[0].value) == before);
    const SymbolicShape after = infer_shapes(there.architecture).of(there.architecture.outputs[0].value);
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) CHECK(after[i] == before[there.outputs[0][i]]);
    // PReLU takes its channels on either side.
    for (const Layer& layer : there.architecture.layers)
      if (layer.type != "PReLU" && layer.attributes.contains("data_format") && each.sample.inputs[0].size() > 2)
        CHECK(layer.attributes.text("data_format") == "channels_last");
  });
}

}  // namespace h5bridge::testing
