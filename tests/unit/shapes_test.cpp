// Graphs that are not sound, and the shapes of those that are.
#include <catch2/catch.hpp>
#include <functional>

#include "h5bridge/error.h"
#include "passes/fix_sizes.h"
#include "passes/infer_shapes.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

const Size batch = Size::symbol("batch");

Architecture lenet() {
  return ArchitectureBuilder(batch_of({3, 32, 32}))
      .layer("conv1", "Conv2d", {{"in_channels", 3}, {"out_channels", 6}, {"kernel_size", 5}})
      .layer("relu", "ReLU")
      .layer("pool", "MaxPool2d", {{"kernel_size", 2}, {"stride", 2}})
      .layer("view", "view", {{"shape", Json::Array{-1, 1176}}})
      .layer("fc", "Linear", {{"in_features", 1176}, {"out_features", 10}})
      .build();
}

SymbolicShape shape_of(const std::string& type, const Json::Object& attributes,
                       const std::vector<SymbolicShape>& inputs) {
  const LayerType& found = *Registry::instance().find(type);
  return found.shapes(attributes_from_json(found, attributes, type), inputs).at(0);
}

}  // namespace

TEST_CASE("shapes are inferred with the batch left open") {
  const Shapes shapes = infer_shapes(lenet());
  CHECK(shapes.of({"x"}) == SymbolicShape{batch, 3, 32, 32});
  CHECK(shapes.of({"conv1"}) == SymbolicShape{batch, 6, 28, 28});
  CHECK(shapes.of({"pool"}) == SymbolicShape{batch, 6, 14, 14});
  CHECK(shapes.of({"view"}) == SymbolicShape{batch, 1176});
  CHECK(shapes.of({"fc"}) == SymbolicShape{batch, 10});
  CHECK_THROWS_WITH(shapes.of({"fc", 1}), "\"fc\" has no output number 1");
}

TEST_CASE("open spatial sizes go through convolution and pooling") {
  const Size height = Size::symbol("height");
  const Architecture architecture =
      ArchitectureBuilder({batch, 1, height, 20})
          .layer("conv", "Conv2d",
                 {{"in_channels", 1}, {"out_channels", 2}, {"kernel_size", 3}, {"stride", 2}, {"padding", 1}})
          .layer("same", "Conv2d", {{"in_channels", 2}, {"out_channels", 2}, {"kernel_size", 3}, {"padding", "same"}})
          .build();
  const Shapes shapes = infer_shapes(architecture);
  CHECK(shapes.of({"conv"}) == SymbolicShape{batch, 2, Size::parse("(height + 1)//2"), 10});
  CHECK(shapes.of({"same"}) == shapes.of({"conv"}));
}

TEST_CASE("pooling counts windows as PyTorch does") {
  const auto pooled = [&](const Json::Object& attributes, std::int64_t size) {
    return shape_of("MaxPool1d", attributes, {SymbolicShape{batch, 1, size}}).at(2).value().value();
  };
  CHECK(pooled({{"kernel_size", 3}}, 10) == 3);
  CHECK(pooled({{"kernel_size", 3}, {"ceil_mode", true}}, 10) == 4);
  CHECK(pooled({{"kernel_size", 3}, {"stride", 2}, {"padding", 1}}, 9) == 5);
  CHECK(pooled({{"kernel_size", 2}, {"stride", 3}, {"ceil_mode", true}}, 9) ==
        3);  // a fourth window would begin outside
  CHECK(pooled({{"kernel_size", 3}, {"stride", 2}, {"padding", "same"}}, 9) == 5);
  CHECK(pooled({{"kernel_size", 3}, {"stride", 1}, {"dilation", 2}}, 9) == 5);
}

TEST_CASE("a reshape fills in its -1, open or not") {
  CHECK(shape_of("view", {{"shape", Json::Array{-1, 60}}}, {{batch, 3, 4, 5}}) == SymbolicShape{batch, 60});
  CHECK(shape_of("view", {{"shape", Json::Array{"batch", -1}}}, {{batch, 3, 4, 5}}) == SymbolicShape{batch, 60});
  CHECK(shape_of("view", {{"shape", Json::Array{"batch*3", 4}}}, {{batch, 3, 4}}) == SymbolicShape{batch * Size(3), 4});
  CHECK_THROWS_WITH(shape_of("view", {{"shape", Json::Array{-1, -1}}}, {{batch, 4}}),
                    Catch::Contains("more than one -1"));
  CHECK_THROWS_WITH(shape_of("view", {{"shape", Json::Array{3, 5}}}, {{2, 8}}),
                    Catch::Contains("does not hold the 16 elements"));
}

TEST_CASE("inputs broadcast as numpy has it") {
  CHECK(shape_of("add", {}, {{batch, 3, 4}, {4}}) == SymbolicShape{batch, 3, 4});
  CHECK(shape_of("add", {}, {{batch, 1, 4}, {batch, 3, 1}}) == SymbolicShape{batch, 3, 4});
  CHECK_THROWS_AS(shape_of("add", {}, {{batch, 3}, {batch, 4}}), MalformedFile);
  CHECK(shape_of("cat", {{"dim", 1}}, {{batch, 3}, {batch, 4}}) == SymbolicShape{batch, 7});
  CHECK_THROWS_AS(shape_of("cat", {{"dim", 1}}, {{batch, 3, 2}, {batch, 4, 3}}), MalformedFile);
}

TEST_CASE("an input that does not fit names its layer") {
  const auto message = [](const std::string& type, const Json::Object& attributes,
                          const SymbolicShape& shape) -> std::string {
    try {
      infer_shapes(ArchitectureBuilder(shape).layer("body.0", type, attributes).build());
    } catch (const MalformedFile& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(message("Linear", {{"in_features", 4}, {"out_features", 2}}, {batch, 5}) ==
        "layer \"body.0\" (Linear): its input has shape (batch, 5), expected 4 as the last size");
  CHECK(message("Conv2d", {{"in_channels", 3}, {"out_channels", 2}, {"kernel_size", 3}}, {batch, 32, 32, 3}) ==
        "layer \"body.0\" (Conv2d): its input has 32 channels (shape (batch, 32, 32, 3)), expected 3");
  CHECK(message("Conv2d", {{"in_channels", 3}, {"out_channels", 2}, {"kernel_size", 3}}, {batch, 3, 32}) ==
        "layer \"body.0\" (Conv2d): its input has shape (batch, 3, 32), expected 4 axes");
  CHECK(message("Conv1d", {{"in_channels", 3}, {"out_channels", 2}, {"kernel_size", 7}}, {batch, 3, 5}) ==
        "layer \"body.0\" (Conv1d): its window of 7 does not fit into 5 elements and their padding");
  CHECK(message("BatchNorm2d", {{"num_features", 3}}, {batch, 4, 2, 2}) ==
        "layer \"body.0\" (BatchNorm2d): its input has 4 channels (shape (batch, 4, 2, 2)), expected 3");
  CHECK(message("Softmax", {{"dim", 2}}, {batch, 4}) ==
        "layer \"body.0\" (Softmax): axis 2 is out of range for 2 axes");
  CHECK(message("Flatten", {{"start_dim", 2}, {"end_dim", 1}}, {batch, 4, 4}) ==
        "layer \"body.0\" (Flatten): its start_dim 2 is behind its end_dim 1");
}

TEST_CASE("every layer refuses no input and a scalar without touching what is not there") {
  for_each_sample([](const SampleCase& each) {
    INFO(each.name());
    std::vector<SymbolicShape> scalars(each.sample.inputs.size());
    try {
      each.type.shapes(each.attributes(), scalars);
    } catch (const MalformedFile&) {
    } catch (const Unsupported&) {
    }
  });
}

TEST_CASE("check_graph says what is not sound") {
  const Architecture sound = lenet();
  CHECK_NOTHROW(check_graph(sound));
  const auto broken = [&](const std::string& message, auto&& breaks) {
    Architecture architecture = sound;
    breaks(architecture);
    CHECK_THROWS_AS(check_graph(architecture), MalformedFile);
    CHECK_THROWS_WITH(check_graph(architecture), message);
  };
  broken("the architecture has no inputs", [](Architecture& a) { a.inputs.clear(); });
  broken("the architecture has no outputs", [](Architecture& a) { a.outputs.clear(); });
  broken("the list of outputs uses \"fc9\", which no input or earlier layer makes; did you mean fc?",
         [](Architecture& a) { a.outputs[0].value.node = "fc9"; });
  broken("layer \"conv1\" (Conv2d) uses \"fc\", which no input or earlier layer makes",
         [](Architecture& a) { a.nodes[0].arguments = {Value{"fc"}}; });
  broken("layer \"conv1\" (Conv2d) uses \"conv1\", which no input or earlier layer makes",
         [](Architecture& a) { a.nodes[0].arguments = {Value{"conv1"}}; });
  broken("\"conv1\" calls \"conv2\", which is no layer", [](Architecture& a) { a.nodes[0].layer = "conv2"; });
  broken("layer \"relu\" (ReLU) has 2 inputs, expected 1",
         [](Architecture& a) { a.nodes[1].arguments.push_back(Value{"x"}); });
  broken("the name \"x\" is used twice", [](Architecture& a) { a.nodes[0].name = "x"; });
  broken("the layer \"relu\" is defined twice", [](Architecture& a) { a.layers.push_back(a.layers[1]); });
  broken("the name \"a:1\" has a ':' in it", [](Architecture& a) { a.nodes[0].name = "a:1"; });
  broken("an unnamed layer", [](Architecture& a) { a.nodes[0].name = ""; });
}

TEST_CASE("all layers of unknown types are named at once") {
  Architecture architecture = lenet();
  architecture.layers[0].type = "Conv9d";
  architecture.layers[1].type = "Wat";
  CHECK_THROWS_AS(check_graph(architecture), Unsupported);
  CHECK_THROWS_WITH(check_graph(architecture), "there is no layer type yet for Conv9d (\"conv1\"), Wat (\"relu\")");
}

TEST_CASE("symbols are bound to numbers, in inputs and in attributes") {
  const Architecture architecture = ArchitectureBuilder({batch, Size::symbol("length"), 4})
                                        .layer("view", "view", {{"shape", Json::Array{"batch", "4*length"}}})
                                        .build();
  const Architecture fixed = fix_sizes(architecture, {{"length", 7}});
  CHECK(fixed.inputs[0].shape == SymbolicShape{batch, 7, 4});
  CHECK(fixed.layers[0].attributes.sizes("shape") == SymbolicShape{batch, 28});
  CHECK(infer_shapes(fixed).of({"view"}) == SymbolicShape{batch, 28});
  CHECK_THROWS_AS(fix_sizes(architecture, {{"height", 7}}), UsageError);
  CHECK_THROWS_WITH(fix_sizes(architecture, {{"height", 7}}),
                    "no size is called \"height\"; the open sizes are: batch, length");
  CHECK_THROWS_WITH(fix_sizes(architecture, {{"length", 0}}), "the size \"length\" is 0, expected at least 1");
}

TEST_CASE("parameters are named by their layer's path, in order") {
  std::vector<std::string> names;
  for (const NamedParameter& parameter : parameters_of(lenet()))
    names.push_back(parameter.name + " " + to_string(parameter.spec.shape));
  CHECK(names == std::vector<std::string>{"conv1.weight (6, 3, 5, 5)", "conv1.bias (6,)", "fc.weight (10, 1176)",
                                          "fc.bias (10,)"});
}

TEST_CASE("what is said of tensors is said of some that there are") {
  const auto with = [](const std::function<void(Architecture&)>& change) {
    Architecture architecture = lenet();
    change(architecture);
    return architecture;
  };
  CHECK_NOTHROW(checked(with([](Architecture& a) {
    a.frozen = {"fc.weight"};
    a.ties = {{"fc.weight", "conv1.weight"}};
    a.aliases = {{"head.weight", "fc.weight"}};
    a.unused = {"spare"};
    a.buffers = {"spare"};
    a.state_dict = {"fc.weight", "head.weight", "spare"};
  })));
  CHECK_THROWS_WITH(checked(with([](Architecture& a) { a.frozen = {"fc.wieght"}; })),
                    "\"frozen\" has \"fc.wieght\", which is no tensor of the network; did you mean fc.weight?");
  CHECK_THROWS_AS(checked(with([](Architecture& a) { a.ties = {{"fc.weight", "fc.x"}}; })), MalformedFile);
  CHECK_THROWS_AS(checked(with([](Architecture& a) { a.aliases = {{"other", "fc.x"}}; })), MalformedFile);
  CHECK_THROWS_AS(checked(with([](Architecture& a) { a.buffers = {"fc.x"}; })), MalformedFile);
  CHECK_THROWS_AS(checked(with([](Architecture& a) { a.state_dict = {"fc.x"}; })), MalformedFile);
}

TEST_CASE("outputs have keys of their own, and inputs have sizes") {
  Architecture architecture = lenet();
  architecture.outputs = {{"a", {"relu"}}, {"a", {"fc"}}};
  CHECK_THROWS_WITH(check_graph(architecture), "two outputs have the key \"a\"");
  architecture = lenet();
  architecture.inputs[0].shape[0] = Size(-1);
  CHECK_THROWS_WITH(check_graph(architecture), "the input \"x\" has a size of -1");
}

}  // namespace h5bridge::testing
