#include "h5bridge/error.h"
#include "layers/activation/activation.h"
#include "model/checked.h"

namespace h5bridge::activation {
namespace {

void check(const Attributes& a) {
  const auto check_size = [](const char* name, std::int64_t size) {
    if (size < 1)
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(size) + ", expected at least 1");
  };
  check_size("num_parameters", a.integer("num_parameters"));
  if (a.is_none("weight_shape")) return;
  for (const std::int64_t size : a.integers("weight_shape")) check_size("weight_shape", size);
  as_file_says([&] { return element_count(a.integers("weight_shape")); });
}

void check_input(const Attributes& a, const SymbolicShape& input) {
  if (!a.is_none("weight_shape")) {
    const auto& shape = a.integers("weight_shape");
    bool fits = input.size() == shape.size() + 1;
    for (std::size_t i = 0; fits && i < shape.size(); ++i)
      fits = shape[i] == 1 || !input[i + 1].value() || input[i + 1] == Size(shape[i]);
    if (!fits)
      throw MalformedFile("its input has shape " + to_string(input) + ", which its weight of shape " +
                          to_string(shape) + " does not fit");
    return;
  }
  const std::int64_t wanted = a.integer("num_parameters");
  if (wanted != 1 &&
      (input.size() < 2 || input[channel_axis(a, static_cast<std::int64_t>(input.size()))] != Size(wanted)))
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(wanted) +
                        " channels");
}

// The channels may stand on either side, and other axes of the weight anywhere but before the batch. On features that a
// flatten has reordered, the weights are reordered alike.
void layout(LayoutCall& call) {
  const Arrangement input = call.input(0);
  const auto rank = static_cast<std::int64_t>(input.axes.size());
  Attributes& a = call.attributes();
  call.set_output(0, input);
  if (!a.is_none("weight_shape")) {
    if (input.is_original()) return;
    if (input.flattened || input.axes[0] != 0) {
      call.set_output(0, Arrangement::original(input.axes.size()));
      return call.require(0, Arrangement::original(input.axes.size()));
    }
    std::vector<std::int64_t> axes;
    std::vector<std::int64_t> shape;
    for (std::int64_t i = 1; i < rank; ++i) {
      axes.push_back(input.axes[i] - 1);
      shape.push_back(a.integers("weight_shape")[axes.back()]);
    }
    call.permute_parameter("weight", axes);
    return a.set("weight_shape", shape);
  }
  if (a.integer("num_parameters") == 1) return;
  if (input.flattened) call.reorder_parameter("weight", 0, *input.flattened);
  if (rank < 3) return;
  const std::int64_t channels = input.stored_axis(channel_axis(a, rank));
  if (channels != 1 && channels != rank - 1) return follows_data_format().apply(call);
  a.set("data_format", std::string(channels == 1 ? "channels_first" : "channels_last"));
}

}  // namespace

LayerType prelu() {
  LayerType type;
  type.name = "PReLU";
  type.summary = "max(0, x) + weight min(0, x)";
  type.source = "torch/nn/modules/activation.py; keras/src/layers/activations/prelu.py";
  type.attributes = {
      integer("num_parameters", 1, "1, or the number of channels"),
      number("init", 0.25, "the initial weight"),
      or_none(required_integers("weight_shape",
                                "Keras's: the weight's sizes for all axes but the batch, in place of num_parameters")),
      data_format(),
  };
  type.parameters = [](const Attributes& a) {
    return std::vector<ParameterSpec>{
        {"weight", a.is_none("weight_shape") ? Shape{a.integer("num_parameters")} : a.integers("weight_shape")}};
  };
  type.check = check;
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    check_input(a, inputs.at(0));
    return inputs;
  };
  type.layout = {LayoutWish::PassesOn, layout};
  type.samples = {
      {"one weight", {}, {{3, 7}}},
      {"a weight for each feature", {{"num_parameters", 7}, {"init", 0.1}}, {{3, 7}}},
      {"a weight for each channel", {{"num_parameters", 3}}, {{2, 3, 4, 5}}},
      {"one weight for images", {}, {{2, 3, 4, 5}}},
      {"a weight for each element", {{"weight_shape", Json::Array{3, 4}}}, {{2, 3, 4}}},
      {"a weight for each element of a row", {{"weight_shape", Json::Array{1, 4, 5}}}, {{2, 3, 4, 5}}},
  };
  return type;
}

Functional prelu_function() {
  return {.name = "prelu",
          .arguments = {"data_format"},
          .derive =
              [](Attributes& settings, const std::vector<SymbolicShape>& inputs) {
                const Shape weight = operand_shape(inputs.at(1));
                if (weight.size() > 1)
                  throw MalformedFile("its weight has shape " + to_string(weight) + ", expected 1 axis");
                settings.set("num_parameters", weight.empty() ? 1 : weight[0]);
              },
          .operands = {"weight"}};
}

}  // namespace h5bridge::activation
