// What Keras says, and its JSON form of version 1: docs/architecture_json.md, testdata/golden.
#include "model/keras_origin.h"

#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge::testing {
namespace {

template <typename... Members>
bool are_said(const Members&... members) {
  return (!(members == Members{}) && ...);
}

const KerasOrigin kLayer{.name = "embed",
                         .trainable = false,
                         .config = {{"mask_zero", true}, {"dtype", "float16"}},
                         .class_name = "Activation",
                         .module = "keras.src.ops.nn",
                         .variant = "swish",
                         .unfit = true,
                         .fused_into = "conv",
                         .fused_as = "leaky",
                         .silent_arguments = {{"training", nullptr}},
                         .spelling = {{"axis", 3}},
                         .implied = true,
                         .inserted = true,
                         .folded_format = DataFormat::ChannelsFirst};

const std::string kLayerJson = R"({"name": "embed", "trainable": false, "mask_zero": true, "dtype": "float16", )"
                               R"("fused_into": "conv", "fused_as": "leaky", "arguments": {"training": null}, )"
                               R"("spelling": {"axis": 3}, "class_name": "Activation", "module": "keras.src.ops.nn", )"
                               R"("unfit": true, "variant": "swish", "implied": true, "inserted": true, )"
                               R"("data_format": "channels_first"})";

const KerasModelOrigin kModel{.class_name = "Sequential",
                              .name = "net",
                              .trainable = true,
                              .config = {{"dtype", "float16"}},
                              .variable_path = "outer/net",
                              .input_layers = Json::Object{{"a", Json::Array{"x", 0, 0}}},
                              .output_layers = Json::Array{Json::Array{"y", 0, 0}, Json::Array{"z", 0, 0}},
                              .optional_inputs = {"x"},
                              .masked_outputs = {"y"},
                              .data_format = DataFormat::ChannelsLast,
                              .original = Json::Object{{"h5bridge", 1}},
                              .presented = KerasPorts{{{"x", {0, 2, 1}}}, {{"y", {0, 1}}, {"y", {1, 0}}}}};

const std::string kModelJson =
    R"({"class_name": "Sequential", "name": "net", "trainable": true, "dtype": "float16", )"
    R"("variable_path": "outer/net", "input_layers": {"a": ["x", 0, 0]}, "output_layers": [["y", 0, 0], ["z", 0, 0]], )"
    R"("optional_inputs": ["x"], "masked_outputs": ["y"], "data_format": "channels_last", "original": {"h5bridge": 1}, "presented": )"
    R"({"inputs": {"x": [0, 2, 1]}, "outputs": [{"name": "y", "axes": [0, 1]}, )"
    R"({"name": "y", "axes": [1, 0]}]}})";

Json::Object object(const std::string& text) { return Json::parse(text).as_object(); }

}  // namespace

TEST_CASE("what Keras says of a layer has one form in JSON, and no member is lost there") {
  // A member that is new belongs here, and above: it is to come back as well.
  const auto& [name, trainable, config, class_name, module, variant, unfit, fused_into, fused_as, silent_arguments,
               spelling, implied, inserted, folded_format] = kLayer;
  CHECK(are_said(name, trainable, config, class_name, module, variant, unfit, fused_into, fused_as, silent_arguments,
                 spelling, implied, inserted, folded_format));
  CHECK(Json(keras_origin_to_json(kLayer)).dump() == kLayerJson);
  CHECK(keras_origin_from_json(object(kLayerJson)) == kLayer);
  for (const Json::Member& one : object(kLayerJson)) {
    INFO(one.first);
    const KerasOrigin alone = keras_origin_from_json({one});
    CHECK_FALSE(alone == KerasOrigin{});
    CHECK(keras_origin_to_json(alone) == Json::Object{one});
  }
}

TEST_CASE("what Keras says of a model has one form in JSON, and no member is lost there") {
  const auto& [class_name, name, trainable, config, variable_path, input_layers, output_layers, optional_inputs,
               masked_outputs, data_format, original, presented] = kModel;
  CHECK(are_said(class_name, name, trainable, config, variable_path, input_layers, output_layers, optional_inputs,
                 masked_outputs, data_format, original, presented));
  CHECK(Json(keras_model_origin_to_json(kModel)).dump() == kModelJson);
  CHECK(keras_model_origin_from_json(object(kModelJson)) == kModel);
  for (const Json::Member& one : object(kModelJson)) {
    INFO(one.first);
    const KerasModelOrigin alone = keras_model_origin_from_json({one});
    CHECK_FALSE(alone == KerasModelOrigin{});
    CHECK(keras_model_origin_to_json(alone) == Json::Object{one});
  }
}

TEST_CASE("what was never in Keras says nothing of it") {
  CHECK(keras_origin_to_json({}).empty());
  CHECK(keras_model_origin_to_json({}).empty());
  CHECK(keras_origin_from_json({}) == KerasOrigin{});
  CHECK(keras_model_origin_from_json({}) == KerasModelOrigin{});
}

TEST_CASE("keys that are not ours are Keras's own settings, and so is a truth value of another kind") {
  for (const char* text : {R"({"wobble": [1, {"implied": 2}], "seed": 3})", R"({"trainable": 1, "dtype": "float16"})",
                           R"({"trainable": null})"}) {
    INFO(text);
    const KerasOrigin layer = keras_origin_from_json(object(text));
    CHECK(layer == KerasOrigin{.config = object(text)});
    CHECK(Json(keras_origin_to_json(layer)).dump() == text);
    const KerasModelOrigin model = keras_model_origin_from_json(object(text));
    CHECK(model == KerasModelOrigin{.config = object(text)});
    CHECK(Json(keras_model_origin_to_json(model)).dump() == text);
  }
  // Somebody has frozen it since.
  CHECK(keras_origin_to_json({.trainable = false, .config = {{"trainable", 1}}}) == Json::Object{{"trainable", false}});
}

TEST_CASE("a variant that old files have as a number goes back as it came") {
  const KerasOrigin origin = keras_origin_from_json({{"variant", 1}});
  CHECK(origin.variant == "");
  CHECK(keras_origin_to_json(origin) == Json::Object{{"variant", 1}});
}

TEST_CASE("a value of another kind is an error that names its key") {
  using Catch::Matchers::Message;
  const auto refuses = [](const std::string& text, const std::string& message) {
    INFO(text);
    CHECK_THROWS_MATCHES(keras_origin_from_json(object(text)), MalformedFile, Message(message));
  };
  refuses(R"({"fused_into": 3})", "\"fused_into\": expected a string, found an integer");
  refuses(R"({"implied": "yes"})", "\"implied\": expected a boolean, found a string");
  refuses(R"({"spelling": []})", "\"spelling\": expected an object, found an array");
  refuses(R"({"data_format": "NCHW"})",
          "\"data_format\": expected \"channels_last\" or \"channels_first\", found \"NCHW\"");
  for (const char* text :
       {R"({"class_name": null})", R"({"presented": {}})", R"({"presented": {"inputs": {"x": 1}, "outputs": []}})",
        R"({"presented": {"inputs": {}, "outputs": null}})"})
    CHECK_THROWS_AS(keras_model_origin_from_json(object(text)), MalformedFile);

  const auto architecture = [](const std::string& of_layer, const std::string& of_model) {
    return Json::parse(R"({"h5bridge": 1, "inputs": [{"name": "x", "shape": [2]}], "outputs": ["r"], "layers": [)"
                       R"({"name": "r", "type": "ReLU", "keras": )" +
                       of_layer + R"(}], "keras": )" + of_model + "}");
  };
  CHECK_THROWS_MATCHES(architecture_from_json(architecture(R"({"unfit": 1})", "{}")), MalformedFile,
                       Message("layer \"r\" (ReLU): \"keras\": \"unfit\": expected a boolean, found an integer"));
  CHECK_THROWS_MATCHES(architecture_from_json(architecture("{}", R"({"name": 1})")), MalformedFile,
                       Message("\"keras\" of the architecture: \"name\": expected a string, found an integer"));
}

TEST_CASE("no setting of Keras's own that layers carry has a key of ours") {
  for (const Family& family : Registry::instance().families())
    for (const KerasMapping& mapping : family.keras) {
      INFO(mapping.class_name);
      const KerasOrigin origin{.config = mapping.carried};
      CHECK(keras_origin_from_json(keras_origin_to_json(origin)) == origin);
    }
}

}  // namespace h5bridge::testing
