// Models within Keras models: what is read of their calls, how they come back, and what is refused.
#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "convert/inner_weights.h"
#include "h5bridge/error.h"
#include "keras/call.h"
#include "keras/dialects/weights.h"
#include "keras/lift.h"
#include "keras/plan.h"
#include "passes/scopes.h"

namespace h5bridge::testing {
namespace {

Json tensor(const std::string& layer, std::int64_t call = 0, std::int64_t output = 0) {
  return Json::Object{{"class_name", "__keras_tensor__"},
                      {"config", Json::Object{{"keras_history", Json::Array{layer, call, output}}}}};
}

Json call_of(Json argument, Json::Object keywords = {}) {
  return Json::Object{{"args", Json::Array{std::move(argument)}}, {"kwargs", std::move(keywords)}};
}

Json entry(const std::string& class_name, const std::string& name, Json::Array calls, Json::Object config = {}) {
  config.set("name", name);
  return Json::Object{
      {"class_name", class_name}, {"name", name}, {"config", std::move(config)}, {"inbound_nodes", std::move(calls)}};
}

Json input(const std::string& name, const std::string& dtype = "float32", std::int64_t rank = 2) {
  Json::Array shape{nullptr};
  for (std::int64_t axis = 1; axis < rank; ++axis) shape.push_back(4);
  return entry("InputLayer", name, {}, {{"batch_shape", std::move(shape)}, {"dtype", dtype}});
}

Json dense(const std::string& name, Json::Array calls, bool trainable = true) {
  return entry("Dense", name, std::move(calls),
               {{"trainable", trainable}, {"units", 4}, {"activation", "linear"}, {"use_bias", true}});
}

Json::Object graph(const std::string& name, Json::Array layers, Json inputs, Json outputs) {
  return {{"name", name},
          {"trainable", true},
          {"layers", std::move(layers)},
          {"input_layers", std::move(inputs)},
          {"output_layers", std::move(outputs)}};
}

// x -> dense, as a model within the model.
Json block(const std::string& name, Json::Array calls) {
  return entry("Functional", name, std::move(calls),
               graph(name, {input("x"), dense("dense", {call_of(tensor("x"))})}, Json::Array{"x", 0, 0},
                     Json::Array{"dense", 0, 0}));
}

Json model(Json::Array layers, Json outputs) {
  layers.insert(layers.begin(), input("in"));
  return Json::Object{{"class_name", "Functional"},
                      {"config", graph("m", std::move(layers), Json::Array{"in", 0, 0}, std::move(outputs))}};
}

template <typename Read>
std::string refusal_by(Read&& read, ExitStatus status) {
  try {
    read();
  } catch (const Error& error) {
    CHECK(error.status() == status);
    return error.what();
  }
  FAIL("nothing is refused");
  return {};
}

std::string refusal_of(const Json& model, ExitStatus status) {
  return refusal_by([&] { architecture_from_keras(model); }, status);
}

// Each name once, in the order of the nodes.
std::vector<std::string> layers_of(const Architecture& architecture) {
  std::vector<std::string> result;
  for (const Layer& layer : architecture.layers) result.push_back(layer.name);
  return result;
}

const Json& layer_called(const KerasPlan& plan, const std::string& name) {
  for (const Json& layer : plan.model_config.at("config").at("layers").as_array())
    if (layer.at("name") == Json(name)) return layer;
  FAIL("no layer " << name);
  return plan.model_config.at("config");
}

}  // namespace

TEST_CASE("a model's layers stand among the others under its name, once however often it is called") {
  const Architecture found =
      architecture_from_keras(model({block("block", {call_of(tensor("in")), call_of(tensor("block"))}),
                                     dense("dense", {call_of(tensor("block", 1))})},
                                    Json::Array{"dense", 0, 0}));
  CHECK(layers_of(found) == std::vector<std::string>{"block.dense", "dense"});
  REQUIRE(found.nodes.size() == 3);
  CHECK(found.nodes[1].layer == "block.dense");
  CHECK(found.nodes[1].values() == std::vector<Value>{{found.nodes[0].name, 0}});
  REQUIRE(found.scope_calls.size() == 2);
  CHECK(found.nodes[0].scope_call == found.scope_calls[0].name);
  CHECK(found.nodes[1].scope_call == found.scope_calls[1].name);
  CHECK(found.nodes[2].scope_call.empty());
}

TEST_CASE("models come back as they were") {
  const Json before = model({block("block", {call_of(tensor("in"), {{"training", false}}), call_of(tensor("block"))}),
                             dense("dense", {call_of(tensor("block", 1))})},
                            Json::Array{"dense", 0, 0});
  const Architecture architecture = architecture_from_keras(before);
  const KerasPlan plan = plan_keras(architecture);
  const Json& found = layer_called(plan, "block");
  const Json::Array& layers = found.at("config").at("layers").as_array();
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].at("class_name") == Json("InputLayer"));
  CHECK(layers[1].at("name") == Json("dense"));
  CHECK(layers[1].at("inbound_nodes").as_array().size() == 1);
  const Json::Array& calls = found.at("inbound_nodes").as_array();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].at("kwargs") == Json(Json::Object{{"training", false}}));
  CHECK(calls[1].at("args").as_array().at(0).at("config").at("keras_history") == Json(Json::Array{"block", 0, 0}));
  CHECK(plan.layer_names == std::vector<std::string>{"in", "block", "dense"});
  CHECK(architecture_from_keras(plan.model_config) == architecture);
  const Json document = architecture_to_json(architecture);
  CHECK(document.at("h5bridge") == Json(2));
  CHECK(architecture_to_json(architecture_from_json(document)) == document);
}

TEST_CASE("calls of a model are counted from 0 among arguments and from 1 among outputs") {
  const Json before = model({block("block", {call_of(tensor("in")), call_of(tensor("block", 0))})},
                            Json::Array{Json::Array{"block", 1, 0}, Json::Array{"block", 2, 0}});
  const Architecture found = architecture_from_keras(before);
  REQUIRE(found.outputs.size() == 2);
  CHECK(found.outputs[0].value.node == found.nodes[0].name);
  CHECK(found.outputs[1].value.node == found.nodes[1].name);
  CHECK(plan_keras(found).model_config.at("config").at("output_layers") == before.at("config").at("output_layers"));
}

TEST_CASE("versions before 3 count from 1 among arguments, too") {
  const auto old = [](Json call) {
    call.as_object().set(kHandsMaskOn, true);
    return call;
  };
  const Architecture found =
      architecture_from_keras(model({block("block", {old(call_of(tensor("in"))), old(call_of(tensor("block", 1)))}),
                                     dense("last", {old(call_of(tensor("block", 2)))})},
                                    Json::Array{"last", 0, 0}));
  CHECK(found.nodes[1].values() == std::vector<Value>{{found.nodes[0].name, 0}});
  CHECK(found.nodes[2].values() == std::vector<Value>{{found.nodes[1].name, 0}});
}

TEST_CASE("a model whose calls are no longer alike is written as the layers that it had") {
  Architecture architecture =
      architecture_from_keras(model({block("block", {call_of(tensor("in")), call_of(tensor("block"))}),
                                     dense("dense", {call_of(tensor("block", 1))})},
                                    Json::Array{"dense", 0, 0}));
  // The second call takes what no argument brings in.
  architecture.scope_calls[1].arguments = {{"in", 0}};
  const KerasPlan plan = plan_keras(architecture);
  CHECK(layer_called(plan, "block_dense").at("inbound_nodes").as_array().size() == 2);
  CHECK(plan.layer_names == std::vector<std::string>{"in", "block_dense", "dense"});
}

TEST_CASE("an inner model's frozen variables stand behind its trained ones, and are found by their paths") {
  const Json inner =
      entry("Functional", "block", {call_of(tensor("in"))},
            graph("block", {input("x"), dense("a", {call_of(tensor("x"))}, false), dense("b", {call_of(tensor("a"))})},
                  Json::Array{"x", 0, 0}, Json::Array{"b", 0, 0}));
  const KerasPlan plan = plan_keras(architecture_from_keras(model({inner}, Json::Array{"block", 1, 0})));
  const auto variable = [](const std::string& path) { return KerasVariable{path, zeros(DType::Float32, {1})}; };
  const auto found = [&](std::vector<std::string> paths) {
    KerasLayerWeights weights{"block", {}};
    for (const std::string& path : paths) weights.variables.push_back(variable(path));
    std::vector<std::string> result;
    for (const KerasLayerWeights& layer : weights_by_layer({weights}, plan))
      for (const KerasVariable& each : layer.variables) result.push_back(layer.layer + " " + each.path);
    return result;
  };
  CHECK(found({"b/kernel:0", "b/bias:0", "a/kernel:0", "a/bias:0"}) ==
        std::vector<std::string>{"block/b b/kernel:0", "block/b b/bias:0", "block/a a/kernel:0", "block/a a/bias:0"});
  CHECK(found({"a/kernel", "a/bias", "b/kernel", "b/bias"}).at(0) == "block/a a/kernel");
  // Layers that were renamed keep their variables' names.
  CHECK(found({"dense_1/kernel", "dense_1/bias", "dense/kernel", "dense/bias"}).at(0) == "block/b dense_1/kernel");
  CHECK(refusal_by([&] { found({"q/kernel", "q/bias", "r/kernel", "r/gamma"}); }, ExitStatus::Malformed) ==
        "/model_weights/block holds r/gamma where a/bias is expected");
  CHECK(refusal_by([&] { found({"a/kernel"}); }, ExitStatus::Malformed) ==
        "/model_weights/block holds 1 variables, expected 4 of the model within the model");
}

TEST_CASE("what a model within the model cannot be called with is refused by its name") {
  const auto called = [](Json call) { return model({block("block", {std::move(call)})}, Json::Array{"block", 1, 0}); };
  CHECK(refusal_of(called(call_of(tensor("in"), {{"depth", true}})), ExitStatus::Unsupported) ==
        "layer \"block\" (Functional): a model within the model is called with depth=true, which is not known yet");
  CHECK(architecture_from_keras(called(call_of(tensor("in"), {{"training", true}}))).scope_calls[0].keras_arguments ==
        Json::Object{{"training", true}});
  CHECK(refusal_of(called(call_of(Json::Array{tensor("in"), tensor("in")})), ExitStatus::Malformed) ==
        "layer \"block\" (Functional): it is called with 2 tensors and has 1 inputs");
  CHECK(refusal_of(called(call_of(Json(2.0))), ExitStatus::Unsupported) ==
        "layer \"block\" (Functional): a model within the model is called with 2.0, which is no tensor");
  CHECK(
      refusal_of(model({block("block", {call_of(tensor("block"))})}, Json::Array{"block", 1, 0}), ExitStatus::Malformed)
          .find("is called with tensors that no layer makes") != std::string::npos);
  CHECK(refusal_of(model({block("block", {call_of(tensor("in"))}), dense("d", {call_of(tensor("block", 7))})},
                         Json::Array{"d", 0, 0}),
                   ExitStatus::Malformed) == "no call of the model \"block\" makes the tensor [\"block\", 7, 0]");
}

TEST_CASE("layers that are not known are named within their models") {
  const Json::Array layers{input("x"), entry("Mystery", "q", {call_of(tensor("x"))}, {{"trainable", true}})};
  const Json inner = entry("Functional", "block", {call_of(tensor("in")), call_of(tensor("block"))},
                           graph("block", layers, Json::Array{"x", 0, 0}, Json::Array{"q", 0, 0}));
  const Json other = entry("Enigma", "last", {call_of(tensor("block", 1))}, {{"trainable", true}});
  CHECK(refusal_of(model({inner, other}, Json::Array{"last", 0, 0}), ExitStatus::Unsupported) ==
        "layer \"block.q\" (Mystery): there is no layer type for it; layer \"last\" (Enigma): there is no layer "
        "type for it");
}

TEST_CASE("what older versions meant otherwise is told of layers of models within the model, too") {
  const Json lstm =
      entry("LSTM", "lstm", {}, {{"units", 3}, {"activation", "tanh"}, {"recurrent_activation", "hard_sigmoid"}});
  const Json inner = entry("Sequential", "inner", {}, {{"layers", Json::Array{lstm}}});
  const Json old = Json::Object{{"class_name", "Sequential"},
                                {"config", Json::Object{{"name", "m"}, {"layers", Json::Array{inner}}}}};
  const std::vector<GateFactors> factors = keras_3_configuration(old, "2.2.4").factors;
  REQUIRE(factors.size() == 1);
  CHECK(factors[0].layer == "inner");
  CHECK(factors[0].inner == "lstm");
  CHECK(factors[0].gates);
  CHECK_FALSE(factors[0].candidate);
}

TEST_CASE("Theano's kernels of models within the model are turned, and only theirs") {
  const Json convolution = entry("Conv1D", "conv", {}, {{"filters", 1}}), dense = entry("Dense", "dense", {}, {});
  KerasConfiguration configuration;
  configuration.model = Json::Object{
      {"class_name", "Sequential"},
      {"config", Json::Object{{"layers", Json::Array{entry("Sequential", "inner", {},
                                                           {{"layers", Json::Array{convolution, dense}}})}}}}};
  const Tensor kernel = tensor_of<float>(DType::Float32, {3, 1, 1}, {1, 2, 3});
  const Tensor matrix = tensor_of<float>(DType::Float32, {3, 1}, {4, 5, 6});
  std::vector<KerasLayerWeights> weights{{"inner", {{"conv/kernel:0", kernel}, {"dense/kernel:0", matrix}}}};
  weights_in_keras_3(weights, configuration, "2.2.4", "theano");
  CHECK(weights[0].variables[0].tensor.values<float>() == std::vector<float>{3, 2, 1});
  CHECK(weights[0].variables[1].tensor.values<float>() == std::vector<float>{4, 5, 6});

  std::vector<KerasLayerWeights> nameless{{"inner", {{"a:0", kernel}, {"b:0", matrix}}}};
  CHECK(refusal_by([&] { weights_in_keras_3(nameless, configuration, "2.2.4", "theano"); }, ExitStatus::Unsupported)
            .find("layer \"conv\" of the model \"inner\" within the model") == 0);
  CHECK(weights_in_keras_3(nameless, configuration, "2.2.4", "tensorflow").empty());
}

TEST_CASE("a tensor of another rank than a model's input has is refused") {
  Json::Array layers{input("in", "float32", 3), block("block", {call_of(tensor("in"))})};
  const Json wrong = Json::Object{{"class_name", "Functional"},
                                  {"config", graph("m", layers, Json::Array{"in", 0, 0}, Json::Array{"block", 1, 0})}};
  CHECK(refusal_of(wrong, ExitStatus::Unsupported) ==
        "layer \"block.x\" (InputLayer): it is given a tensor of another rank than its shape [null, 4] has");
}

TEST_CASE("models that call models twice, over and over, do not fill the memory") {
  Json inner = block("level0", {});
  for (int level = 1; level < 40; ++level) {
    const std::string name = "level" + std::to_string(level), below = "level" + std::to_string(level - 1);
    inner.as_object().set("inbound_nodes", Json::Array{call_of(tensor("x")), call_of(tensor(below))});
    inner = entry("Functional", name, {},
                  graph(name, {input("x"), inner}, Json::Array{"x", 0, 0}, Json::Array{below, 2, 0}));
  }
  inner.as_object().set("inbound_nodes", Json::Array{call_of(tensor("in"))});
  CHECK(refusal_of(model({inner}, Json::Array{"level39", 1, 0}), ExitStatus::Unsupported)
            .find("the models in it make more than 200000 calls") != std::string::npos);
}

TEST_CASE("scopes that do not hold together are refused") {
  const Architecture sound =
      architecture_from_keras(model({block("block", {call_of(tensor("in"))})}, Json::Array{"block", 1, 0}));
  const auto refusal = [&](auto&& change) {
    Architecture changed = sound;
    change(changed);
    return refusal_by([&] { check_scopes(changed); }, ExitStatus::Malformed);
  };
  CHECK(refusal([](Architecture& a) { a.scopes.push_back(a.scopes[0]); }) ==
        "the scope \"block\" is defined twice, or has no name");
  CHECK(refusal([](Architecture& a) { a.scope_calls.push_back(a.scope_calls[0]); }) ==
        "the call \"block\" of the scope \"block\" is there twice, or has no name");
  CHECK(refusal([](Architecture& a) {
          a.scope_calls.push_back(a.scope_calls[0]);
          a.scope_calls[1].name = "again";
          a.scope_calls[1].results.clear();
        }) == "the call \"again\" of the scope \"block\" has another number of results than one before it");
  CHECK(refusal([](Architecture& a) { a.scope_calls[0].masks.resize(2); }) ==
        "the call \"block\" of the scope \"block\" has more masks than arguments");
  CHECK(refusal([](Architecture& a) { a.scope_calls[0].parent = "nowhere"; }) ==
        "the call \"block\" of the scope \"block\" is a part of \"nowhere\", which is no call of a scope");
  CHECK(refusal([](Architecture& a) { a.scope_calls[0].scope = "other"; }) ==
        "the call \"block\" of the scope \"other\": there is no such scope");
  CHECK(refusal([](Architecture& a) { a.scope_calls[0].arguments.clear(); }) ==
        "the call \"block\" of the scope \"block\" has 0 arguments, expected 1");
  CHECK(refusal([](Architecture& a) { a.scope_calls[0].parent = "block"; }) ==
        "the call \"block\" of the scope \"block\" is a part of itself");
  CHECK(refusal([](Architecture& a) { a.scope_calls[0].results = {{"nothing", 0}}; }) ==
        "the call \"block\" of the scope \"block\" names \"nothing\", which no input or layer makes");
  CHECK(refusal([](Architecture& a) { a.nodes[0].scope_call = "nowhere"; }) ==
        "\"block.dense\" is a part of \"nowhere\", which is no call of a scope");
}

}  // namespace h5bridge::testing
