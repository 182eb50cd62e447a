// Functions under a change of layout: reductions, indices, reshapes and operators that broadcast take images as they
// come.
#include <algorithm>
#include <catch2/catch.hpp>

#include "passes/infer_shapes.h"
#include "passes/layout.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

using Axes = std::vector<std::int64_t>;

const Size batch = Size::symbol("batch");

Json::Object conv(int in, int out) { return {{"in_channels", in}, {"out_channels", out}, {"kernel_size", 1}}; }
Json::Object linear(int in, int out) { return {{"in_features", in}, {"out_features", out}}; }

/// A convolution that gives an image of 4 channels, 8 by 9.
ArchitectureBuilder image() { return ArchitectureBuilder(batch_of({3, 8, 9})).layer("conv", "Conv2d", conv(3, 4)); }

/// In channels_last, sound, and with so many permutes.
LayoutChange moved(const Architecture& architecture, std::int64_t permutes = 0) {
  LayoutChange change = change_layout(architecture, DataFormat::ChannelsLast);
  CHECK_NOTHROW(check_graph(change.architecture));
  const Shapes shapes = infer_shapes(change.architecture);
  const Shapes original = infer_shapes(architecture);
  for (std::size_t i = 0; i < architecture.outputs.size(); ++i) {
    const SymbolicShape& source = original.of(architecture.outputs[i].value);
    SymbolicShape expected;
    for (const std::int64_t axis : change.outputs[i]) expected.push_back(source[axis]);
    CHECK(shapes.of(change.architecture.outputs[i].value) == expected);
  }
  CHECK(std::count_if(change.architecture.layers.begin(), change.architecture.layers.end(),
                      [](const Layer& layer) { return layer.type == "permute"; }) == permutes);
  return change;
}

const Attributes& attributes_of(const LayoutChange& change, const std::string& layer) {
  return change.architecture.find_layer(layer)->attributes;
}

}  // namespace

TEST_CASE("a gate for each channel is multiplied with an image without a permute") {
  const auto gate = [](ArchitectureBuilder builder) {
    return builder.layer("pool", "mean", {{"dim", Json::Array{2, 3}}})
        .layer("fc", "Linear", linear(4, 4))
        .layer("view", "view", {{"shape", Json::Array{"batch", 4, 1, 1}}})
        .layer("sigmoid", "Sigmoid")
        .layer("scale", "mul", {}, {"conv", "sigmoid"});
  };
  const LayoutChange change = moved(gate(image()).layer("last", "Conv2d", conv(4, 2)).build());
  CHECK(attributes_of(change, "pool").integers("dim") == Axes{1, 2});
  CHECK(attributes_of(change, "view").sizes("shape") == SymbolicShape{batch, 1, 1, 4});
  moved(gate(image()).build());
}

TEST_CASE("a gate that is unsqueezed is stored as the image is") {
  const LayoutChange change = moved(image()
                                        .layer("pool", "amax", {{"dim", Json::Array{2, 3}}})
                                        .layer("height", "unsqueeze", {{"dim", -1}})
                                        .layer("width", "unsqueeze", {{"dim", -1}})
                                        .layer("scale", "mul", {}, {"conv", "width"})
                                        .build());
  CHECK(infer_shapes(change.architecture).of({"width", 0}) == SymbolicShape{batch, 1, 1, 4});
}

TEST_CASE("a pooled image that keeps its axes stays in its layout") {
  const LayoutChange change = moved(image()
                                        .layer("pool", "mean", {{"dim", Json::Array{2, 3}}, {"keepdim", true}})
                                        .layer("scale", "mul", {}, {"conv", "pool"})
                                        .build());
  CHECK(attributes_of(change, "pool").integers("dim") == Axes{1, 2});
}

TEST_CASE("statistics over the channels are counted on the last axis") {
  const LayoutChange change = moved(image()
                                        .layer("mean", "mean", {{"dim", 1}, {"keepdim", true}})
                                        .layer("max", "max", {{"dim", 1}, {"keepdim", true}}, {"conv"})
                                        .layer("cat", "cat", {{"dim", 1}}, {"mean", "max"})
                                        .layer("last", "Conv2d", conv(2, 1))
                                        .build());
  CHECK(attributes_of(change, "mean").integers("dim") == Axes{3});
  CHECK(attributes_of(change, "max").integer("dim") == 3);
  CHECK(attributes_of(change, "cat").integer("dim") == 3);
}

TEST_CASE("an image becomes a row of tokens without a permute") {
  const LayoutChange change = moved(image()
                                        .layer("flatten", "Flatten", {{"start_dim", 2}})
                                        .layer("tokens", "transpose", {{"dim0", 1}, {"dim1", 2}})
                                        .layer("fc", "Linear", linear(4, 5))
                                        .build());
  CHECK(change.architecture.find_layer("flatten")->type == "reshape");
  CHECK(change.architecture.find_layer("tokens") == nullptr);
  CHECK(attributes_of(change, "flatten").sizes("shape") == SymbolicShape{batch, 72, 4});
}

TEST_CASE("a shuffle of channels is one permute") {
  moved(image()
            .layer("groups", "view", {{"shape", Json::Array{"batch", 2, 2, 8, 9}}})
            .layer("swap", "transpose", {{"dim0", 1}, {"dim1", 2}})
            .layer("join", "view", {{"shape", Json::Array{"batch", 4, 8, 9}}})
            .layer("last", "Conv2d", conv(4, 2))
            .build(),
        1);
}

TEST_CASE("parts of an image are cut from its stored axes") {
  const LayoutChange change = moved(image()
                                        .layer("slice", "slice", {{"dim", 1}, {"start", 1}})
                                        .layer("index", "getitem", {{"index", ":, :2, 1:, ::2"}})
                                        .layer("flip", "flip", {{"dims", Json::Array{3}}})
                                        .layer("last", "Conv2d", conv(2, 2))
                                        .build());
  CHECK(attributes_of(change, "slice").integer("dim") == 3);
  CHECK(attributes_of(change, "index").text("index") == ":, 1:, ::2, :2");
  CHECK(attributes_of(change, "flip").integers("dims") == Axes{2});
}

TEST_CASE("an axis that an index drops leaves the others in their order") {
  const LayoutChange change =
      moved(image().layer("row", "select", {{"dim", 2}, {"index", 0}}).layer("last", "Conv1d", conv(4, 2)).build());
  CHECK(attributes_of(change, "row").integer("dim") == 1);
}

TEST_CASE("the halves of an image's channels are gated") {
  const LayoutChange change =
      moved(image().layer("split", "chunk", {{"chunks", 2}, {"dim", 1}}).layer("last", "Conv2d", conv(2, 2)).build());
  CHECK(attributes_of(change, "split").integer("dim") == 3);
}

TEST_CASE("features for all rows of a picture have no place in another order") {
  ArchitectureBuilder builder = image();
  builder.input("grid", {8, 9});
  moved(builder.layer("sum", "add", {}, {"conv", "grid"}).build(), 1);
}

TEST_CASE("an equation takes its letters in the stored order") {
  const LayoutChange change =
      moved(image().layer("gram", "einsum", {{"equation", "bchw,bdhw->bcd"}}, {"conv", "conv"}).build());
  CHECK(attributes_of(change, "gram").text("equation") == "bhwc,bhwd->bcd");
}

TEST_CASE("what an equation makes of an image's rows is an image") {
  ArchitectureBuilder builder = image();
  builder.input("weights", {5, 8});
  const LayoutChange change =
      moved(builder.layer("rows", "einsum", {{"equation", "bchw,zh->bczw"}}, {"conv", "weights"}).build());
  CHECK(attributes_of(change, "rows").text("equation") == "bhwc,zh->bzwc");
  CHECK(change.outputs.at(0) == Axes{0, 2, 3, 1});
}

TEST_CASE("rows are picked by their numbers where they are stored") {
  ArchitectureBuilder builder = image();
  builder.input("numbers", {5});
  const LayoutChange change = moved(builder.layer("rows", "index_select", {{"dim", 2}}, {"conv", "numbers"}).build());
  CHECK(attributes_of(change, "rows").integer("dim") == 1);
  CHECK(change.outputs.at(0) == Axes{0, 2, 3, 1});
}

TEST_CASE("of Keras's image the channels come first behind layers that have them last") {
  Json::Object settings = conv(3, 4);
  settings.set("data_format", "channels_last");
  const Architecture keras = ArchitectureBuilder(batch_of({8, 9, 3}))
                                 .layer("conv", "Conv2d", settings)
                                 .layer("fc", "Linear", linear(4, 5))
                                 .layer("tanh", "Tanh")
                                 .build();
  const LayoutChange change = change_layout(keras, DataFormat::ChannelsFirst);
  CHECK(change.outputs.at(0) == Axes{0, 3, 1, 2});
  CHECK(infer_shapes(change.architecture).of(change.architecture.outputs[0].value) == SymbolicShape{batch, 5, 8, 9});
  CHECK(change_layout(change.architecture, DataFormat::ChannelsLast, Framework::Keras).architecture == keras);
}

}  // namespace h5bridge::testing
