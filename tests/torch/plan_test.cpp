// The inference plan against the module that it is made of.
#include <torch/library.h>

#include <stdexcept>
#include <thread>

#include "h5bridge/error.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {
namespace {

using torch::Tensor;
using Tensors = std::vector<Tensor>;

const Size kBatch = Size::symbol("batch");

std::shared_ptr<Module> evaluated(const Model& model) {
  const auto module = to_module(model);
  module->eval();
  return module;
}

/// A plan that has been called with these inputs, so that the next call is by its snapshot.
std::shared_ptr<Plan> called(const std::shared_ptr<Module>& module, const Tensors& inputs) {
  const auto plan = compile(module);
  plan->forward(inputs);
  return plan;
}

Json::Object convolution(int in, int out, int kernel, int padding, const std::string& data_format = "channels_first") {
  return {{"in_channels", in},
          {"out_channels", out},
          {"kernel_size", kernel},
          {"padding", padding},
          {"data_format", data_format}};
}

/// Batches of 1 and 3 of images of the second call's size and of another.
void check_images(const Model& model, const Shape& image) {
  const auto module = evaluated(model);
  const torch::NoGradGuard no_grad;
  Shape shape = image;
  const auto plan = called(module, {random(shape)});
  for (const std::int64_t batch : {3, 1, 3}) {
    shape[0] = batch;
    const Tensors inputs{random(shape)};
    CHECK(relative_difference(plan->forward(inputs), module->forward(inputs)) <= 1e-5);
  }
}

/// Two convolutions, each with a normalisation, whose results are added and go through a ReLU; and the sum's further
/// uses.
Model residual(const std::string& data_format) {
  const bool last = data_format == "channels_last";
  const Json::Object normalisation{{"num_features", 5}, {"data_format", data_format}};
  return ModelBuilder()
      .input("x", last ? SymbolicShape{kBatch, 9, 7, 3} : SymbolicShape{kBatch, 3, 9, 7})
      .layer("pad", "ZeroPad2d", {{"padding", Json::Array{1, 1, 1, 1}}, {"data_format", data_format}}, {{"x"}})
      .layer("conv1", "Conv2d", convolution(3, 5, 3, 0, data_format), {{"pad"}})
      .layer("bn1", "BatchNorm2d", normalisation, {{"conv1"}})
      .layer("relu1", "ReLU", {}, {{"bn1"}})
      .layer("drop", "Dropout", {}, {{"relu1"}})
      .layer("conv2", "Conv2d", convolution(5, 5, 3, 1, data_format), {{"drop"}})
      .layer("bn2", "BatchNorm2d", normalisation, {{"conv2"}})
      .layer("sum", "add", {}, {{"bn2"}, {"relu1"}})
      .layer("relu2", "ReLU", {}, {{"sum"}})
      .layer("conv3", "Conv2d", convolution(5, 5, 1, 0, data_format), {{"relu2"}})
      .layer("sum2", "add", {}, {{"conv3"}, {"relu2"}})
      .layer("swish", "SiLU", {}, {{"sum2"}})
      .output({"relu2"})
      .output({"swish"})
      .build();
}

// In place of what LibTorch's compilers prepare weights by.
void refuse(const c10::OperatorHandle&, torch::jit::Stack*) { throw std::runtime_error("refused"); }

}  // namespace

TEST_CASE("what a plan joins computes the same") {
  check_images(residual("channels_first"), {3, 3, 9, 7});
  check_images(residual("channels_last"), {3, 3, 9, 7});  // shown as PyTorch has it
}

TEST_CASE("there is no plan of no module") { CHECK_THROWS_AS(compile(nullptr), UsageError); }

TEST_CASE("each activation is joined to a convolution and to a linear layer") {
  const std::vector<std::pair<std::string, Json::Object>> activations{{"ReLU", {}},
                                                                      {"ReLU6", {}},
                                                                      {"LeakyReLU", {{"negative_slope", 0.3}}},
                                                                      {"Sigmoid", {}},
                                                                      {"SiLU", {}},
                                                                      {"Hardswish", {}},
                                                                      {"Hardsigmoid", {}},
                                                                      {"GELU", {{"approximate", "tanh"}}},
                                                                      {"GELU", {}},
                                                                      {"Tanh", {}},
                                                                      {"Hardtanh", {{"min_val", -0.4}}},
                                                                      {"ReLU", {{"max_value", 1.5}}},
                                                                      {"Softplus", {}},
                                                                      {"ReLU", {{"negative_slope", 0.2}}}};
  for (const auto& [type, attributes] : activations) {
    INFO(type);
    check_images(ModelBuilder()
                     .input("x", {kBatch, 3, 6, 5})
                     .layer("conv", "Conv2d", convolution(3, 4, 3, 1), {{"x"}})
                     .layer("activation", type, attributes, {{"conv"}})
                     .layer("fc", "Linear", {{"in_features", 5}, {"out_features", 7}}, {{"activation"}})
                     .layer("activation2", type, attributes, {{"fc"}})
                     .output({"activation2"})
                     .build(),
                 {2, 3, 6, 5});
  }
}

TEST_CASE("convolutions of one and three axes, and what a linear layer is normalised by, are joined") {
  const Json::Object normalisation{{"num_features", 4}};
  check_images(ModelBuilder()
                   .input("x", {kBatch, 3, 11})
                   .layer("a", "Conv1d", convolution(3, 4, 3, 1), {{"x"}})
                   .layer("b", "BatchNorm1d", normalisation, {{"a"}})
                   .layer("c", "Conv1d", convolution(4, 4, 3, 1), {{"b"}})
                   .layer("sum", "add", {}, {{"b"}, {"c"}})
                   .layer("relu", "ReLU", {}, {{"sum"}})
                   .output({"relu"})
                   .build(),
               {3, 3, 11});
  check_images(ModelBuilder()
                   .input("x", {kBatch, 2, 5, 6, 7})
                   .layer("a", "Conv3d", convolution(2, 4, 3, 1), {{"x"}})
                   .layer("b", "BatchNorm3d", normalisation, {{"a"}})
                   .layer("c", "Conv3d", convolution(4, 4, 3, 1), {{"b"}})
                   .layer("sum", "add", {}, {{"b"}, {"c"}})
                   .output({"sum"})
                   .build(),
               {3, 2, 5, 6, 7});
  check_images(ModelBuilder()
                   .input("x", {kBatch, 6})
                   .layer("a", "Linear", {{"in_features", 6}, {"out_features", 4}}, {{"x"}})
                   .layer("b", "BatchNorm1d", normalisation, {{"a"}})
                   .layer("c", "ReLU", {}, {{"b"}})
                   .output({"c"})
                   .build(),
               {3, 6});
  // Here the axis of the channels is not the one that the layer makes.
  check_images(ModelBuilder()
                   .input("x", {kBatch, 4, 6})
                   .layer("a", "Linear", {{"in_features", 6}, {"out_features", 4}}, {{"x"}})
                   .layer("b", "BatchNorm1d", normalisation, {{"a"}})
                   .output({"b"})
                   .build(),
               {3, 4, 6});
}

TEST_CASE("padding by a word is done before the convolution where it has to be") {
  for (const auto& [kernel, stride] : {std::pair(3, 2), std::pair(4, 1), std::pair(5, 1)}) {
    INFO(kernel << " " << stride);
    check_images(ModelBuilder()
                     .input("x", {kBatch, 9, 8, 3})
                     .layer("a", "Conv2d",
                            {{"in_channels", 3},
                             {"out_channels", 4},
                             {"kernel_size", kernel},
                             {"stride", stride},
                             {"padding", "same"},
                             {"activation", "relu"},
                             {"data_format", "channels_last"}},
                            {{"x"}})
                     .layer("pad", "ZeroPad2d",
                            {{"padding", Json::Array{1, 2, 0, 1}}, {"data_format", "channels_last"}}, {{"a"}})
                     .layer("b", "Conv2d", convolution(4, 4, 3, 0, "channels_last"), {{"pad"}})
                     .layer("c", "Softmax", {{"dim", -1}}, {{"b"}})
                     .output({"c"})
                     .build(),
                 {2, 3, 9, 8});
  }
  check_images(ModelBuilder()
                   .input("x", {kBatch, 3, 9})
                   .layer("a", "Conv1d",
                          {{"in_channels", 3},
                           {"out_channels", 4},
                           {"kernel_size", 3},
                           {"padding", "causal"},
                           {"activation", "softmax"}},
                          {{"x"}})
                   .output({"a"})
                   .build(),
               {2, 3, 9});
}

TEST_CASE("memory is not used again while somebody has a view of it") {
  check_images(ModelBuilder()
                   .input("x", {kBatch, 3, 6, 5})
                   .layer("a", "Conv2d", convolution(3, 4, 1, 0), {{"x"}})
                   .layer("view", "Flatten", {}, {{"a"}})
                   .layer("turned", "transpose", {{"dim0", 2}, {"dim1", 3}}, {{"a"}})
                   .layer("relu", "ReLU", {}, {{"a"}})
                   .layer("b", "Conv2d", convolution(4, 4, 3, 1), {{"relu"}})
                   .layer("sum", "add", {}, {{"b"}, {"a"}})
                   .output({"view"})
                   .output({"sum"})
                   .output({"turned"})
                   .build(),
               {3, 3, 6, 5});
  const auto module = evaluated(ModelBuilder()
                                    .input("x", {kBatch, 4})
                                    .layer("relu", "ReLU", {}, {{"x"}})
                                    .layer("sum", "add", {}, {{"x"}, {"relu"}})
                                    .output({"relu"})
                                    .output({"sum"})
                                    .build());
  Tensor input = random({3, 4});
  const Tensor before = input.clone();
  const auto plan = called(module, {input});
  plan->forward(input);
  CHECK(same_bits(input, before));
}

TEST_CASE("an addend that is broadcast in one call and not in another is added as it should be") {
  const Size other = Size::symbol("other");
  const auto module = evaluated(ModelBuilder()
                                    .input("x", {kBatch, 3, 6, 5})
                                    .input("y", {other, 4, Size::symbol("height"), Size::symbol("width")})
                                    .layer("a", "Conv2d", convolution(3, 4, 3, 1), {{"x"}})
                                    .layer("b", "Conv2d", convolution(4, 4, 1, 0), {{"y"}})
                                    .layer("sum", "add", {}, {{"b"}, {"a"}})
                                    .layer("relu", "ReLU", {}, {{"sum"}})
                                    .output({"relu"})
                                    .build());
  const torch::NoGradGuard no_grad;
  const auto plan = called(module, {random({2, 3, 6, 5}), random({2, 4, 6, 5})});
  for (const auto& [x, y] : std::vector<std::pair<Shape, Shape>>{
           {{2, 3, 6, 5}, {2, 4, 6, 5}}, {{2, 3, 6, 5}, {1, 4, 6, 5}}, {{1, 3, 6, 5}, {3, 4, 1, 1}}}) {
    const Tensors inputs{random(x), random(y)};
    CHECK(relative_difference(plan->forward(inputs), module->forward(inputs)) <= 1e-5);
  }
}

TEST_CASE("what is too small for a kernel is refused in a later call, and nothing at all is computed") {
  const auto module = evaluated(ModelBuilder()
                                    .input("x", {kBatch, 3, Size::symbol("height"), Size::symbol("width")})
                                    .layer("conv", "Conv2d", convolution(3, 4, 5, 0), {{"x"}})
                                    .layer("relu", "ReLU", {}, {{"conv"}})
                                    .output({"relu"})
                                    .build());
  const torch::NoGradGuard no_grad;
  const auto plan = called(module, {random({1, 3, 6, 7})});
  CHECK(plan->forward(random({0, 3, 6, 7})).sizes() == torch::IntArrayRef({0, 4, 2, 3}));
  CHECK_THROWS_WITH(plan->forward(random({1, 3, 3, 7})), Catch::Contains("\"conv\"") && Catch::Contains("Kernel size"));
}

TEST_CASE("a plan is a snapshot of its second call") {
  const auto module = evaluated(residual("channels_first"));
  const torch::NoGradGuard no_grad;
  const Tensor x = random({2, 3, 9, 7});
  const auto plan = compile(module);
  const auto change = [&] {
    for (const Tensor& parameter : module->parameters()) parameter.mul_(1.5).add_(0.1);
  };
  CHECK(same_bits(plan->forward(x), module->forward(x)));
  change();
  const Tensor expected = module->forward(x);
  CHECK(relative_difference({plan->forward(x)}, {expected}) <= 1e-5);
  change();
  CHECK(relative_difference({module->forward(x)}, {expected}) > 1e-2);
  CHECK(relative_difference({plan->forward(x)}, {expected}) <= 1e-5);
}

TEST_CASE("a plan wants a module in evaluation mode") {
  const auto module = to_module(residual("channels_first"));
  CHECK_THROWS_AS(compile(module), UsageError);
  module->eval();
  const auto plan = called(module, {random({2, 3, 9, 7})});
  module->train();
  CHECK_THROWS_WITH(plan->forward(random({2, 3, 9, 7})), Catch::Contains("eval()"));
  module->eval();
  plan->forward(random({2, 3, 9, 7}));
  module->train();
  CHECK_NOTHROW(plan->forward(random({2, 3, 9, 7})));
}

TEST_CASE("an LSTM whose weights are packed computes the same") {
  for (const bool batch_first : {true, false})
    for (const int layers : {1, 2})
      for (const bool bidirectional : {false, true}) {
        const Size steps = Size::symbol("steps");
        const auto module =
            evaluated(ModelBuilder()
                          .input("x", batch_first ? SymbolicShape{kBatch, steps, 3} : SymbolicShape{steps, kBatch, 3})
                          .layer("lstm", "LSTM",
                                 {{"input_size", 3},
                                  {"hidden_size", 5},
                                  {"num_layers", layers},
                                  {"bidirectional", bidirectional},
                                  {"batch_first", batch_first}},
                                 {{"x"}})
                          .output({"lstm", 1})
                          .output({"lstm"})
                          .output({"lstm", 2})
                          .build());
        const torch::NoGradGuard no_grad;
        const auto plan = called(module, {random({2, 7, 3})});
        for (const Shape& shape : {Shape{2, 7, 3}, Shape{4, 1, 3}, Shape{1, 6, 3}}) {
          const Tensors inputs{random(shape)};
          CHECK(relative_difference(plan->forward(inputs), module->forward(inputs)) <= 1e-5);
        }
      }
}

TEST_CASE("what keeps something from call to call is the module's own") {
  const Model model =
      ModelBuilder()
          .input("x", {2, 5, 3})
          .layer("lstm", "LSTM", {{"input_size", 3}, {"hidden_size", 4}, {"batch_first", true}, {"stateful", true}},
                 {{"x"}})
          .output({"lstm"})
          .build();
  const auto module = evaluated(model), same = evaluated(model);
  const auto plan = compile(module);
  const torch::NoGradGuard no_grad;
  for (int i = 0; i < 4; ++i) {
    const Tensor x = random({2, 5, 3});
    CHECK(same_bits(plan->forward(x), same->forward(x)));
  }
}

TEST_CASE("what LibTorch refuses to prepare is computed all the same") {
  torch::Library refusing(torch::Library::IMPL, "mkldnn", c10::DispatchKey::CPU, __FILE__, __LINE__);
  for (const char* preparing : {"_reorder_convolution_weight", "_reorder_mkldnn_rnn_layer_weight"})
    refusing.impl(preparing, torch::CppFunction::makeFromBoxedFunction<&refuse>());
  check_images(residual("channels_first"), {3, 3, 9, 7});
  const auto module = evaluated(ModelBuilder()
                                    .input("x", {kBatch, 7, 3})
                                    .layer("lstm", "LSTM", {{"input_size", 3}, {"hidden_size", 5}}, {{"x"}})
                                    .output({"lstm"})
                                    .build());
  const torch::NoGradGuard no_grad;
  const Tensor x = random({2, 7, 3});
  const auto plan = called(module, {x});
  CHECK(same_bits(plan->forward(x), module->forward(x)));
  CHECK(same_bits(plan->forward(x), module->forward(x)));
}

TEST_CASE("inputs of other types than the first call's are the module's own") {
  const auto module = evaluated(ModelBuilder()
                                    .input("x", {kBatch, 3, 6, 5})
                                    .layer("conv", "Conv2d", convolution(3, 4, 1, 0), {{"x"}})
                                    .layer("relu", "ReLU", {}, {{"conv"}})
                                    .output({"relu"})
                                    .build());
  const torch::NoGradGuard no_grad;
  const Tensor x = random({2, 3, 6, 5});
  const auto plan = called(module, {x});
  plan->forward(x);
  module->to(torch::kDouble);
  CHECK(same_bits(plan->forward(x.to(torch::kDouble)), module->forward(x.to(torch::kDouble))));
  CHECK(plan->forward(x).scalar_type() == torch::kFloat);
  const auto of_doubles = called(module, {x.to(torch::kDouble)});
  CHECK(relative_difference({of_doubles->forward(x.to(torch::kDouble))}, {module->forward(x.to(torch::kDouble))}) <=
        1e-12);
}

TEST_CASE("a plan refuses what its module does, and takes inputs by name") {
  const auto module = evaluated(residual("channels_first"));
  const auto plan = called(module, {random({2, 3, 9, 7})});
  CHECK_THROWS_WITH(plan->forward(random({2, 3, 9, 8})), Catch::Contains("\"x\" has shape"));
  CHECK_THROWS_WITH(plan->forward(Tensors{}), Catch::Contains("1 input"));
  CHECK_THROWS_AS(plan->forward(std::map<std::string, Tensor>{{"y", random({2, 3, 9, 7})}}), UsageError);
  CHECK(plan->forward(std::map<std::string, Tensor>{{"x", random({2, 3, 9, 7})}}).size() == 2);
  CHECK(!plan->forward(random({2, 3, 9, 7})).requires_grad());
}

TEST_CASE("layers that share tensors, and layers that are called twice, have their copies") {
  Model model =
      ModelBuilder()
          .input("x", {kBatch, 4})
          .layer("a", "Linear", {{"in_features", 4}, {"out_features", 4}, {"bias", false}}, {{"x"}})
          .call("again", "a", {{"a"}})
          .layer("b", "Linear", {{"in_features", 4}, {"out_features", 4}, {"bias", false}}, {{"again"}})
          .layer("bilinear", "Bilinear",
                 {{"in1_features", 4}, {"in2_features", 4}, {"out_features", 4}, {"bias", false}}, {{"b"}, {"a"}})
          .output({"bilinear"})
          .build();
  model.architecture->ties = {{"a.weight", "b.weight"}};
  model.weights.set("b.weight", *model.weights.find("a.weight"));
  check_images(model, {3, 4});
}

TEST_CASE("a plan may be called by several threads at once") {
  const auto module = evaluated(residual("channels_first"));
  const torch::NoGradGuard no_grad;
  const auto plan = compile(module);
  std::vector<double> differences(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < differences.size(); ++i)
    threads.emplace_back([&, i] {
      const torch::NoGradGuard none;
      for (std::int64_t call = 0; call < 4; ++call) {
        const Tensors inputs{random({1 + call, 3, 9, 7})};
        differences[i] = std::max(differences[i], relative_difference(plan->forward(inputs), module->forward(inputs)));
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const double difference : differences) CHECK(difference <= 1e-5);
}

}  // namespace h5bridge::testing
