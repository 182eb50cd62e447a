#include <algorithm>

#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::dropout {
namespace {

using Shapes = std::vector<SymbolicShape>;

Correspondence rate() { return {"p", "rate", spelling::number()}; }

Spelling noise_shape() {
  return {[](const AttributeValue& value) { return attribute_to_json(value); },
          [](const Json& json) -> AttributeValue {
            if (json.is_null()) return std::monostate{};
            std::vector<std::int64_t> result;
            for (const Json& size : json.as_array()) result.push_back(size.is_null() ? kNone : size.as_integer());
            return result;
          }};
}

KerasMapping of_elements(const std::string& type) {
  KerasMapping mapping{.type = type,
                       .class_name = type,
                       .attributes = {rate(), {"noise_shape", "noise_shape", noise_shape(), AttributeValue{}}},
                       .carried = {{"seed", nullptr}}};
  mapping.samples = {{"rate", {{"rate", 0.3}, {"seed", 5}}, {{3, 7}}}};
  // Keras 3.15 cannot save an AlphaDropout with a noise_shape as .h5.
  if (type == "Dropout")
    mapping.samples.push_back(
        {"noise_shape", {{"rate", 0.3}, {"noise_shape", Json::Array{nullptr, 1, 5}}}, {{3, 4, 5}}});
  return mapping;
}

// Keras's 1D has no data format; of the others, files before Keras 3 do not say it, which then is the default one.
KerasMapping of_channels(const std::string& dimensions, const Shape& input) {
  KerasMapping mapping{.type = "Dropout" + dimensions + "d",
                       .class_name = "SpatialDropout" + dimensions + "D",
                       .attributes = {rate()},
                       .carried = {{"seed", nullptr}},
                       .refused = {"trainable"}};
  mapping.samples = {{"rate", {{"rate", 0.3}, {"seed", 5}}, {input}}};
  if (dimensions != "1") {
    mapping.attributes.push_back({"data_format", "data_format", spelling::text(), std::string("channels_last")});
    mapping.samples.push_back({"channels_first", {{"rate", 0.3}, {"data_format", "channels_first"}}, {input}});
    return mapping;
  }
  mapping.derive = [](Attributes& attributes, const Shapes&) {
    attributes.set("data_format", std::string("channels_last"));
  };
  mapping.fits = [](const Attributes& a, const Shapes&) { return a.text("data_format") == "channels_last"; };
  return mapping;
}

// Whole channels by the shape of the noise.
KerasMapping by_noise_shape(const std::string& type, const std::string& class_name) {
  KerasMapping mapping{.type = type, .class_name = class_name, .attributes = {rate()}, .carried = {{"seed", nullptr}}};
  mapping.written_only = true;  // what comes from Keras is a Dropout with that shape
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
    Json::Array shape(rank, Json(1));
    shape[0] = shape[channel_axis(a, rank)] = nullptr;
    config.set("noise_shape", shape);
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

KerasMapping gaussian(const std::string& class_name, const std::string& strength) {
  return {.type = class_name,
          .class_name = class_name,
          .attributes = {{strength, strength, spelling::number()}},
          .carried = {{"seed", nullptr}},
          .samples = {{"strength", {{strength, 0.3}, {"seed", 5}}, {{3, 7}}}}};
}

UnsaidSetting added_to_the_loss(const std::string& factor, const std::string& what) {
  return {
      .attribute = factor,
      .is_on = [factor](const Attributes& a) { return a.number(factor) != 0; },
      .becomes = "Keras adds as many times the " + what + " of its input to the loss, in PyTorch that is yours to do",
      .matters = Matters::InPyTorch};
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result{
      of_elements("Dropout"),
      of_channels("1", {3, 4, 5}),
      by_noise_shape("Dropout1d", "Dropout"),
      of_channels("2", {3, 4, 5, 6}),
      of_channels("3", {3, 4, 5, 6, 2}),
      of_elements("AlphaDropout"),
      by_noise_shape("FeatureAlphaDropout", "AlphaDropout"),
      gaussian("GaussianDropout", "rate"),
      gaussian("GaussianNoise", "stddev"),
  };
  std::ranges::for_each(result, take_training);
  result.push_back({.type = "ActivityRegularization",
                    .class_name = "ActivityRegularization",
                    .attributes = {{"l1", "l1", spelling::number()}, {"l2", "l2", spelling::number()}},
                    .unsaid = {added_to_the_loss("l1", "absolute values"), added_to_the_loss("l2", "squares")},
                    .samples = {{"plain", {{"l1", 0.1}, {"l2", 0.2}}, {{3, 7}}}}});
  return result;
}

}  // namespace h5bridge::dropout
