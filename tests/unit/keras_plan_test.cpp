// Architectures as Keras configurations and back.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "keras/lift.h"
#include "keras/plan.h"
#include "passes/infer_shapes.h"
#include "passes/layout.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

const Json::Array& layers_of(const Json::Object& model_config) {
  return model_config.at("config").at("layers").as_array();
}

bool has_operation(const KerasPlan& plan) {
  const Json::Array& layers = layers_of(plan.model_config);
  return std::any_of(layers.begin(), layers.end(),
                     [](const Json& layer) { return layer.at("module").as_string().starts_with("keras.src.ops"); });
}

std::vector<std::string> classes_of(const KerasPlan& plan) {
  std::vector<std::string> result;
  for (const Json& layer : layers_of(plan.model_config)) result.push_back(layer.at("class_name").as_string());
  return result;
}

const Json& config_of_layer(const KerasPlan& plan, const std::string& name) {
  for (const Json& layer : layers_of(plan.model_config))
    if (layer.at("name") == Json(name)) return layer.at("config");
  throw std::logic_error("no layer " + name);
}

// With the members of all objects in the order of their names: a type that is written as another's class may order them
// otherwise.
Json sorted(const Json& json) {
  if (json.is_array()) {
    Json::Array result;
    for (const Json& element : json.as_array()) result.push_back(sorted(element));
    return result;
  }
  if (!json.is_object()) return json;
  std::map<std::string, Json> members;
  for (const auto& [name, value] : json.as_object()) members.emplace(name, sorted(value));
  Json::Object result;
  for (const auto& [name, value] : members) result.set(name, value);
  return result;
}

// Bindings as text: layer, variables, trainable and, where wished, tensors.
std::vector<std::string> bindings_of(const KerasPlan& plan, bool with_tensors = true) {
  std::vector<std::string> result;
  for (const KerasBinding& binding : plan.bindings) {
    std::string text = binding.layer + ":" + (binding.trainable ? "" : " frozen");
    for (const std::string& variable : binding.variables) text += " " + variable;
    if (with_tensors)
      for (const auto& source : binding.torch) text += " <- " + source.name;
    result.push_back(text);
  }
  return result;
}

Architecture two_branches() {
  return ArchitectureBuilder(batch_of({8, 8, 3}))
      .layer("body.conv1", "Conv2d",
             {{"in_channels", 3},
              {"out_channels", 4},
              {"kernel_size", 3},
              {"padding", 1},
              {"data_format", "channels_last"}})
      .layer("body.bn1", "BatchNorm2d", {{"num_features", 4}, {"data_format", "channels_last"}})
      .layer("body.conv2", "Conv2d",
             {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 1}, {"data_format", "channels_last"}}, {"x"})
      .layer("add", "add", {}, {"body.bn1", "body.conv2"})
      .layer("relu", "ReLU")
      .output("relu")
      .build();
}

}  // namespace

TEST_CASE("what Keras says of a plan of it is the plan") {
  for_each_sample([](const SampleCase& each) {
    for (const DataFormat format : {DataFormat::ChannelsFirst, DataFormat::ChannelsLast}) {
      INFO(each.name() << (format == DataFormat::ChannelsLast ? ", channels_last" : ", channels_first"));
      const LayoutChange change = change_layout(each.architecture(), format);
      if (!each.sample.in_keras) {
        CHECK_THROWS_AS(plan_keras(change.architecture, change.weights), Unsupported);
        CHECK_THROWS_WITH(plan_keras(change.architecture, change.weights),
                          Catch::StartsWith("layer \"layer\" (" + each.type.name + "): "));
        continue;
      }
      const KerasPlan plan = plan_keras(change.architecture, change.weights);
      CHECK(Json::parse(Json(plan.model_config).dump()) == Json(plan.model_config));
      if (has_operation(plan)) continue;  // it goes home by the architecture kept beside it
      const Architecture lifted = architecture_from_keras(plan.model_config);
      const KerasPlan again = plan_keras(lifted);
      CHECK(sorted(again.model_config).dump(1) == sorted(plan.model_config).dump(1));
      CHECK(again.layer_names == plan.layer_names);
      CHECK(again.output_names == plan.output_names);
      // A layer that is several in Keras is read as several, whose tensors have other names.
      const bool is_one = lifted.layers.size() == 1;
      CHECK(bindings_of(again, is_one) == bindings_of(plan, is_one));
    }
  });
}

TEST_CASE("each tensor of a plan is bound once or a residual") {
  for_each_sample([](const SampleCase& each) {
    if (!each.sample.in_keras) return;
    INFO(each.name());
    // What makes an output that nobody takes has no place in Keras.
    Architecture architecture = each.architecture();
    const auto outputs = static_cast<std::int64_t>(each.type.shapes(each.attributes(), each.input_shapes()).size());
    for (std::int64_t i = 1; i < outputs; ++i) architecture.outputs.push_back({"", {"layer", i}});
    const KerasPlan plan = plan_keras(architecture);
    std::multiset<std::string> placed;
    for (const KerasBinding& binding : plan.bindings)
      for (const auto& source : binding.torch) placed.insert(source.name);
    for (const auto& [name, fallback] : plan.residuals) placed.insert(name);
    std::multiset<std::string> wanted;
    for (const NamedParameter& parameter : parameters_of(architecture)) wanted.insert(parameter.name);
    CHECK(placed == wanted);
  });
}

TEST_CASE("paths become names that Keras can have") {
  CHECK(keras_name("layer1.0.conv1") == "layer1_0_conv1");
  CHECK(keras_name("a/b") == "a_b");
  const KerasPlan plan = plan_keras(two_branches());
  CHECK(plan.layer_names == std::vector<std::string>{"x", "body_conv1", "body_bn1", "body_conv2", "add", "relu"});
  CHECK(plan.output_names == std::vector<std::string>{"relu"});
  CHECK(bindings_of(plan) ==
        std::vector<std::string>{"body_conv1: kernel <- body.conv1.weight", "body_conv1: bias <- body.conv1.bias",
                                 "body_bn1: gamma <- body.bn1.weight", "body_bn1: beta <- body.bn1.bias",
                                 "body_bn1: frozen moving_mean <- body.bn1.running_mean",
                                 "body_bn1: frozen moving_variance <- body.bn1.running_var",
                                 "body_conv2: kernel <- body.conv2.weight", "body_conv2: bias <- body.conv2.bias"});
  CHECK(plan.residuals.size() == 1);
  CHECK(plan.residuals.contains("body.bn1.num_batches_tracked"));
}

TEST_CASE("paths that become the same name are told apart") {
  const Architecture architecture = ArchitectureBuilder(batch_of({3}))
                                        .layer("a.b", "Linear", {{"in_features", 3}, {"out_features", 3}})
                                        .layer("a_b", "Linear", {{"in_features", 3}, {"out_features", 3}})
                                        .build();
  CHECK(plan_keras(architecture).layer_names == std::vector<std::string>{"x", "a_b", "a_b_1"});
}

TEST_CASE("padding that Keras's same says needs no layer of its own") {
  const auto classes = [](Json::Object more) {
    Json::Object attributes{
        {"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}, {"data_format", "channels_last"}};
    for (const auto& [name, value] : more) attributes.set(name, value);
    return classes_of(plan_keras(ArchitectureBuilder(batch_of({8, 9, 3})).layer("conv", "Conv2d", attributes).build()));
  };
  using Classes = std::vector<std::string>;
  CHECK(classes({}) == Classes{"InputLayer", "Conv2D"});
  CHECK(classes({{"padding", 1}}) == Classes{"InputLayer", "Conv2D"});
  CHECK(classes({{"padding", 2}, {"dilation", 2}}) == Classes{"InputLayer", "Conv2D"});
  CHECK(classes({{"padding", 1}, {"stride", 2}}) == Classes{"InputLayer", "ZeroPadding2D", "Conv2D"});
  CHECK(classes({{"padding", 2}}) == Classes{"InputLayer", "ZeroPadding2D", "Conv2D"});
  CHECK(classes({{"padding", "same"}, {"stride", 2}}) == Classes{"InputLayer", "Conv2D"});
}

TEST_CASE("max pooling with padding pads with minus infinity") {
  const Architecture architecture =
      ArchitectureBuilder(batch_of({8, 9, 3}))
          .layer("pool", "MaxPool2d",
                 {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}, {"data_format", "channels_last"}})
          .build();
  const KerasPlan plan = plan_keras(architecture);
  REQUIRE(classes_of(plan) == std::vector<std::string>{"InputLayer", "Pad", "MaxPooling2D"});
  const Json& pad = layers_of(plan.model_config)[1];
  CHECK(pad.at("module") == Json("keras.src.ops.numpy"));
  CHECK(pad.at("registered_name") == Json("Pad"));
  CHECK(pad.at("config").at("pad_width").dump() == "[[0, 0], [1, 1], [1, 1], [0, 0]]");
  CHECK(pad.at("inbound_nodes").as_array()[0].at("args").as_array().at(1).dump() == "-Infinity");
  CHECK(plan.layer_names == std::vector<std::string>{"x", "pool"});  // operations are in no list of layers
}

TEST_CASE("batch normalisation's momentum is PyTorch's turned round, to the digit") {
  for (const auto& [torch, keras] : std::vector<std::pair<double, std::string>>{
           {0.1, "0.9"}, {0.01, "0.99"}, {0.3, "0.7"}, {0.05, "0.95"}, {0.001, "0.999"}}) {
    const Architecture architecture = ArchitectureBuilder(batch_of({4}))
                                          .layer("norm", "BatchNorm1d", {{"num_features", 4}, {"momentum", torch}})
                                          .build();
    const KerasPlan plan = plan_keras(architecture);
    CHECK(config_of_layer(plan, "norm").at("momentum").dump() == keras);
    CHECK(architecture_from_keras(plan.model_config).layers[0].attributes.number("momentum") == torch);
  }
}

TEST_CASE("a shared layer is one Keras layer with two nodes") {
  const Architecture architecture = ArchitectureBuilder(batch_of({4}))
                                        .layer("fc", "Linear", {{"in_features", 4}, {"out_features", 4}})
                                        .layer("relu", "ReLU")
                                        .call("fc_1", "fc")
                                        .call("relu_1", "relu")
                                        .build();
  const KerasPlan plan = plan_keras(architecture);
  CHECK(plan.layer_names == std::vector<std::string>{"x", "fc", "relu"});
  CHECK(plan.bindings.size() == 2);
  for (const char* name : {"fc", "relu"})
    for (const Json& layer : layers_of(plan.model_config))
      if (layer.at("name") == Json(name)) CHECK(layer.at("inbound_nodes").as_array().size() == 2);
  CHECK(layers_of(plan.model_config).size() == 3);
  const Architecture lifted = architecture_from_keras(plan.model_config);
  CHECK(lifted.layers.size() == 2);
  CHECK(lifted.nodes.size() == 4);
  CHECK(Json(plan_keras(lifted).model_config) == Json(plan.model_config));
}

TEST_CASE("outputs of a dict keep their keys") {
  const Architecture architecture = ArchitectureBuilder(batch_of({4}))
                                        .layer("boxes", "Linear", {{"in_features", 4}, {"out_features", 4}})
                                        .layer("scores", "Linear", {{"in_features", 4}, {"out_features", 2}}, {"x"})
                                        .output("boxes", "b")
                                        .output("scores", "s")
                                        .build();
  const KerasPlan plan = plan_keras(architecture);
  CHECK(plan.model_config.at("config").at("output_layers").dump() ==
        "{\"b\": [\"boxes\", 0, 0], \"s\": [\"scores\", 0, 0]}");
  const Architecture lifted = architecture_from_keras(plan.model_config);
  REQUIRE(lifted.outputs.size() == 2);
  CHECK(lifted.outputs[0].name == "b");
  CHECK(lifted.outputs[1].value == Value{"scores", 0});
}

TEST_CASE("everything that Keras cannot say is named at once") {
  const Architecture architecture =
      ArchitectureBuilder({Size::symbol("batch"), 3, Size::symbol("height"), 8})
          .layer("first", "Conv2d",
                 {{"in_channels", 3},
                  {"out_channels", 4},
                  {"kernel_size", 3},
                  {"padding", "same"},
                  {"stride", 2},
                  {"padding_mode", "reflect"}})
          .layer("count", "normalize", {{"p", 0.0}})
          .layer("smaller", "Upsample", {{"scale_factor", 0.5}, {"mode", "lanczos"}, {"antialias", true}})
          .build();
  CHECK_THROWS_AS(plan_keras(architecture), Unsupported);
  CHECK_THROWS_WITH(plan_keras(architecture),
                    "layer \"first\" (Conv2d): what \"same\" adds to an open size (height) is not known here; "
                    "LoadOptions::fix_sizes may help; "
                    "layer \"count\" (normalize): the norm 0, which counts elements, has no Keras operation; "
                    "layer \"smaller\" (Upsample): antialiasing of open sizes by Lanczos's filter is not known; "
                    "LoadOptions::fix_sizes may help");
}

TEST_CASE("Keras is told the length of a part of an open axis where a layer's weights depend on it") {
  const auto cut = [](const SymbolicShape& shape, const Json::Object& order) {
    return ArchitectureBuilder(shape)
        .layer("part", "slice", {{"dim", 1}, {"end", 4}})
        .layer("order", "permute", order)
        .layer("relu", "ReLU")
        .layer("dense", "Linear", {{"in_features", 4}, {"out_features", 3}})
        .build();
  };
  const Size batch = Size::symbol("batch"), length = Size::symbol("length"), open = Size::symbol("open");
  const KerasPlan plan = plan_keras(cut({batch, length, 5}, {{"dims", Json::Array{0, 2, 1}}}));
  CHECK(classes_of(plan) == std::vector<std::string>{"InputLayer", "GetItem", "Permute", "ReLU", "Reshape", "Dense"});
  CHECK(config_of_layer(plan, "dense_sized").at("target_shape") == Json(Json::Array{5, 4}));

  CHECK_THROWS_WITH(plan_keras(cut({batch, length, open, open}, {{"dims", Json::Array{0, 2, 3, 1}}})),
                    Catch::Matchers::Contains("layer \"dense\" (Linear): Keras does not know") &&
                        Catch::Matchers::Contains("LoadOptions::fix_sizes"));
}

TEST_CASE("Keras is told no length that no weights depend on") {
  const Architecture architecture =
      ArchitectureBuilder({Size::symbol("batch"), Size::symbol("length"), 5})
          .layer("part", "slice", {{"dim", 1}, {"end", 4}})
          .layer("lstm", "LSTM", {{"input_size", 5}, {"hidden_size", 5}, {"batch_first", true}})
          .layer("add", "add", {}, {"part", "lstm"})
          .layer("dense", "Linear", {{"in_features", 5}, {"out_features", 3}})
          .build();
  const std::vector<std::string> classes = classes_of(plan_keras(architecture));
  CHECK(std::ranges::count(classes, "Reshape") == 0);
}

TEST_CASE("a Sequential model comes back as one") {
  const Json config = Json::parse(R"({"class_name": "Sequential", "config": {"name": "seq", "trainable": true,
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null}, "layers": [
    {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 4], "dtype": "float32", "sparse": false, "ragged": false,
      "name": "in", "optional": false}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "trainable": false, "dtype": {"module": "keras", "class_name": "DTypePolicy",
      "config": {"name": "float32"}, "registered_name": null}, "units": 3, "activation": "relu", "use_bias": true,
      "kernel_initializer": {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": null}, "registered_name": null},
      "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null},
      "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null, "kernel_constraint": null, "bias_constraint": null,
      "quantization_config": null}, "registered_name": null}], "build_input_shape": [null, 4]}})");
  const Architecture architecture = architecture_from_keras(config);
  CHECK(architecture.name == "seq");
  CHECK(architecture.layers.at(0).attributes.integer("in_features") == 4);
  CHECK(architecture.layers[0].attributes.text("activation") == "relu");
  CHECK(architecture.layers[0].keras.trainable == false);
  CHECK(architecture.layers[0].keras.config.at("kernel_initializer").at("class_name") == Json("HeNormal"));
  const KerasPlan plan = plan_keras(architecture);
  CHECK(plan.bindings.at(0).path == "seq/" + plan.bindings[0].layer + "/");
  CHECK(Json(plan.model_config).dump(1) == config.dump(1));
}

TEST_CASE("Keras configurations that are malformed or not known are refused by layer") {
  const auto model = [](const std::string& layers) {
    return Json::parse(R"({"class_name": "Functional", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"batch_shape": [null, 4], "dtype": "float32", "name": "in"}, "inbound_nodes": []},)" +
                       layers + R"(], "input_layers": [["in", 0, 0]], "output_layers": [["out", 0, 0]]}})");
  };
  const auto call = [](const std::string& from, const std::string& kwargs = "{}") {
    return R"([{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [null, 4], "dtype": "float32", "keras_history": [")" +
           from + R"(", 0, 0]}}], "kwargs": )" + kwargs + "}]";
  };
  const auto layer = [&](const std::string& class_name, const std::string& config, const std::string& nodes) {
    return R"({"class_name": ")" + class_name + R"(", "name": "out", "config": )" + config + R"(, "inbound_nodes": )" +
           nodes + "}";
  };
  CHECK_NOTHROW(architecture_from_keras(model(layer("Dropout", R"({"name": "out", "rate": 0.5})", call("in")))));
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Mystery", R"({"trainable": true})", call("in")))),
                    "layer \"out\" (Mystery): there is no layer type for it");
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Mystery", "{}", call("in")))),
                    "layer \"out\" (Mystery): there is no layer type for it; if the network was PyTorch's, its "
                    "architecture JSON beside the file says what its operations are");
  CHECK_THROWS_AS(architecture_from_keras(model(layer("Mystery", "{}", call("in")))), Unsupported);
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Dropout", R"({"rate": "x"})", call("in")))),
                    "layer \"out\" (Dropout): \"rate\": expected a number, found a string");
  CHECK_THROWS_AS(architecture_from_keras(model(layer("Dropout", R"({"rate": "x"})", call("in")))), MalformedFile);
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Dropout", "{}", call("in")))),
                    "layer \"out\" (Dropout): its configuration has no \"rate\"");
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Dropout", R"({"rate": 0.5, "wobble": 3})", call("in")))),
                    "layer \"out\" (Dropout): its setting \"wobble\" (3) is not known");
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Dropout", R"({"rate": 0.5})", call("nobody")))),
                    "the layer \"out\" is called with tensors that no layer makes");
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Dropout", R"({"rate": 0.5})", call("out")))),
                    "the layer \"out\" is called with tensors that no layer makes");
  CHECK_THROWS_WITH(
      architecture_from_keras(model(layer("Dropout", R"({"rate": 0.5})", call("in", R"({"wobble": true})")))),
      "layer \"out\" (Dropout): is called with wobble=true");
  CHECK_THROWS_WITH(architecture_from_keras(model(layer("Dropout", R"({"rate": 0.5})", "[]"))),
                    "the model's output out is made by no layer");
  CHECK_THROWS_AS(architecture_from_keras(Json::parse(R"({"class_name": "Functional", "config": {}})")), MalformedFile);
  CHECK_THROWS_AS(architecture_from_keras(Json::parse(R"([1])")), MalformedFile);
  CHECK_THROWS_WITH(architecture_from_keras(Json::parse(R"({"class_name": "MyModel", "config": {}})")),
                    Catch::Contains("a model of class MyModel"));
}

}  // namespace h5bridge::testing
