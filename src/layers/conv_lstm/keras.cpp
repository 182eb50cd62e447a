#include "facets/keras/mapping.h"
#include "facets/spec/kernel.h"
#include "h5bridge/error.h"

namespace h5bridge::conv_lstm {
namespace {

using Handle = KerasEmitter::Handle;

Spelling data_format_of_last() {
  return {[](const AttributeValue& last) { return Json(std::get<bool>(last) ? "channels_last" : "channels_first"); },
          [](const Json& json) -> AttributeValue { return json.as_string() == "channels_last"; }};
}

WeightRules weights(const Attributes& a, std::size_t axes) {
  WeightRules result;
  const auto add = [&](const char* torch, const std::string& variable, std::vector<WeightStep> steps) {
    result.rules.push_back(
        {.torch = {torch}, .keras = {"conv_lstm_cell/" + variable}, .steps = std::move(steps), .object = "cell"});
  };
  add("weight_ih", "kernel", {PermuteAxes{keras_kernel_axes(axes)}});
  add("weight_hh", "recurrent_kernel", {PermuteAxes{keras_kernel_axes(axes)}});
  if (a.boolean("bias")) add("bias", "bias", {});
  return result;
}

KerasEmitter::Results lower(const std::string& class_name, const Attributes& a, Json::Object config,
                            KerasEmitter& emitter) {
  config.erase("training");
  KerasEmitter::Call call{.class_name = class_name,
                          .config = std::move(config),
                          .arguments = {emitter.input(0)},
                          .outputs = emitter.output_shapes()};
  std::vector<Handle> states = emitter.inputs();
  states.erase(states.begin());
  if (!states.empty()) call.keywords.emplace_back("initial_state", std::move(states));
  call.keywords.insert(call.keywords.end(), emitter.named_inputs().begin(), emitter.named_inputs().end());
  if (a.boolean("training")) call.keywords.emplace_back("training", Json(true));
  return emitter.call(std::move(call));
}

void add_samples(KerasMapping& mapping, std::size_t axes) {
  const auto film = [&](bool channels_last) {
    const std::int64_t sizes[] = {5, 4, 3};
    Shape shape{2, 3};
    if (!channels_last) shape.push_back(2);
    shape.insert(shape.end(), sizes, sizes + axes);
    if (channels_last) shape.push_back(2);
    return shape;
  };
  const auto sample = [&](const std::string& what, const Json::Object& more, std::vector<Shape> inputs) {
    Json::Object config{{"filters", 3}, {"kernel_size", 2}};
    for (const auto& [key, value] : more) config.set(key, value);
    mapping.samples.push_back({what, std::move(config), std::move(inputs)});
  };
  sample("plain", {}, {film(true)});
  sample("sequences and states", {{"return_sequences", true}, {"return_state", true}, {"padding", "same"}},
         {film(true)});
  sample("strides", {{"strides", 2}, {"use_bias", false}, {"go_backwards", true}}, {film(true)});
  sample("dilation", {{"dilation_rate", 2}, {"activation", "relu"}, {"recurrent_activation", "hard_sigmoid"}},
         {film(true)});
  sample("channels_first", {{"data_format", "channels_first"}, {"return_sequences", true}}, {film(false)});
  sample("dropout", {{"dropout", 0.3}, {"recurrent_dropout", 0.2}, {"seed", 5}}, {film(true)});
  sample("stateful", {{"stateful", true}, {"zero_output_for_mask", true}, {"unroll", true}}, {film(true)});
  Json::Object settings = sample_settings({"kernel", "recurrent", "bias"});
  settings.set("unit_forget_bias", false);
  sample("settings", settings, {film(true)});
  Shape state{2};
  for (std::size_t i = 0; i < axes; ++i) state.push_back(4 - static_cast<std::int64_t>(i));
  state.push_back(3);
  sample("initial states", {}, {film(true), state, state});
}

KerasMapping conv_lstm(std::size_t axes) {
  const std::string name = "ConvLSTM" + keras_suffix(axes);
  KerasMapping mapping{.type = name, .class_name = name};
  mapping.attributes = {
      {"out_channels", "filters", spelling::integer()},
      {"kernel_size", "kernel_size", spelling::integers(axes)},
      {"stride", "strides", spelling::integers(axes)},
      {"padding", "padding", spelling::text()},
      {"channels_last", "data_format", data_format_of_last()},
      {"dilation", "dilation_rate", spelling::integers(axes)},
      {"activation", "activation", spelling::activation()},
      {"recurrent_activation", "recurrent_activation", spelling::activation()},
      {"bias", "use_bias", spelling::boolean()},
      {"dropout", "dropout", spelling::number()},
      {"recurrent_dropout", "recurrent_dropout", spelling::number()},
      {"return_sequences", "return_sequences", spelling::boolean()},
      {"return_state", "return_state", spelling::boolean()},
      {"go_backwards", "go_backwards", spelling::boolean()},
      {"stateful", "stateful", spelling::boolean()},
      {"zero_output_for_mask", "zero_output_for_mask", spelling::boolean(), false},
  };
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"recurrent", "Orthogonal"}, {"bias", "Zeros"}});
  mapping.carried.set("unit_forget_bias", true);
  mapping.carried.set("seed", nullptr);
  mapping.carried.set("unroll", false);
  mapping.call = {"sequences", "initial_state", "mask"};
  take_training(mapping);
  mapping.derive = [](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    const bool is_last = attributes.boolean("channels_last");
    const SymbolicShape& input = inputs.at(0);
    const auto channels = input.size() < 3 ? std::nullopt : (is_last ? input.back() : input[2]).value();
    if (!channels) throw MalformedFile("its input of shape " + to_string(input) + " has an open number of channels");
    attributes.set("in_channels", *channels);
  };
  mapping.weights = [axes](const Attributes& a, const std::vector<SymbolicShape>&) { return weights(a, axes); };
  mapping.lower = [name](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return lower(name, a, std::move(config), emitter);
  };
  add_samples(mapping, axes);
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {conv_lstm(1), conv_lstm(2), conv_lstm(3)}; }

}  // namespace h5bridge::conv_lstm
