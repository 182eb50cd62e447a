// Layers of which integers are open, as LibTorch runs them: with the numbers that each call's inputs tell.
#include "h5bridge/error.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {
namespace {

const SymbolicShape kSequence{Size::symbol("batch"), 4, Size::symbol("length")};

std::shared_ptr<Module> convolution() {
  ModelBuilder builder;
  builder.input("x", kSequence)
      .layer("conv", "Conv1d", {{"in_channels", 4}, {"out_channels", 3}, {"kernel_size", 2}, {"dilation", "length//2"}},
             {{"x"}})
      .layer("norm", "BatchNorm1d", {{"num_features", 3}}, {{"conv"}})
      .output({"norm"});
  return to_module(builder.build());
}

}  // namespace

TEST_CASE("each call has the numbers of its own inputs, and the weights of one layer") {
  const auto module = convolution();
  module->eval();
  const auto named = module->named_parameters();
  for (const std::int64_t length : {6, 9}) {
    const torch::Tensor x = random({2, 4, length});
    const torch::Tensor convolved =
        torch::conv1d(x, named["conv.weight"], named["conv.bias"], 1, torch::IntArrayRef{0}, length / 2);
    const torch::Tensor expected = torch::batch_norm(
        convolved, named["norm.weight"], named["norm.bias"], module->named_buffers()["norm.running_mean"],
        module->named_buffers()["norm.running_var"], false, 0.1, 1e-5, false);
    CHECK(same_bits(module->forward(x), expected));
  }
}

TEST_CASE("a layer with an open integer runs in inference mode") {
  const auto module = convolution();
  module->eval();
  const torch::Tensor x = random({2, 4, 6});
  const torch::Tensor expected = module->forward(x);
  const c10::InferenceMode inference;
  CHECK(same_bits(module->forward(x), expected));
}

TEST_CASE("a layer with an open integer is trained") {
  const auto module = convolution();
  CHECK(module->named_parameters()["conv.weight"].sizes() == torch::IntArrayRef({3, 4, 2}));
  module->forward(random({2, 4, 6})).square().sum().backward();
  const torch::Tensor gradient = module->named_parameters()["conv.weight"].grad();
  REQUIRE(gradient.defined());
  CHECK(gradient.abs().sum().item<double>() > 0);

  // As PyTorch has it.
  torch::Tensor weight = torch::randn({3, 4, 2}).requires_grad_();
  {
    const torch::NoGradGuard no_grad;
    module->named_parameters()["conv.weight"].copy_(weight);
    module->named_parameters()["conv.weight"].mutable_grad().zero_();
    module->named_parameters()["conv.bias"].zero_();
  }
  module->eval();
  const torch::Tensor x = random({2, 4, 6});
  module->forward(x).sum().backward();
  const auto named = module->named_parameters();
  torch::batch_norm(torch::conv1d(x, weight, named["conv.bias"].detach(), 1, torch::IntArrayRef{0}, 3),
                    named["norm.weight"].detach(), named["norm.bias"].detach(),
                    module->named_buffers()["norm.running_mean"], module->named_buffers()["norm.running_var"], false,
                    0.1, 1e-5, false)
      .sum()
      .backward();
  CHECK(difference(named["conv.weight"].grad(), weight.grad()) < 1e-6);
}

TEST_CASE("a layer with an open integer drops nothing in evaluation") {
  ModelBuilder builder;
  builder.input("x", kSequence)
      .layer("drop", "Dropout", {{"p", 0.5}, {"noise_shape", Json::Array{nullptr, 1, "length"}}}, {{"x"}})
      .output({"drop"});
  const auto module = to_module(builder.build());
  const torch::Tensor x = torch::ones({50, 4, 6});
  const torch::Tensor dropped = module->forward(x);
  CHECK_FALSE(same_bits(dropped, x));
  CHECK(same_bits(dropped, dropped.select(1, 0).unsqueeze(1).expand({50, 4, 6}).contiguous()));
  module->eval();
  CHECK(same_bits(module->forward(x), x));
}

TEST_CASE("numbers that do not fit a layer are an error that names it") {
  ModelBuilder builder;
  builder.input("x", kSequence).layer("pool", "AvgPool1d", {{"kernel_size", "length - 5"}}, {{"x"}}).output({"pool"});
  const auto module = to_module(builder.build());
  CHECK(module->forward(random({2, 4, 6})).sizes() == torch::IntArrayRef({2, 4, 6}));
  CHECK_THROWS_AS(module->forward(random({2, 4, 5})), UsageError);
  CHECK_THROWS_WITH(module->forward(random({2, 4, 5})),
                    Catch::Matchers::Contains("\"kernel_size\" is 0, expected at least 1"));
}

}  // namespace h5bridge::testing
