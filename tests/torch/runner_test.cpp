// The runner that the program loads: inputs checked, run in evaluation mode, split into batches.
#include "runner/runner.h"

#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "model/work_counts.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

extern "C" h5bridge::Runner* h5bridge_make_runner(const h5bridge::Model& model, const h5bridge::RunOptions& options);

namespace h5bridge::testing {
namespace {

const Size kBatch = Size::symbol("batch");

std::unique_ptr<Runner> runner_of(const Model& model, const RunOptions& options = {}) {
  return std::unique_ptr<Runner>(h5bridge_make_runner(model, options));
}

// Two inputs of equal length, one of them of integers; dropout shows the mode.
Model two_inputs() {
  return ModelBuilder()
      .input("x", {kBatch, Size::symbol("length"), 3})
      .input("y", {kBatch, Size::symbol("length"), 3})
      .layer("drop", "Dropout", {{"p", 0.9}}, {{"x"}})
      .layer("sum", "add", {}, {{"drop"}, {"y"}})
      .output({"sum"})
      .build();
}

Model dense() {
  return ModelBuilder()
      .input("x", {kBatch, 4})
      .layer("fc", "Linear", {{"in_features", 4}, {"out_features", 3}}, {{"x"}})
      .output({"fc"})
      .build();
}

Tensor random_tensor(const Shape& shape) { return from_torch(random(shape)); }

}  // namespace

TEST_CASE("a runner takes inputs by name and runs in evaluation mode") {
  const auto runner = runner_of(two_inputs());
  const Tensor x = random_tensor({2, 5, 3});
  const Tensor y = random_tensor({2, 5, 3});
  const auto outputs = runner->run({{"y", y}, {"x", x}});
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0].name == "output");
  CHECK(bit_equal(outputs[0].tensor, from_torch(to_torch(x) + to_torch(y))));
}

TEST_CASE("from the second part of a batch on a runner predicts by the plan, unless exact results are asked for") {
  Model model = ModelBuilder()
                    .input("x", {kBatch, 3, 20, 20})
                    .layer("a", "Conv2d", {{"in_channels", 3}, {"out_channels", 8}, {"kernel_size", 3}}, {{"x"}})
                    .layer("b", "BatchNorm2d", {{"num_features", 8}}, {{"a"}})
                    .layer("c", "Conv2d", {{"in_channels", 8}, {"out_channels", 8}, {"kernel_size", 3}}, {{"b"}})
                    .output({"c"})
                    .build();
  const std::vector<NamedTensor> inputs{{"x", random_tensor({5, 3, 20, 20})}};
  const auto run = [&](bool exact) {
    RunOptions options;
    options.batch_size = 2;
    options.exact = exact;
    return to_torch(runner_of(model, options)->run(inputs)[0].tensor);
  };
  const torch::Tensor planned = run(false), exact = run(true);
  CHECK(same_bits(planned.slice(0, 0, 2), exact.slice(0, 0, 2)));
  CHECK(!same_bits(planned.slice(0, 2), exact.slice(0, 2)));
  CHECK(relative_difference({planned}, {exact}) <= 1e-5);
}

TEST_CASE("inputs that do not fit are refused, saying what is expected") {
  const auto runner = runner_of(two_inputs());
  const Tensor x = random_tensor({2, 5, 3});
  CHECK_THROWS_AS(runner->run({{"x", x}}), UsageError);
  CHECK_THROWS_WITH(runner->run({{"x", x}}), "input \"y\" is missing, expected shape (batch, length, 3)");
  CHECK_THROWS_WITH(runner->run({{"x", x}, {"y", x}, {"z", x}}), "the model has no input \"z\", only \"x\", \"y\"");
  CHECK_THROWS_WITH(runner->run({{"x", x}, {"x", x}, {"y", x}}), "input \"x\" is given twice");
  CHECK_THROWS_WITH(runner->run({{"x", random_tensor({2, 15})}, {"y", x}}),
                    "input \"x\" has shape (2, 15), expected 3 axes, (batch, length, 3)");
  CHECK_THROWS_WITH(runner->run({{"x", x}, {"y", random_tensor({2, 6, 3})}}),
                    "input \"y\" has shape (2, 6, 3), expected (batch, length, 3) where batch is 2, length is 5");
  CHECK_THROWS_WITH(runner->run({{"x", x}, {"y", from_torch(torch::zeros({2, 5, 3}, torch::kInt64))}}),
                    "input \"y\" has dtype int64, expected float32");
}

TEST_CASE("numbers are converted where that is plain") {
  const Model model = dense();
  const torch::Tensor x = random({2, 4});
  const Tensor expected = runner_of(model)->run({{"x", from_torch(x)}})[0].tensor;
  CHECK(bit_equal(runner_of(model)->run({{"x", from_torch(x.to(torch::kFloat64))}})[0].tensor, expected));

  const Model integers = ModelBuilder()
                             .input("x", {kBatch, 4}, DType::Int64)
                             .layer("twice", "add", {}, {{"x"}, {"x"}})
                             .output({"twice"})
                             .build();
  const torch::Tensor narrow = torch::tensor({{1, 2, 3, 4}}, torch::kInt32);
  CHECK(bit_equal(runner_of(integers)->run({{"x", from_torch(narrow)}})[0].tensor,
                  from_torch(2 * narrow.to(torch::kInt64))));

  const auto small = runner_of(ModelBuilder()
                                   .input("x", {kBatch, 4}, DType::Int32)
                                   .layer("twice", "add", {}, {{"x"}, {"x"}})
                                   .output({"twice"})
                                   .build());
  CHECK(bit_equal(small->run({{"x", from_torch(narrow.to(torch::kInt64))}})[0].tensor, from_torch(2 * narrow)));
  CHECK_THROWS_WITH(small->run({{"x", from_torch(torch::full({1, 4}, std::int64_t{1} << 40))}}),
                    "input \"x\": the value 1099511627776 does not fit int32");
}

TEST_CASE("inputs run in the type of the parameters") {
  Model model = dense();
  Weights half;
  for (const auto& [name, tensor] : model.weights) half.add(name, cast(tensor, DType::BFloat16));
  model.weights = half;
  CHECK(runner_of(model)->run({{"x", random_tensor({2, 4})}})[0].tensor.dtype() == DType::BFloat16);
}

TEST_CASE("a batch can be split") {
  const Model model = dense();
  const Tensor x = random_tensor({7, 4});
  const torch::Tensor whole = to_torch(runner_of(model)->run({{"x", x}})[0].tensor);
  for (const std::int64_t size : {1, 2, 3, 7, 100}) {
    const auto split = runner_of(model, {.device = "cpu", .layout = {}, .batch_size = size})->run({{"x", x}});
    CHECK(difference(to_torch(split[0].tensor), whole) < 1e-5);
  }
}

TEST_CASE("rows are computed again only where a layer does not say that it keeps them apart") {
  const Tensor x = random_tensor({5, 4});
  const auto checked = [&](const Model& model) {
    const std::int64_t before = work().rows_checked;
    runner_of(model, {.device = "cpu", .layout = {}, .batch_size = 2})->run({{"x", x}});
    return work().rows_checked - before;
  };
  CHECK(checked(dense()) == 0);
  const auto softmax = [](std::int64_t axis) {
    return ModelBuilder()
        .input("x", {kBatch, 4})
        .layer("softmax", "Softmax", {{"dim", axis}}, {{"x"}})
        .output({"softmax"})
        .build();
  };
  CHECK(checked(softmax(1)) == 1);
  CHECK_THROWS_AS(checked(softmax(0)), UsageError);
}

TEST_CASE("every node can be observed") {
  std::vector<std::string> nodes;
  const auto runner = runner_of(two_inputs());
  const Tensor x = random_tensor({2, 5, 3});
  runner->run({{"x", x}, {"y", x}}, [&](const std::string& node, const std::vector<Tensor>& outputs) {
    nodes.push_back(node);
    CHECK(outputs.at(0).shape() == Shape{2, 5, 3});
  });
  CHECK(nodes == std::vector<std::string>{"drop", "sum"});
  nodes.clear();
  runner->run({{"x", x}, {"y", x}});
  CHECK(nodes.empty());
}

TEST_CASE("make_runner finds this library") {
  const Tensor x = random_tensor({2, 4});
  const Model model = dense();
  CHECK(bit_equal(make_runner(model, {})->run({{"x", x}})[0].tensor, runner_of(model)->run({{"x", x}})[0].tensor));
}

TEST_CASE("unknown and missing devices") {
  CHECK_THROWS_WITH(runner_of(dense(), {.device = "tpu", .layout = {}, .batch_size = 0}),
                    "unknown device \"tpu\", expected cpu, cuda or cuda:N");
  CHECK_THROWS_AS(runner_of(dense(), {.device = "cuda:100", .layout = {}, .batch_size = 0}), SystemFailure);
}

}  // namespace h5bridge::testing
