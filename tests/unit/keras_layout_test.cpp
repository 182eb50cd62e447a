// What the layout pass keeps of a Keras model, so that it finds all its layers again.
#include <catch2/catch.hpp>

#include "passes/infer_shapes.h"
#include "passes/layout.h"
#include "unit/architectures.h"
#include "unit/random_tensors.h"

namespace h5bridge::testing {
namespace {

Architecture of_keras(Architecture architecture) {
  architecture.keras.class_name = "Functional";
  return architecture;
}

Tensor changed(const LayoutChange& change, const std::string& name, const Tensor& tensor) {
  const auto steps = change.weights.find(name);
  return steps == change.weights.end() ? tensor : to_keras(steps->second, {tensor}).at(0);
}

const Attributes& attributes_of(const LayoutChange& change, const std::string& layer) {
  return change.architecture.find_layer(layer)->attributes;
}

TEST_CASE("a channels_first flatten of Keras's is folded for PyTorch and comes back for Keras") {
  const Architecture keras =
      of_keras(ArchitectureBuilder(batch_of({2, 4, 4}))
                   .layer("conv", "Conv2d", {{"in_channels", 2}, {"out_channels", 3}, {"kernel_size", 3}})
                   .layer("flatten", "Flatten", {{"channels_last_order", true}})
                   .layer("fc", "Linear", {{"in_features", 12}, {"out_features", 5}})
                   .build());
  const Tensor weight = random_tensor(DType::Float32, {5, 12});

  const LayoutChange same = change_layout(keras, DataFormat::ChannelsFirst, Framework::Keras);
  CHECK(same.architecture == keras);
  CHECK(same.weights.empty());

  const LayoutChange torch = change_layout(keras, DataFormat::ChannelsFirst);
  CHECK_FALSE(attributes_of(torch, "flatten").boolean("channels_last_order"));
  const Tensor folded = changed(torch, "fc.weight", weight);
  CHECK_FALSE(bit_equal(folded, weight));

  SECTION("back to channels_first") {
    const LayoutChange back = change_layout(torch.architecture, DataFormat::ChannelsFirst, Framework::Keras);
    CHECK(back.architecture == keras);
    CHECK(bit_equal(changed(back, "fc.weight", folded), weight));
  }
  SECTION("to channels_last, whose plain flatten has the very order") {
    const LayoutChange last = change_layout(torch.architecture, DataFormat::ChannelsLast, Framework::Keras);
    CHECK_FALSE(attributes_of(last, "flatten").boolean("channels_last_order"));
    CHECK(bit_equal(changed(last, "fc.weight", folded), weight));
  }
  SECTION("PyTorch's own plain flatten stays as it is") {
    CHECK(change_layout(torch.architecture, DataFormat::ChannelsFirst).architecture == torch.architecture);
  }
}

TEST_CASE("a Keras model's own permute stays, and one that the pass inserted vanishes again") {
  const Architecture keras = of_keras(
      ArchitectureBuilder(batch_of({8, 3}))
          .layer("conv", "Conv1d",
                 {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}, {"data_format", "channels_last"}})
          .layer("permute", "permute", {{"dims", Json::Array{0, 2, 1}}})
          .layer("again", "permute", {{"dims", Json::Array{0, 2, 1}}})
          .layer("reshape", "reshape", {{"shape", Json::Array{-1, 12, 2}}})
          .layer("last", "Conv1d",
                 {{"in_channels", 2}, {"out_channels", 5}, {"kernel_size", 1}, {"data_format", "channels_last"}})
          .build());
  const LayoutChange torch = change_layout(keras, DataFormat::ChannelsFirst);
  CHECK_NOTHROW(infer_shapes(torch.architecture));
  CHECK(torch.architecture.layers.size() == keras.layers.size() + 1);  // before "last"
  CHECK(torch.architecture.find_layer("permute"));
  CHECK(torch.architecture.find_layer("again"));
  CHECK(change_layout(torch.architecture, DataFormat::ChannelsLast, Framework::Keras).architecture == keras);

  Architecture of_torch = keras;
  of_torch.keras = {};
  CHECK_FALSE(change_layout(of_torch, DataFormat::ChannelsFirst).architecture.find_layer("permute"));
}

}  // namespace
}  // namespace h5bridge::testing
