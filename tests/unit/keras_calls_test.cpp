// Keras's calls of layers, as architecture_from_keras reads them: which node is whose, what calls of one layer have to
// have in common, and what is refused.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "h5bridge/error.h"
#include "keras/lift.h"
#include "keras/plan.h"
#include "model/keras_origin.h"

namespace h5bridge::testing {
namespace {

Json tensor(const std::string& layer, int call = 0) {
  return Json::Object{{"class_name", "__keras_tensor__"},
                      {"config", Json::Object{{"keras_history", Json::Array{layer, call, 0}}}}};
}

Json call_with(Json::Array arguments, Json::Object keywords = {}) {
  return Json::Object{{"args", std::move(arguments)}, {"kwargs", std::move(keywords)}};
}

Json layer(const std::string& class_name, const std::string& name, Json::Array calls, Json::Object config = {},
           const std::string& module = "keras.layers") {
  config.set("name", name);
  if (module == "keras.layers") config.set("trainable", true);
  return Json::Object{{"module", module},
                      {"class_name", class_name},
                      {"name", name},
                      {"config", std::move(config)},
                      {"inbound_nodes", std::move(calls)}};
}

Json input(const std::string& name, Json::Array shape = {nullptr, 4}) {
  return layer("InputLayer", name, {}, {{"batch_shape", std::move(shape)}, {"dtype", "float32"}});
}

Json dense(const std::string& name, Json::Array calls) {
  return layer("Dense", name, std::move(calls), {{"units", 4}, {"activation", "linear"}, {"use_bias", true}});
}

// With the first of the layers as its input, and the last call of the last one as its output.
Json model_of(const Json::Array& layers) {
  const Json& last = layers.back();
  const auto calls = last.at("inbound_nodes").as_array().size();
  return Json::Object{{"class_name", "Functional"},
                      {"config", Json::Object{{"name", "m"},
                                              {"layers", layers},
                                              {"input_layers", Json::Array{layers.at(0).at("name"), 0, 0}},
                                              {"output_layers",
                                               Json::Array{last.at("name"), std::max<std::size_t>(calls, 1) - 1, 0}}}}};
}

std::vector<std::string> nodes_of(const Architecture& architecture) {
  std::vector<std::string> result;
  for (const Node& node : architecture.nodes) result.push_back(node.name);
  return result;
}

std::string refusal_of(const Json& model, ExitStatus status = ExitStatus::Unsupported) {
  try {
    architecture_from_keras(model);
  } catch (const Error& error) {
    CHECK(error.status() == status);
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("which of Keras's two names for a function it was is kept by name, and read as the number that it once was") {
  const Json keras =
      model_of({input("x"), layer("Activation", "act", {call_with({tensor("x")})}, {{"activation", "swish"}})});
  Architecture architecture = architecture_from_keras(keras);
  KerasOrigin& said = architecture.layers.at(0).keras;
  CHECK(said.variant == "swish");
  const auto written = [&] {
    return plan_keras(architecture)
        .model_config.at("config")
        .at("layers")
        .as_array()
        .at(1)
        .at("config")
        .at("activation");
  };
  CHECK(written() == Json("swish"));
  Json::Object as_it_was = keras_origin_to_json(said);
  as_it_was.set("variant", 1);
  said = keras_origin_from_json(as_it_was);
  CHECK(written() == Json("swish"));
  CHECK(keras_origin_to_json(said).at("variant") == Json(1));
  said.variant.reset();
  CHECK(written() == Json("silu"));
}

TEST_CASE("a call of a layer has a name that no other layer, input or call has") {
  // The second call of s is named like a layer, so is its third, and one of the input's like that of the next.
  const Architecture architecture = architecture_from_keras(model_of({
      input("s_3"),
      dense("s", {call_with({tensor("s_3")}), call_with({tensor("s", 0)}), call_with({tensor("s", 1)})}),
      dense("s_1", {call_with({tensor("s", 2)}), call_with({tensor("s_1", 0)})}),
      dense("s_1_1", {call_with({tensor("s_1", 1)})}),
  }));
  CHECK(nodes_of(architecture) == std::vector<std::string>{"s", "s_2", "s_4", "s_1", "s_1_2", "s_1_1"});
  const KerasPlan plan = plan_keras(architecture);
  CHECK(plan.layer_names == std::vector<std::string>{"s_3", "s", "s_1", "s_1_1"});
  CHECK(architecture_from_keras(plan.model_config) == architecture);
}

TEST_CASE("a name that PyTorch's path could have, too, is Keras's own") {
  const Architecture architecture =
      architecture_from_keras(model_of({input("x"), dense("fc.1", {call_with({tensor("x")})})}));
  const KerasPlan plan = plan_keras(architecture);
  CHECK(plan.layer_names == std::vector<std::string>{"x", "fc.1"});
}

TEST_CASE("a layer's calls keep their order, whichever of them could be made first") {
  const Architecture architecture = architecture_from_keras(model_of({
      input("x"),
      dense("shared", {call_with({tensor("first")}), call_with({tensor("x")})}),
      dense("first", {call_with({tensor("x")})}),
      layer("Add", "sum", {call_with({Json::Array{tensor("shared", 0), tensor("shared", 1)}})}),
  }));
  CHECK(nodes_of(architecture) == std::vector<std::string>{"first", "shared", "shared_1", "sum"});
}

TEST_CASE("the input of a Sequential model has a name of its own") {
  const Json model =
      Json::Object{{"class_name", "Sequential"},
                   {"config", Json::Object{{"name", "m"},
                                           {"layers", Json::Array{dense("input", {}), dense("input_1", {})}},
                                           {"build_input_shape", Json::Array{nullptr, 4}}}}};
  CHECK(nodes_of(architecture_from_keras(model)) == std::vector<std::string>{"input", "input_1"});
}

TEST_CASE("constants of a layer's calls are the same, or refused by the argument's name") {
  const auto shared = [](const Json& first, const Json& second) {
    return model_of(
        {input("x"), layer("Multiply", "m", {call_with({tensor("x"), first}), call_with({tensor("m"), second})}, {},
                           "keras.src.ops.numpy")});
  };
  CHECK(nodes_of(architecture_from_keras(shared(2, 2))) == std::vector<std::string>{"m", "m_1"});
  CHECK(refusal_of(shared(2, 3)) ==
        "layer \"m\" (Multiply): its call number 2 has x2=3, its first has x2=2, and calls that differ are not known "
        "yet; if the network was PyTorch's, its architecture JSON beside the file says what its operations are");
}

TEST_CASE("training=True of Keras 3 is kept, that of Keras 2 refused, which drops in predict() as well") {
  const Json::Object rate{{"rate", 0.5}};
  const Architecture kept = architecture_from_keras(
      model_of({input("x"), layer("Dropout", "d", {call_with({tensor("x")}, {{"training", true}})}, rate)}));
  CHECK(kept.layers.at(0).attributes.boolean("training"));
  const Json old = Json::Array{Json::Array{"x", 0, 0, Json::Object{{"training", true}}}};
  CHECK(refusal_of(model_of({input("x"), layer("Dropout", "d", {old}, rate)})) ==
        "layer \"d\" (Dropout): is called with training=true, which Keras 2 heeds in predict(), too, and Keras 3 does "
        "not");
}

TEST_CASE("an input of another shape that makes another layer of a second call is refused") {
  const Json::Object config{{"axis", 1}, {"epsilon", 1e-3}, {"center", true}, {"scale", true}, {"rms_scaling", false}};
  const Json model = model_of({
      input("x", {nullptr, 4, 4}),
      layer("GlobalAveragePooling1D", "mean", {call_with({tensor("x")})},
            {{"data_format", "channels_last"}, {"keepdims", false}}),
      layer("LayerNormalization", "n", {call_with({tensor("mean")}), call_with({tensor("x")})}, config),
  });
  CHECK(refusal_of(model) ==
        "layer \"n\" (LayerNormalization): its call number 2 has an input of another shape than its first, which makes "
        "another layer of it");
  const Json misfit =
      model_of({input("x"), dense("d", {call_with({tensor("x")}), call_with({tensor("y")})}),
                layer("Concatenate", "y", {call_with({Json::Array{tensor("d"), tensor("d")}})}, {{"axis", -1}})});
  CHECK(refusal_of(misfit, ExitStatus::Malformed) ==
        "layer \"d\" (Dense): its input has shape (batch, 8), expected 4 as the last size");
}

TEST_CASE("None among tensors is refused, as it would change their places") {
  for (const Json::Array& list : {Json::Array{nullptr, tensor("x")}, Json::Array{tensor("x"), nullptr}})
    CHECK(refusal_of(model_of({input("x"), layer("Add", "sum", {call_with({list})})}))
              .starts_with("layer \"sum\" (Add): is called with the argument [" +
                           std::string(list.at(0).is_null() ? "null" : "{")));
  const Json masked =
      layer("Dropout", "d", {call_with({tensor("x")}, {{"mask", Json::Array{nullptr, tensor("x")}}})}, {{"rate", 0.5}});
  CHECK(refusal_of(model_of({input("x"), masked})).starts_with("layer \"d\" (Dropout): is called with mask=[null, {"));
}

TEST_CASE("a mask that Keras 2 could make of others, and we cannot, is refused where something takes it") {
  const auto steps = [](const std::string& name) { return input(name, {nullptr, 7, 3}); };
  // Nodes as Keras 2 has them, which hand masks on without saying so.
  const auto call_in_keras_2 = [](const std::vector<std::string>& inputs) {
    Json::Array tensors;
    for (const std::string& name : inputs) tensors.push_back(Json::Array{name, 0, 0, Json::Object{}});
    return Json::Array{std::move(tensors)};
  };
  const Json::Array joined{steps("x"), layer("Masking", "masked", call_in_keras_2({"x"}), {{"mask_value", 0.0}}),
                           layer("Concatenate", "both", call_in_keras_2({"masked", "x"}), {{"axis", 1}})};
  CHECK(nodes_of(architecture_from_keras(model_of(joined))) == std::vector<std::string>{"masked", "both"});
  Json::Array taken = joined;
  taken.push_back(layer("GlobalAveragePooling1D", "mean", call_in_keras_2({"both"}),
                        {{"data_format", "channels_last"}, {"keepdims", false}}));
  CHECK(refusal_of(model_of(taken)) ==
        "layer \"mean\" (GlobalAveragePooling1D): takes the mask of \"both\": only some of its inputs have a mask");
}

TEST_CASE("layers that are not known are all named once, however often they are called") {
  const Json unknown = layer("Enigma", "base", {call_with({tensor("x")}), call_with({tensor("base")})});
  const Json after = dense("after", {call_with({tensor("base", 1)}), call_with({tensor("x")})});
  const Json mystery = layer("Mystery", "m", {call_with({Json::Object{{"a", tensor("after", 1)}}})});
  CHECK(refusal_of(model_of({input("x"), unknown, after, mystery})) ==
        "layer \"base\" (Enigma): there is no layer type for it; layer \"m\" (Mystery): there is no layer type "
        "for it");
}

TEST_CASE("configurations that make no model are malformed") {
  const auto malformed = [](const Json& model) { return refusal_of(model, ExitStatus::Malformed); };
  const Json::Object axes{{"axes", 1}, {"normalize", false}};
  CHECK(malformed(model_of({input("x"), layer("Dot", "dot", {call_with({Json::Array{tensor("x")}})}, axes)})) ==
        "layer \"dot\" (Dot): has 1 input, expected 2: input, other");
  CHECK(malformed(model_of({input("x"), dense("d", {call_with({tensor("x")}), call_with({})})})) ==
        "layer \"d\" (Dense): has 0 inputs, expected 1");
  CHECK(malformed(model_of({input("x"), dense("d", {call_with({tensor("x")})}),
                            dense("d", {call_with({tensor("x")})})})) == "two layers are called \"d\"");
  const Json number = layer("PReLU", "p", {call_with({tensor("x")})});
  CHECK_THROWS_AS(plan_keras(architecture_from_keras(model_of({input("x", {}), number}))), Unsupported);
  Json without = model_of({input("x"), dense("d", {call_with({tensor("x")})})});
  without.as_object().find("config")->as_object().set("input_layers", Json::Array{});
  CHECK(malformed(without) == "the model has no inputs");
}

TEST_CASE("a message quotes little of a file") {
  const std::string endless(1'000'000, 'e');
  const Json known = dense("d", {call_with({tensor("x")}, {{endless, endless}})});
  const Json unknown = layer(endless, endless, {call_with({tensor("x")})});
  const Json setting = layer("Dense", "d", {call_with({tensor("x")})},
                             {{"units", 4}, {"activation", "linear"}, {"use_bias", true}, {endless, endless}});
  for (const Json& each : {known, unknown, setting}) CHECK(refusal_of(model_of({input("x"), each})).size() < 1000);
}

}  // namespace h5bridge::testing
