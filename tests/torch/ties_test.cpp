// Parameters that are one stay one while a module is trained.
#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {
namespace {

using torch::Tensor;

const Size kBatch = Size::symbol("batch");

// A decoder that has the embedding's weight, as language models do.
Model tied_model() {
  Model model = ModelBuilder()
                    .input("tokens", {kBatch, 5}, DType::Int64)
                    .layer("tokens_in", "Embedding", {{"num_embeddings", 7}, {"embedding_dim", 3}}, {{"tokens"}})
                    .layer("body.fc", "Linear", {{"in_features", 3}, {"out_features", 3}}, {{"tokens_in"}})
                    .layer("head", "Linear", {{"in_features", 3}, {"out_features", 7}}, {{"body.fc"}})
                    .output({"head"})
                    .build();
  model.weights.set("head.weight", h5bridge::Tensor(*model.weights.find("tokens_in.weight")));
  model.architecture->ties = {{"tokens_in.weight", "head.weight"}};
  return model;
}

// The same in LibTorch alone, for which autograd itself adds up what the one weight gets from its two uses.
struct Reference {
  explicit Reference(const Model& model) {
    for (const auto& [name, tensor] : model.weights)
      if (name != "head.weight") parameters.emplace_back(to_torch(tensor).requires_grad_(true));
  }
  Tensor forward(const Tensor& tokens) const {
    const Tensor hidden = torch::linear(torch::embedding(parameters[0], tokens), parameters[1], parameters[2]);
    return torch::linear(hidden, parameters[0], parameters[3]);
  }
  std::vector<Tensor> parameters;
};

template <typename Network>
void train(Network& network, std::vector<Tensor> parameters, const Tensor& tokens) {
  torch::optim::Adam optimizer(std::move(parameters), torch::optim::AdamOptions(0.1));
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    network.forward(tokens).square().mean().backward();
    optimizer.step();
  }
}

}  // namespace

TEST_CASE("a tied parameter is listed once, and trained as one") {
  const Model model = tied_model();
  const Tensor tokens = torch::randint(7, {4, 5});
  const auto module = to_module(model);
  CHECK(parameter_names(*module) ==
        std::vector<std::string>{"tokens_in.weight", "body.fc.weight", "body.fc.bias", "head.bias"});
  Reference reference(model);
  CHECK(same_bits(module->forward(tokens), reference.forward(tokens)));
  train(*module, module->parameters(), tokens);
  train(reference, reference.parameters, tokens);
  CHECK(difference(module->forward(tokens), reference.forward(tokens)) < 1e-5);
  CHECK(difference(module->named_parameters()["tokens_in.weight"], reference.parameters[0]) < 1e-5);
  const Model captured = capture(*module);
  CHECK(captured.weights.size() == model.weights.size());
  CHECK_FALSE(bit_equal(*captured.weights.find("head.weight"), *model.weights.find("head.weight")));
  CHECK(bit_equal(*captured.weights.find("head.weight"), *captured.weights.find("tokens_in.weight")));
  CHECK(captured.trainable.at("head.weight"));
}

TEST_CASE("ties outlive clone, to and a frozen parameter") {
  const Model model = tied_model();
  const Tensor tokens = torch::randint(7, {4, 5});
  const auto module = to_module(model);
  const auto copy = std::dynamic_pointer_cast<Module>(module->clone());
  copy->to(torch::kFloat64);
  // Also for who calls a submodule by itself, before the whole.
  const Tensor& own = copy->named_modules()["head"]->as<torch::nn::Linear>()->weight;
  CHECK(own.scalar_type() == torch::kFloat64);
  CHECK(own.is_alias_of(copy->named_parameters()["tokens_in.weight"]));
  for (Tensor& parameter : copy->parameters()) parameter.requires_grad_(false);
  CHECK_FALSE(copy->forward(tokens).requires_grad());
  for (Tensor& parameter : copy->parameters()) parameter.requires_grad_(true);
  Reference reference(model);
  for (Tensor& parameter : reference.parameters)
    parameter = parameter.detach().to(torch::kFloat64).requires_grad_(true);
  train(*copy, copy->parameters(), tokens);
  train(reference, reference.parameters, tokens);
  CHECK(parameter_names(*copy) == parameter_names(*module));
  CHECK(difference(copy->forward(tokens), reference.forward(tokens)) < 1e-9);
  CHECK(bit_equal(*capture(*module).weights.find("head.weight"), *model.weights.find("head.weight")));
}

TEST_CASE("tied parameters that differ are refused") {
  Model model = tied_model();
  model.weights.set("head.weight", from_torch(random({7, 3})));
  CHECK_THROWS_AS(to_module(model), MalformedFile);
  CHECK_THROWS_WITH(to_module(model), Catch::Contains("untied: head.weight differs from tokens_in.weight"));
}

}  // namespace h5bridge::testing
