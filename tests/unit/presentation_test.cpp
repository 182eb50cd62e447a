// How inputs and outputs look in the framework that a model did not come to us from.
#include "passes/presentation.h"

#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "convert/layout_conversion.h"
#include "h5bridge/error.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

using Axes = std::vector<std::int64_t>;

// Images of five by five by five, so that no shape tells axes apart: the convolution's channels are the last axis, the
// normalisation's the rows.
Architecture over_rows() {
  Architecture keras = ArchitectureBuilder(batch_of({5, 5, 5}))
                           .layer("conv", "Conv2d",
                                  {{"in_channels", 5},
                                   {"out_channels", 5},
                                   {"kernel_size", 3},
                                   {"padding", 1},
                                   {"data_format", "channels_last"}})
                           .layer("rows", "BatchNorm2d", {{"num_features", 5}})
                           .layer("relu", "ReLU", {}, {"conv"})
                           .output("rows")
                           .output("relu")
                           .build();
  keras.keras = {.class_name = "Functional", .data_format = DataFormat::ChannelsLast};
  return keras;
}

Model model_of(Architecture architecture) {
  Model model;
  model.architecture = std::move(architecture);
  return model;
}

Axes axes_of_output(const Architecture& architecture, std::size_t i, Framework framework = Framework::Keras) {
  return presentation_of(model_of(architecture), framework).outputs.at(i).axes;
}

}  // namespace

TEST_CASE("an output that the way to PyTorch did not move is not moved on the way back") {
  const Architecture torch = architecture_for_torch(over_rows());
  Model from_keras = model_of(torch);
  from_keras.framework = Framework::Keras;
  const Presentation keras = presentation_of(from_keras);
  // PyTorch's model in Keras's layout keeps PyTorch's names.
  CHECK(presentation_of(model_of(torch), Framework::Keras).outputs.at(1).name == "output_1");
  CHECK(keras.inputs.at(0).axes == Axes{0, 2, 3, 1});
  CHECK(keras.outputs.at(0).axes == Axes{0, 1, 2, 3});
  CHECK(keras.outputs.at(1).axes == Axes{0, 2, 3, 1});
  CHECK(keras.outputs.at(0).name == "rows");
  CHECK(keras.outputs.at(1).name == "relu");
  for (const std::size_t i : {0, 1}) CHECK(axes_of_output(torch, i, Framework::Torch) == Axes{0, 1, 2, 3});
}

TEST_CASE("what left Keras is PyTorch's, and leaves no second time") {
  const Architecture torch = architecture_for_torch(over_rows());
  CHECK(architecture_for_torch(torch) == torch);
  CHECK(architecture_to_json(architecture_from_json(architecture_to_json(torch))) == architecture_to_json(torch));
  REQUIRE(keras_original(model_of(torch)));
  CHECK(keras_original(model_of(torch))->architecture == over_rows());
}

TEST_CASE("outputs have the element types that are computed") {
  Architecture architecture = ArchitectureBuilder(batch_of({8}))
                                  .layer("fc", "Linear", {{"in_features", 8}, {"out_features", 3}})
                                  .layer("class", "argmax", {{"dim", -1}})
                                  .layer("sure", "gt", {{"other", 0.5}}, {"fc"})
                                  .output("fc")
                                  .output("class")
                                  .output("sure")
                                  .build();
  const auto dtypes = [](const Model& model, Framework framework) {
    std::vector<DType> result;
    for (const Presentation::Port& port : presentation_of(model, framework).outputs) result.push_back(port.dtype);
    return result;
  };
  Model model = model_of(architecture);
  for (const Framework framework : {Framework::Torch, Framework::Keras})
    CHECK(dtypes(model, framework) == std::vector{DType::Float32, DType::Int64, DType::Bool});
  const Tensor half(DType::Float16, {1}, bytes_in_memory(std::vector<std::byte>(2)));
  model.weights.add("fc.weight", half);  // what the model is kept in is what it computes in
  CHECK(dtypes(model, Framework::Torch) == std::vector{DType::Float16, DType::Int64, DType::Bool});
  model.weights.add("fc.bias", Tensor());  // of float32: no one type
  CHECK(dtypes(model, Framework::Torch).front() == DType::Float32);
}

TEST_CASE("the record of Keras's outputs keeps their element types") {
  Architecture keras = over_rows();
  keras.layers.push_back({"places", "argmax", attributes_from_json(*Registry::instance().find("argmax"), {}, ""), {}});
  keras.nodes.push_back({"places", "places", {Value{"rows"}}});
  keras.outputs.push_back({"", {"places"}});
  const Presentation shown = presentation_of(model_of(architecture_for_torch(keras)), Framework::Keras);
  CHECK(shown.outputs.at(0).dtype == DType::Float32);
  CHECK(shown.outputs.at(2).dtype == DType::Int64);
}

TEST_CASE("a record of Keras's inputs and outputs that does not fit the architecture is malformed") {
  Architecture torch = architecture_for_torch(over_rows());
  const auto with = [&](std::vector<KerasPorts::Port> outputs) {
    torch.keras.presented.value().outputs = std::move(outputs);
    return model_of(torch);
  };
  const KerasPorts::Port good{"y", {0, 1, 2, 3}};
  CHECK_NOTHROW(presentation_of(with({good, good}), Framework::Keras));
  CHECK_THROWS_AS(presentation_of(with({good}), Framework::Keras), MalformedFile);
  CHECK_THROWS_AS(presentation_of(with({good, {"y", {0, 1, 2, 2}}}), Framework::Keras), MalformedFile);
  CHECK_THROWS_AS(presentation_of(with({good, {"y", {0, 1, 2, 4}}}), Framework::Keras), MalformedFile);
  CHECK_THROWS_AS(presentation_of(with({}), Framework::Keras), MalformedFile);
  Model without_input = with({good, good});
  without_input.architecture->keras.presented->inputs.clear();
  CHECK_THROWS_WITH(presentation_of(without_input, Framework::Keras), Catch::Matchers::Contains("has no input \"x\""));
}

}  // namespace h5bridge::testing
