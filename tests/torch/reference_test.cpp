// Layers against LibTorch called directly, and Keras's own settings against what Keras documents.
#include "facets/libtorch/layer.h"
#include "facets/libtorch/tensors.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {
namespace {

namespace F = torch::nn::functional;
using torch::Tensor;

SymbolicShape batch_of(std::vector<std::int64_t> sizes) {
  SymbolicShape result{Size::symbol("batch")};
  result.insert(result.end(), sizes.begin(), sizes.end());
  return result;
}

Model one_layer(const std::string& type, const Json::Object& attributes, const std::vector<std::int64_t>& sizes) {
  return ModelBuilder().input("x", batch_of(sizes)).layer("layer", type, attributes, {{"x"}}).output({"layer"}).build();
}

Tensor weight(const Model& model, const std::string& name) { return to_torch(*model.weights.find("layer." + name)); }

Tensor run(const Model& model, const Tensor& input) {
  const auto module = to_module(model);
  module->eval();
  return module->forward(input);
}

}  // namespace

TEST_CASE("Linear is torch::linear to the bit") {
  const Model model = one_layer("Linear", {{"in_features", 33}, {"out_features", 17}}, {33});
  const Tensor x = random({5, 33});
  CHECK(same_bits(run(model, x), torch::linear(x, weight(model, "weight"), weight(model, "bias"))));
}

TEST_CASE("Conv2d is torch::conv2d to the bit") {
  const Model model = one_layer("Conv2d",
                                {{"in_channels", 4},
                                 {"out_channels", 6},
                                 {"kernel_size", 3},
                                 {"stride", 2},
                                 {"padding", 1},
                                 {"groups", 2},
                                 {"dilation", 2}},
                                {4, 11, 12});
  const Tensor x = random({3, 4, 11, 12});
  CHECK(same_bits(run(model, x), torch::conv2d(x, weight(model, "weight"), weight(model, "bias"), 2, 1, 2, 2)));
}

TEST_CASE("Conv2d's padding modes") {
  for (const std::string mode : {"reflect", "replicate", "circular"}) {
    INFO(mode);
    const Model model = one_layer(
        "Conv2d", {{"in_channels", 2}, {"out_channels", 3}, {"kernel_size", 3}, {"padding", 1}, {"padding_mode", mode}},
        {2, 7, 8});
    const Tensor x = random({2, 2, 7, 8});
    const Tensor padded = at::pad(x, {1, 1, 1, 1}, mode);
    CHECK(same_bits(run(model, x), torch::conv2d(padded, weight(model, "weight"), weight(model, "bias"))));
  }
}

TEST_CASE("`same` with strides puts the odd element at the end") {
  // 10 elements, a window of 3 in steps of 2: five outputs, one element of padding, behind.
  const Model model = one_layer("Conv1d",
                                {{"in_channels", 1},
                                 {"out_channels", 1},
                                 {"kernel_size", 3},
                                 {"stride", 2},
                                 {"padding", "same"},
                                 {"bias", false}},
                                {1, 10});
  const Tensor x = random({2, 1, 10});
  CHECK(difference(run(model, x), torch::conv1d(F::pad(x, F::PadFuncOptions({0, 1})), weight(model, "weight"), {}, 2)) <
        1e-6);
}

TEST_CASE("a fused activation sees the layout that is stored") {
  const Model model = one_layer("Conv2d",
                                {{"in_channels", 2},
                                 {"out_channels", 3},
                                 {"kernel_size", 3},
                                 {"activation", "softmax"},
                                 {"data_format", "channels_last"}},
                                {7, 8, 2});
  const Tensor sums = run(model, random({2, 2, 7, 8})).sum(1);  // shown as PyTorch has it
  CHECK(difference(sums, torch::ones_like(sums)) < 1e-5);
}

TEST_CASE("batch normalisation uses running statistics in evaluation and the batch's in training") {
  const Model model = one_layer("BatchNorm2d", {{"num_features", 3}, {"eps", 1e-3}, {"momentum", 0.3}}, {3, 5, 6});
  const Tensor x = random({4, 3, 5, 6});
  const Tensor mean = weight(model, "running_mean");
  const Tensor variance = weight(model, "running_var");
  CHECK(same_bits(run(model, x), torch::batch_norm(x, weight(model, "weight"), weight(model, "bias"), mean, variance,
                                                   false, 0.3, 1e-3, true)));

  const auto module = to_module(model);
  CHECK(module->is_training());
  const Tensor trained = module->forward(x);
  CHECK(same_bits(trained, torch::batch_norm(x, weight(model, "weight"), weight(model, "bias"), mean, variance, true,
                                             0.3, 1e-3, true)));
  const auto buffers = module->named_buffers();
  CHECK(same_bits(buffers["layer.running_mean"], mean));
  CHECK(same_bits(buffers["layer.running_var"], variance));
  CHECK(buffers["layer.num_batches_tracked"].item<std::int64_t>() == 1);
}

TEST_CASE("Keras's frozen batch normalisation keeps its statistics in training") {
  Model model = one_layer("BatchNorm1d", {{"num_features", 3}}, {3});
  model.architecture->layers[0].keras.trainable = false;
  const Tensor x = random({4, 3});
  CHECK(same_bits(to_module(model)->forward(x), run(model, x)));
  CHECK(same_bits(to_module(model)->named_buffers()["layer.running_mean"], weight(model, "running_mean")));
}

TEST_CASE("dropout works in training only") {
  for (const std::string type : {"Dropout", "Dropout2d", "AlphaDropout"}) {
    INFO(type);
    const Model model = one_layer(type, {{"p", 0.5}}, {8, 9, 10});
    const Tensor x = random({4, 8, 9, 10});
    const auto module = to_module(model);
    CHECK_FALSE(torch::equal(module->forward(x), x));
    module->eval();
    CHECK(same_bits(module->forward(x), x));
  }
}

TEST_CASE("Dropout2d drops whole channels in either layout") {
  const Model model = one_layer("Dropout2d", {{"p", 0.5}, {"data_format", "channels_last"}}, {9, 10, 8});
  const Tensor dropped = to_module(model)->forward(torch::ones({16, 8, 9, 10})) == 0;  // shown as PyTorch has it
  CHECK(torch::equal(dropped.all(-1).all(-1), dropped.any(-1).any(-1)));
  CHECK(dropped.any().item<bool>());
}

TEST_CASE("average pooling with `same` leaves padding out of the count") {
  const Model model = one_layer("AvgPool2d", {{"kernel_size", 3}, {"stride", 2}, {"padding", "same"}}, {1, 6, 7});
  const Tensor ones = torch::ones({1, 1, 6, 7});
  CHECK(difference(run(model, ones), torch::ones({1, 1, 3, 4})) < 1e-6);
}

TEST_CASE("max pooling with `same` never takes the padding") {
  const Model model = one_layer("MaxPool2d", {{"kernel_size", 3}, {"stride", 2}, {"padding", "same"}}, {1, 6, 7});
  CHECK(same_bits(run(model, torch::full({1, 1, 6, 7}, -5.0f)), torch::full({1, 1, 3, 4}, -5.0f)));
}

TEST_CASE("PReLU has a weight for each channel") {
  const Model model = one_layer("PReLU", {{"num_parameters", 3}}, {3, 4, 5});
  const Tensor x = random({2, 3, 4, 5});
  CHECK(same_bits(run(model, x), torch::prelu(x, weight(model, "weight"))));
}

TEST_CASE("Keras's ReLU with slope, threshold and limit") {
  const Model model = one_layer("ReLU", {{"max_value", 2.0}, {"negative_slope", 0.5}, {"threshold", 1.0}}, {5});
  const Tensor x = torch::tensor({{-3.0f, 0.5f, 1.0f, 1.5f, 9.0f}});
  CHECK(difference(run(model, x), torch::tensor({{-2.0f, -0.25f, 0.0f, 1.5f, 2.0f}})) < 1e-6);
}

TEST_CASE("functions of several inputs") {
  const auto merge = [](const std::string& type, const Json::Object& attributes, const std::vector<Tensor>& inputs) {
    ModelBuilder builder;
    std::vector<Value> values;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      builder.input("x" + std::to_string(i), batch_of({4}));
      values.push_back({"x" + std::to_string(i)});
    }
    return to_module(builder.layer("merge", type, attributes, values).output({"merge"}).build())->forward(inputs).at(0);
  };
  const Tensor a = random({2, 4});
  const Tensor b = random({2, 4});
  const Tensor c = random({2, 4});
  CHECK(same_bits(merge("add", {}, {a, b, c}), a + b + c));
  CHECK(same_bits(merge("add", {{"alpha", 0.5}}, {a, b}), torch::add(a, b, 0.5)));
  CHECK(same_bits(merge("sub", {{"alpha", 2.0}}, {a, b}), torch::sub(a, b, 2)));
  CHECK(same_bits(merge("mul", {}, {a, b, c}), a * b * c));
  CHECK(same_bits(merge("maximum", {}, {a, b, c}), torch::maximum(torch::maximum(a, b), c)));
  CHECK(same_bits(merge("minimum", {}, {a, b}), torch::minimum(a, b)));
  CHECK(difference(merge("Average", {}, {a, b, c}), (a + b + c) / 3) < 1e-7);
  CHECK(same_bits(merge("cat", {{"dim", -1}}, {a, b, c}), torch::cat({a, b, c}, -1)));
  const Tensor integers = torch::tensor({{1, 2, 3, 4}}, torch::kInt64);
  CHECK(same_bits(merge("add", {}, {integers, integers}), 2 * integers));
}

TEST_CASE("Flatten in Keras's order puts channels last") {
  const Model model = one_layer("Flatten", {{"channels_last_order", true}}, {3, 4, 5});
  const Tensor x = random({2, 3, 4, 5});
  CHECK(same_bits(run(model, x), x.permute({0, 2, 3, 1}).reshape({2, 60})));
}

TEST_CASE("a reshape's symbols are the inputs' sizes") {
  const Model model = ModelBuilder()
                          .input("x", {Size::symbol("batch"), Size::symbol("length"), 6})
                          .layer("view", "view", {{"shape", Json::Array{"batch*length", 2, 3}}}, {{"x"}})
                          .output({"view"})
                          .build();
  CHECK(run(model, random({4, 5, 6})).sizes().vec() == Shape{20, 2, 3});
  CHECK(run(model, random({2, 3, 6})).sizes().vec() == Shape{6, 2, 3});
}

TEST_CASE("activations that Keras alone has") {
  const Tensor x = torch::tensor({-2.0f, -0.5f, 0.5f, 2.0f});
  CHECK(difference(keras_activation("sparse_plus")(x), torch::tensor({0.0f, 0.0625f, 0.5625f, 2.0f})) < 1e-6);
  CHECK(difference(keras_activation("sparse_sigmoid")(x), torch::tensor({0.0f, 0.25f, 0.75f, 1.0f})) < 1e-6);
  CHECK(difference(keras_activation("sparsemax")(torch::tensor({1.0f, 0.5f, -1.0f})),
                   torch::tensor({0.25f, 0.0f, 0.0f})) < 1e-6);
  CHECK(difference(keras_activation("squareplus")(torch::zeros({1})), torch::ones({1})) < 1e-6);
  CHECK(difference(keras_activation("leaky_relu")(x), torch::tensor({-0.4f, -0.1f, 0.5f, 2.0f})) < 1e-6);
  CHECK_THROWS_WITH(keras_activation("relu7"), "activation \"relu7\" is not known");
}

}  // namespace h5bridge::testing
