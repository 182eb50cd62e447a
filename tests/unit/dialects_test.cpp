// Configurations of Keras 2 and tf.keras in the form of Keras 3, room by room. tests/torch/dialects_test.cpp has whole
// files.
#include <catch2/catch.hpp>

#include "h5bridge/error.h"
#include "keras/dialects/configuration.h"
#include "keras/dialects/nodes.h"
#include "keras/dialects/table.h"
#include "keras/dialects/training.h"
#include "keras/dialects/version.h"
#include "keras/dialects/weights.h"

using namespace h5bridge;
using Catch::Matchers::Contains;
using Catch::Matchers::Message;

namespace {

const KerasVersion kKeras204 = keras_version_of("2.0.4");
const KerasVersion kKeras224 = keras_version_of("2.2.4");
const KerasVersion kTf24 = keras_version_of("2.4.0");

Json json(const std::string& text) { return Json::parse(text); }

Json layer(const std::string& class_name, const std::string& name, Json::Object settings = {}) {
  settings.set("name", name);
  return Json::Object{{"class_name", class_name}, {"config", std::move(settings)}};
}

Json called(Json layer, const std::string& nodes) {
  layer.as_object().set("name", layer.at("config").at("name"));
  layer.as_object().set("inbound_nodes", json(nodes));
  return layer;
}

Json sequential(Json::Array layers) {
  return Json::Object{{"class_name", "Sequential"},
                      {"config", Json::Object{{"name", "s"}, {"layers", std::move(layers)}}}};
}

Json functional(Json::Array layers, const std::string& outputs) {
  return Json::Object{{"class_name", "Model"},
                      {"config", Json::Object{{"name", "m"},
                                              {"layers", std::move(layers)},
                                              {"input_layers", json(R"([["x", 0, 0]])")},
                                              {"output_layers", json(outputs)}}}};
}

const Json::Array& layers_of(const KerasConfiguration& configuration) {
  return configuration.model.at("config").at("layers").as_array();
}

std::vector<std::string> names_of(const KerasConfiguration& configuration) {
  std::vector<std::string> result;
  for (const Json& layer : layers_of(configuration)) result.push_back(layer.at("config").at("name").as_string());
  return result;
}

const Json& find_layer(const KerasConfiguration& configuration, const std::string& name) {
  for (const Json& layer : layers_of(configuration))
    if (layer.at("config").at("name") == Json(name)) return layer;
  throw std::logic_error("no layer " + name);
}

// The layers whose tensors the call of that number takes.
std::vector<std::string> makers(const Json& layer, std::size_t call) {
  std::vector<std::string> result;
  const auto collect = [&](const auto& self, const Json& value) -> void {
    if (value.is_array()) {
      for (const Json& part : value.as_array()) self(self, part);
    } else if (value.is_object() && value.find("config")) {
      const Json::Array& history = value.at("config").at("keras_history").as_array();
      result.push_back(history[0].as_string() + ":" + history[1].dump() + ":" + history[2].dump());
    }
  };
  collect(collect, layer.at("inbound_nodes").as_array().at(call).at("args"));
  return result;
}

Tensor ones(Shape shape) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  return tensor_of(DType::Float32, std::move(shape), std::vector<float>(count, 1));
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("versions tell the line of Keras", "[dialects]") {
  CHECK(keras_version_of("2.2.4").line == KerasLine::Standalone);
  CHECK(keras_version_of("2.2.4").number == 20204);
  CHECK(keras_version_of("2.2.4-tf").line == KerasLine::TensorFlow);
  CHECK(keras_version_of("2.2.4-tf").number == 20204);
  CHECK(keras_version_of("2.3.1").line == KerasLine::Standalone);
  CHECK(keras_version_of("2.4.0").line == KerasLine::TensorFlow);
  CHECK(keras_version_of("2.15.0").number == 21500);
  CHECK(keras_version_of("3.15.1").line == KerasLine::Keras3);
  CHECK_FALSE(keras_version_of("3.0.0").is_before_3());
  CHECK(keras_version_of("2.21").is_before_3());
}

TEST_CASE("texts that are no versions are refused", "[dialects]") {
  CHECK(keras_version_of("1.2.2").number == 10202);
  CHECK(keras_version_of("0.3").is_before_2());
  CHECK_FALSE(keras_version_of("2.0.0").is_before_2());
  for (const char* text : {"", "two", "-2.0", "2.100.0", "2..1"}) {
    INFO(text);
    CHECK_THROWS_AS(keras_version_of(text), MalformedFile);
  }
}

TEST_CASE("a call of one tensor", "[dialects]") {
  const Json expected =
      json(R"([{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 1]}}],
                                  "kwargs": {"training": false}, "hands_mask_on": true}])");
  CHECK(nodes_in_keras_3(json(R"([[["x", 0, 1, {"training": false}]]])"), "Dense") == expected);
  CHECK(nodes_in_keras_3(json(R"([["x", 0, 1, {"training": false}]])"), "Dense") == expected);  // written unnested
  CHECK(nodes_in_keras_3(expected, "Dense") == expected);
}

TEST_CASE("several tensors are a list, or a sequence and its states", "[dialects]") {
  const Json nodes = json(R"([[["x", 0, 0, {}], ["e", 0, 1, {}], ["e", 0, 2, {}]]])");
  const Json merged = nodes_in_keras_3(nodes, "Concatenate").as_array()[0];
  REQUIRE(merged.at("args").as_array().size() == 1);
  CHECK(merged.at("args").as_array()[0].as_array().size() == 3);
  const Json states = nodes_in_keras_3(nodes, "LSTM").as_array()[0];
  REQUIRE(states.at("args").as_array().size() == 1);
  CHECK(states.at("args").as_array()[0] == keras_tensor(json(R"(["x", 0, 0])")));
  CHECK(states.at("kwargs").at("initial_state") ==
        Json(Json::Array{keras_tensor(json(R"(["e", 0, 1])")), keras_tensor(json(R"(["e", 0, 2])"))}));
}

TEST_CASE("tensors and constants among a call's arguments", "[dialects]") {
  const Json mask = nodes_in_keras_3(json(R"([[["x", 0, 0, {"mask": ["m", 0, 0]}]]])"), "LSTM").as_array()[0];
  CHECK(mask.at("kwargs").at("mask") == keras_tensor(json(R"(["m", 0, 0])")));
  const Json states =
      nodes_in_keras_3(json(R"([[["x", 0, 0, {"initial_state": [["h", 0, 0], ["c", 0, 0]]}]]])"), "LSTM").as_array()[0];
  CHECK(states.at("kwargs").at("initial_state").as_array().size() == 2);
  CHECK(states.at("kwargs").at("initial_state").as_array()[1] == keras_tensor(json(R"(["c", 0, 0])")));
  const Json constant = nodes_in_keras_3(json(R"([[["x", 0, 0, {}], ["_CONSTANT_VALUE", -1, 2.5, {}]]])"), "Add");
  CHECK(constant.as_array()[0].at("args").as_array()[0].as_array()[1] == Json(2.5));
  const Json named = nodes_in_keras_3(json(R"([[{"a": ["x", 0, 0, {}]}]])"), "Functional");
  CHECK(named.as_array()[0].at("args").as_array()[0].at("a") == keras_tensor(json(R"(["x", 0, 0])")));
}

TEST_CASE("what is no call is refused", "[dialects]") {
  CHECK_THROWS_MATCHES(nodes_in_keras_3(json("[[]]"), "Dense"), MalformedFile,
                       Message("one of its inbound_nodes has no tensors"));
  CHECK_THROWS_AS(nodes_in_keras_3(json(R"([[{"a": "x"}]])"), "Dense"), MalformedFile);
}

TEST_CASE("settings get Keras 3's names", "[dialects]") {
  const Json::Object leaky = settings_in_keras_3(kKeras224, "", "LeakyReLU", {{"name", "l"}, {"alpha", 0.2}});
  CHECK(leaky.at("negative_slope") == Json(0.2));
  CHECK_FALSE(leaky.contains("alpha"));
  CHECK((leaky.begin() + 1)->first == "negative_slope");  // in its old place
  const Json::Object adam = settings_in_keras_3(kKeras224, "optimizers.", "Adam", {{"lr", 0.5}});
  CHECK(adam.at("learning_rate") == Json(0.5));
  CHECK(class_in_keras_3(kTf24, "optimizers.", "Custom>Adam") == "Custom>Adam");  // which is not of that version
  CHECK(class_in_keras_3(keras_version_of("2.15.0"), "optimizers.", "Custom>Adam") == "Adam");
  CHECK(class_in_keras_3(kKeras224, "", "Model") == "Functional");
}

TEST_CASE("settings that say nothing go, and stay where they say something", "[dialects]") {
  const auto lstm = [](Json time_major) {
    return settings_in_keras_3(kTf24, "", "LSTM", {{"time_major", std::move(time_major)}, {"implementation", 2}});
  };
  CHECK_FALSE(lstm(false).contains("time_major"));
  CHECK_FALSE(lstm(false).contains("implementation"));
  CHECK(lstm(true).at("time_major") == Json(true));
  CHECK_FALSE(settings_in_keras_3(kTf24, "", "DepthwiseConv2D", {{"groups", 1}}).contains("groups"));
  CHECK(settings_in_keras_3(kTf24, "", "DepthwiseConv2D", {{"groups", 2}}).contains("groups"));
}

TEST_CASE("absent settings mean what the version did", "[dialects]") {
  CHECK(settings_in_keras_3(kKeras204, "", "GRU", {}).at("reset_after") == Json(false));
  CHECK(settings_in_keras_3(kTf24, "", "GRU", {}).at("reset_after") == Json(true));
  CHECK(settings_in_keras_3(kKeras224, "", "LSTM", {}).at("recurrent_activation") == Json("hard_sigmoid"));
  CHECK(settings_in_keras_3(keras_version_of("2.3.1"), "", "LSTM", {}).at("recurrent_activation") == Json("sigmoid"));
  CHECK(settings_in_keras_3(kKeras204, "", "Conv1D", {}).at("groups") == Json(1));
  CHECK(settings_in_keras_3(kKeras204, "", "Conv1D", {{"groups", 3}}).at("groups") == Json(3));
}

TEST_CASE("a configuration is Keras 3's afterwards", "[dialects]") {
  const Json axis = Json::Array{3};
  const Json zeros = json(R"({"class_name": "Zeros", "config": {"dtype": "float32"}})");
  const Json old = Json::Object{
      {"class_name", "Sequential"},  // whose configuration is a list
      {"config",
       Json::Array{layer("BatchNormalization", "n",
                         {{"batch_input_shape", json("[null, 8, 8, 3]")}, {"axis", axis}, {"beta_initializer", zeros}}),
                   layer("Dense", "d", {{"units", 3}})}}};
  const KerasConfiguration found = keras_3_configuration(old, "2.1.6-tf");
  CHECK(names_of(found) == Names{"n_input", "n", "d"});
  CHECK(layers_of(found)[0].at("config").at("batch_shape") == json("[null, 8, 8, 3]"));
  CHECK(layers_of(found)[1].at("config").at("axis") == Json(3));
  CHECK_FALSE(layers_of(found)[1].at("config").find("batch_input_shape"));
  const Json& initializer = layers_of(found)[1].at("config").at("beta_initializer");
  CHECK(initializer.at("module") == Json("keras.initializers"));
  CHECK_FALSE(initializer.at("config").find("dtype"));
  CHECK(found.factors.empty());
  CHECK(found.notes.empty());
}

TEST_CASE("without a version, the form tells", "[dialects]") {
  const Json old = sequential({layer("LeakyReLU", "l", {{"alpha", 0.1}})});
  CHECK(layers_of(keras_3_configuration(old, ""))[0].at("config").find("negative_slope"));
  Json newer = layer("LeakyReLU", "l", {{"alpha", 0.1}});
  newer.as_object().set("module", "keras.layers");
  CHECK_FALSE(layers_of(keras_3_configuration(sequential({newer}), ""))[0].at("config").find("negative_slope"));
  CHECK_THROWS_AS(keras_3_configuration(json("[]"), ""), MalformedFile);
}

TEST_CASE("the old hard_sigmoid of a Sequential model has a factor before it", "[dialects]") {
  const Json old = sequential({layer("Dense", "gate", {{"activation", "hard_sigmoid"}}),
                               layer("Activation", "squash", {{"activation", "hard_sigmoid"}})});
  const KerasConfiguration found = keras_3_configuration(old, "2.3.1");
  CHECK(names_of(found) == Names{"gate", "gate_factor", "gate_hard_sigmoid", "squash_factor", "squash"});
  CHECK(find_layer(found, "gate").at("config").at("activation") == Json("linear"));
  CHECK(find_layer(found, "gate_factor").at("class_name") == Json("Rescaling"));
  CHECK(find_layer(found, "gate_factor").at("config").at("scale") == Json(1.2));
  CHECK(find_layer(found, "gate_hard_sigmoid").at("config").at("activation") == Json("hard_sigmoid"));
  CHECK(found.factors.empty());
  // Keras 3's own stays as it is.
  Json newer = old;
  CHECK(names_of(keras_3_configuration(newer, "3.1.0")) == Names{"gate", "squash"});
}

TEST_CASE("the old hard_sigmoid of a graph has a factor before each of its calls", "[dialects]") {
  const Json old =
      functional({called(layer("InputLayer", "x", {{"batch_input_shape", json("[null, 3]")}}), "[]"),
                  called(layer("Dense", "gate", {{"units", 3}, {"activation", "hard_sigmoid"}}),
                         R"([[["x", 0, 0, {}]], [["gate", 0, 0, {}]]])"),
                  called(layer("Activation", "squash", {{"activation", "hard_sigmoid"}}), R"([[["gate", 1, 0, {}]]])"),
                  called(layer("Add", "sum"), R"([[["gate", 0, 0, {}], ["squash", 0, 0, {}]]])"),
                  called(layer("Dense", "gate_factor", {{"units", 3}}), R"([[["sum", 0, 0, {}]]])")},
                 R"([["gate_factor", 0, 0], ["gate", 1, 0]])");
  const KerasConfiguration found = keras_3_configuration(old, "2.2.4");
  CHECK(names_of(found) ==
        Names{"x", "gate", "gate_factor_1", "gate_hard_sigmoid", "squash_factor", "squash", "sum", "gate_factor"});
  CHECK(makers(find_layer(found, "gate"), 0) == Names{"x:0:0"});
  CHECK(makers(find_layer(found, "gate"), 1) == Names{"gate_hard_sigmoid:0:0"});
  CHECK(makers(find_layer(found, "gate_factor_1"), 1) == Names{"gate:1:0"});
  CHECK(makers(find_layer(found, "gate_hard_sigmoid"), 1) == Names{"gate_factor_1:1:0"});
  CHECK(makers(find_layer(found, "squash_factor"), 0) == Names{"gate_hard_sigmoid:1:0"});
  CHECK(makers(find_layer(found, "squash"), 0) == Names{"squash_factor:0:0"});
  CHECK(makers(find_layer(found, "sum"), 0) == Names{"gate_hard_sigmoid:0:0", "squash:0:0"});
  CHECK(found.model.at("config").at("output_layers") ==
        json(R"([["gate_factor", 0, 0], ["gate_hard_sigmoid", 1, 0]])"));
}

TEST_CASE("the old hard_sigmoid of recurrent layers is said in their weights", "[dialects]") {
  const Json inner = layer("LSTM", "inner", {{"recurrent_activation", "hard_sigmoid"}, {"activation", "tanh"}});
  const Json old = sequential(
      {layer("LSTM", "lstm", {{"recurrent_activation", "hard_sigmoid"}, {"activation", "tanh"}}),
       layer("GRU", "gru", {{"recurrent_activation", "sigmoid"}, {"activation", "hard_sigmoid"}}),
       layer("SimpleRNN", "rnn", {{"activation", "hard_sigmoid"}}), layer("Bidirectional", "both", {{"layer", inner}}),
       layer("LSTM", "plain", {{"recurrent_activation", "sigmoid"}, {"activation", "tanh"}})});
  const KerasConfiguration found = keras_3_configuration(old, "2.3.1");
  REQUIRE(found.factors.size() == 4);
  CHECK(found.factors[0].layer == "lstm");
  CHECK(found.factors[0].gates);
  CHECK_FALSE(found.factors[0].candidate);
  CHECK_FALSE(found.factors[1].gates);
  CHECK(found.factors[1].candidate);
  CHECK(found.factors[2].class_name == "SimpleRNN");
  CHECK(found.factors[3].layer == "both");
  CHECK(found.factors[3].class_name == "LSTM");
  REQUIRE(found.notes.size() == 1);
  CHECK_THAT(found.notes[0], Contains("0.2 x + 0.5") && Contains("lstm, gru, rnn, both"));
  CHECK_THROWS_MATCHES(
      keras_3_configuration(sequential({layer("LSTM", "l", {{"activation", "hard_sigmoid"}})}), "2.3.1"), Unsupported,
      Message(
          "layer \"l\" (LSTM): its hard_sigmoid is that of Keras 2 (0.2 x + 0.5), which cannot be said here in terms "
          "of Keras 3's"));
}

TEST_CASE("factors are those of the gates that each class has", "[dialects]") {
  struct Case {
    GateFactors factors;
    std::vector<float> expected;  // of a kernel of ones, one unit
  };
  const float f = 1.2F;
  const std::vector<Case> cases{{{"l", "LSTM", true, false}, {f, f, 1, f}},
                                {{"l", "GRU", true, false}, {f, f, 1}},
                                {{"l", "GRU", false, true}, {1, 1, f}},
                                {{"l", "GRU", true, true}, {f, f, f}},
                                {{"l", "SimpleRNN", false, true}, {f}}};
  for (const Case& one : cases) {
    INFO(one.factors.class_name << " " << one.factors.gates << one.factors.candidate);
    const auto width = static_cast<std::int64_t>(one.expected.size());
    std::vector<KerasLayerWeights> layers{{"l", {{"l/kernel:0", ones({2, width})}}},
                                          {"m", {{"m/kernel:0", ones({2})}}}};
    const auto unscaled = weights_in_keras_3(layers, {Json(), {one.factors}, {}}, "2.2.4", "tensorflow");
    REQUIRE(unscaled.size() == 1);
    CHECK(unscaled[0].name == "unscaled/l/l/kernel:0");
    CHECK(bit_equal(unscaled[0].tensor, ones({2, width})));
    std::vector<float> expected = one.expected;
    expected.insert(expected.end(), one.expected.begin(), one.expected.end());
    CHECK(layers[0].variables[0].tensor.values<float>() == expected);
    CHECK(layers[1].variables[0].tensor.values<float>() == std::vector<float>{1, 1});
  }
  std::vector<KerasLayerWeights> wrong{{"l", {{"l/kernel:0", ones({2, 6})}}}};
  CHECK_THROWS_AS(weights_in_keras_3(wrong, {Json(), {cases[0].factors}, {}}, "2.2.4", "tensorflow"), MalformedFile);
}

TEST_CASE("Theano's kernels are turned round", "[dialects]") {
  const Json model = sequential({layer("Conv1D", "c"), layer("SeparableConv1D", "s"), layer("Dense", "d")});
  const Tensor kernel = tensor_of(DType::Float32, {3, 1, 2}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const auto read = [&](const std::string& name, const std::string& version, const std::string& backend) {
    std::vector<KerasLayerWeights> layers{{name, {{name + "/kernel", kernel}}}};
    weights_in_keras_3(layers, {model, {}, {}}, version, backend);
    return layers[0].variables[0].tensor.values<float>();
  };
  const std::vector<float> as_it_was{1, 2, 3, 4, 5, 6};
  CHECK(read("c", "2.1.3", "theano") == std::vector<float>{5, 6, 3, 4, 1, 2});
  CHECK(read("c", "2.1.3", "tensorflow") == as_it_was);
  CHECK(read("s", "2.1.3", "theano") == as_it_was);
  CHECK(read("d", "2.1.3", "theano") == as_it_was);
}

TEST_CASE("what computed otherwise is refused or told", "[dialects]") {
  const Json bilinear = sequential({layer("UpSampling2D", "up", {{"interpolation", "bilinear"}})});
  CHECK_THROWS_MATCHES(keras_3_configuration(bilinear, "2.2.4"), Unsupported,
                       Message("layer \"up\" (UpSampling2D): the Keras that wrote it places samples at the corners of "
                               "pixels, Keras 3 in their middle"));
  CHECK(keras_3_configuration(bilinear, "2.2.4-tf").notes.size() == 1);
  CHECK(keras_3_configuration(bilinear, "2.4.0").notes.empty());
  const Json nearest = sequential({layer("UpSampling2D", "up", {{"interpolation", "nearest"}})});
  CHECK(keras_3_configuration(nearest, "2.2.4").notes.empty());

  const auto masked = [](bool return_sequences) {
    const Json inner =
        layer("GRU", "inner",
              {{"return_sequences", return_sequences}, {"activation", "tanh"}, {"recurrent_activation", "sigmoid"}});
    return sequential({layer("Masking", "mask"), layer("Bidirectional", "both", {{"layer", inner}})});
  };
  const std::vector<std::string> notes = keras_3_configuration(masked(true), "2.2.4").notes;
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Contains("\"both\" (Bidirectional)") && Contains("masked steps"));
  CHECK(keras_3_configuration(masked(false), "2.2.4").notes.empty());
  CHECK(keras_3_configuration(masked(true), "2.15.0").notes.empty());
}

TEST_CASE("what Keras 3 has nothing like in the training is left out and told", "[dialects]") {
  KerasFile file;
  file.training_config = json(R"({"loss": {"class_name": "Huber", "config": {}}, "metrics": ["accuracy"],
      "sample_weight_mode": null, "optimizer_config": {"class_name": "Adam", "config": {"lr": 0.5, "decay": 0.1}}})");
  const std::vector<std::string> notes = training_in_keras_3(file, kKeras224);
  REQUIRE(notes.size() == 2);
  CHECK_THAT(notes[0], Contains("loss is left out"));
  CHECK_THAT(notes[1], Contains("the optimizer is left out") && Contains("decay (0.1)"));
  CHECK(file.training_config.at("loss").is_null());
  CHECK(file.training_config.at("metrics") == json(R"(["accuracy"])"));
  CHECK_FALSE(file.training_config.find("sample_weight_mode"));
  CHECK_FALSE(file.training_config.find("optimizer_config"));
}

TEST_CASE("losses have names that Keras 3 loads", "[dialects]") {
  const auto read = [](const std::string& loss) {
    KerasFile file;
    file.training_config = Json::Object{{"loss", json(loss)}};
    CHECK(training_in_keras_3(file, kKeras224).empty());
    return file.training_config.at("loss");
  };
  CHECK(read(R"("mse")") == Json("mean_squared_error"));
  CHECK(read(R"(["MAE", "hinge", null])") == json(R"(["mean_absolute_error", "hinge", null])"));
  CHECK(read(R"({"out": "bce"})") == json(R"({"out": "binary_crossentropy"})"));
}

TEST_CASE("Adam's variables are named after the weights they belong to", "[dialects]") {
  const auto read = [](const std::string& version, std::vector<KerasVariable> optimizer) {
    KerasFile file;
    file.layers = {{"n", {{"n/gamma:0", ones({2})}, {"n/moving_mean:0", ones({2})}}},
                   {"d", {{"d/kernel:0", ones({2, 3})}}}};
    file.training_config = json(R"({"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.5, "decay": 0.0}}})");
    file.optimizer = std::move(optimizer);
    for (const std::string& note : training_in_keras_3(file, keras_version_of(version))) UNSCOPED_INFO(note);
    Names names;
    for (const KerasVariable& variable : file.optimizer) names.push_back(variable.path);
    return names;
  };
  const KerasVariable count{"Adam/iterations:0", tensor_of<std::int64_t>(DType::Int64, {}, {7})};
  const std::string a = "training/Adam/Variable";
  const Names by_place{"adam/iteration",         "adam/learning_rate",    "adam/n_gamma_momentum",
                       "adam/d_kernel_momentum", "adam/n_gamma_velocity", "adam/d_kernel_velocity"};
  CHECK(read("2.2.4", {count,
                       {a + ":0", ones({2})},
                       {a + "_1:0", ones({2, 3})},
                       {a + "_2:0", ones({2})},
                       {a + "_3:0", ones({2, 3})},
                       {a + "_4:0", ones({1})},
                       {a + "_5:0", ones({1})}}) == by_place);
  CHECK(read("2.4.0", {count, {"Adam/d/kernel/m:0", ones({2, 3})}, {"Adam/d/kernel/v:0", ones({2, 3})}}) ==
        Names{"adam/iteration", "adam/learning_rate", "adam/d_kernel_momentum", "adam/d_kernel_velocity"});
  CHECK(read("2.15.0", {count, {"Adam/m/d/kernel:0", ones({2, 3})}, {"Adam/v/d/kernel:0", ones({2, 3})}}) ==
        Names{"adam/iteration", "adam/learning_rate", "adam/d_kernel_momentum", "adam/d_kernel_velocity"});
  // Another order than the weights', but for the first versions, which sorted them by name.
  const std::vector<KerasVariable> sorted{
      count, {a + ":0", ones({2, 3})}, {a + "_1:0", ones({2})}, {a + "_2:0", ones({2, 3})}, {a + "_3:0", ones({2})}};
  CHECK(read("2.2.4", sorted).empty());
  CHECK(read("2.0.6", sorted).empty());
  CHECK(read("2.0.5", sorted) == Names{"adam/iteration", "adam/learning_rate", "adam/d_kernel_momentum",
                                       "adam/n_gamma_momentum", "adam/d_kernel_velocity", "adam/n_gamma_velocity"});
}
