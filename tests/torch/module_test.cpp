// The module as a whole: its tree, its tensors, how it is called, what it refuses.
#include <set>
#include <stdexcept>

#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "runtime/device.h"
#include "torch/catch.h"
#include "torch/model_builder.h"
#include "unit/temporary_folder.h"

namespace h5bridge::testing {
namespace {

using torch::Tensor;

const Size kBatch = Size::symbol("batch");

Model small_model() {
  return ModelBuilder()
      .input("x", {kBatch, 3, 8, 8})
      .layer("layer1.0.conv1", "Conv2d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}, {"padding", 1}},
             {{"x"}})
      .layer("layer1.0.bn1", "BatchNorm2d", {{"num_features", 4}}, {{"layer1.0.conv1"}})
      .layer("relu_1", "ReLU", {}, {{"layer1.0.bn1"}})
      .layer("pool", "AdaptiveAvgPool2d", {{"output_size", 1}, {"keepdims", false}}, {{"relu_1"}})
      .layer("fc", "Linear", {{"in_features", 4}, {"out_features", 2}}, {{"pool"}})
      .output({"fc"})
      .build();
}

bool aligned(const Tensor& tensor) { return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0; }

Weights without(const Weights& weights, const std::string& dropped) {
  Weights result;
  for (const auto& [name, tensor] : weights)
    if (name != dropped) result.add(name, tensor);
  return result;
}

}  // namespace

TEST_CASE("parameters, buffers and submodules carry the state_dict's names") {
  const auto module = to_module(small_model());
  CHECK(parameter_names(*module) == std::vector<std::string>{"layer1.0.conv1.weight", "layer1.0.conv1.bias",
                                                             "layer1.0.bn1.weight", "layer1.0.bn1.bias", "fc.weight",
                                                             "fc.bias"});
  CHECK(buffer_names(*module) == std::vector<std::string>{"layer1.0.bn1.running_mean", "layer1.0.bn1.running_var",
                                                          "layer1.0.bn1.num_batches_tracked"});
  const auto modules = module->named_modules();
  CHECK(modules["layer1.0.conv1"]->as<torch::nn::Conv2d>() != nullptr);
  CHECK(modules["layer1.0.conv1"]->as<torch::nn::Conv2d>()->options.in_channels() == 3);
  CHECK(modules["layer1.0.bn1"]->as<torch::nn::BatchNorm2d>() != nullptr);
  CHECK(modules["fc"]->as<torch::nn::Linear>() != nullptr);
}

// By hand, along an axis of two that becomes four: Keys's cubic with a = -0.5 has 111/128 and 29/128 at the distances
// 1/4 and 3/4, -9/128 at 5/4, and 0 beyond 2; the weights of the two elements that there are add up to 1.
TEST_CASE("Keras's bicubic is Keys's with a = -0.5, and what lies outside does not count") {
  const Model model =
      ModelBuilder()
          .input("x", {1, 1, 1, 2})
          .layer("up", "Upsample", {{"scale_factor", Json::Array{1.0, 2.0}}, {"mode", "cubic"}}, {{"x"}})
          .output({"up"})
          .build();
  const Tensor x = torch::tensor({0.0F, 1.0F}).view({1, 1, 1, 2});
  const Tensor expected = torch::tensor({-9.0F / 102, 29.0F / 140, 111.0F / 140, 111.0F / 102}).view({1, 1, 1, 4});
  CHECK(difference(to_module(model)->forward(x), expected) < 1e-6);
}

TEST_CASE("a layer may hold other layers") {
  const Model model = ModelBuilder()
                          .input("x", {kBatch, 4})
                          .layer("a.b", "Linear", {{"in_features", 4}, {"out_features", 4}}, {{"x"}})
                          .layer("a", "Linear", {{"in_features", 4}, {"out_features", 4}}, {{"a.b"}})
                          .output({"a"})
                          .build();
  CHECK(parameter_names(*to_module(model)) == std::vector<std::string>{"a.weight", "a.bias", "a.b.weight", "a.b.bias"});
}

TEST_CASE("tensors have the file's bits, and are contiguous and 64-byte aligned") {
  Model model = small_model();
  // A view: the transposed of what the file has, and at an odd place in it.
  const Tensor transposed = random({4, 2});
  model.weights.set("fc.weight", from_torch(transposed).permute(std::vector<std::int64_t>{1, 0}));
  const auto module = to_module(model);
  CHECK(same_bits(module->named_parameters()["fc.weight"], transposed.t()));
  for (const auto& item : module->named_parameters()) {
    INFO(item.key());
    CHECK(bit_equal(from_torch(item.value()), *model.weights.find(item.key())));
    CHECK(item.value().is_contiguous());
    CHECK(aligned(item.value()));
    CHECK(item.value().requires_grad());
  }
}

TEST_CASE("the file's dtype stays") {
  for (const auto& [dtype, type] : {std::pair{DType::Float64, torch::kFloat64},
                                    {DType::BFloat16, torch::kBFloat16},
                                    {DType::Float16, torch::kFloat16}}) {
    Model model = ModelBuilder()
                      .input("x", {kBatch, 4})
                      .layer("fc", "Linear", {{"in_features", 4}, {"out_features", 3}}, {{"x"}})
                      .output({"fc"})
                      .build();
    Weights weights;
    for (const auto& [name, tensor] : model.weights) weights.add(name, cast(tensor, dtype));
    model.weights = weights;
    const auto module = to_module(model);
    CHECK(module->parameters()[0].scalar_type() == type);
    CHECK(module->forward(random({2, 4}).to(type)).scalar_type() == type);
  }
}

TEST_CASE("trainable says which parameters take a gradient") {
  Model model = small_model();
  model.trainable = {{"fc.weight", false}, {"fc.bias", true}};
  const auto module = to_module(model);
  CHECK_FALSE(module->named_parameters()["fc.weight"].requires_grad());
  CHECK(module->named_parameters()["fc.bias"].requires_grad());
  CHECK(capture(*module).trainable.at("fc.weight") == false);
}

TEST_CASE("capture says of every parameter whether it is trained") {
  Model model = small_model();
  model.trainable = {{"fc.weight", false}, {"fc.bias", false}};
  model.architecture->find_layer("fc")->keras.trainable = false;
  const auto module = to_module(model);
  module->named_parameters()["fc.weight"].requires_grad_(true);
  module->named_parameters()["layer1.0.conv1.bias"].requires_grad_(false);
  const Model captured = capture(*module);
  CHECK(captured.trainable == std::map<std::string, bool>{{"layer1.0.conv1.weight", true},
                                                          {"layer1.0.conv1.bias", false},
                                                          {"layer1.0.bn1.weight", true},
                                                          {"layer1.0.bn1.bias", true},
                                                          {"fc.weight", true},
                                                          {"fc.bias", false}});
  CHECK(std::set<std::string>(captured.architecture->frozen.begin(), captured.architecture->frozen.end()) ==
        std::set<std::string>{"layer1.0.conv1.bias", "fc.bias"});
  CHECK(captured.architecture->find_layer("fc")->keras.trainable == true);
  // And the next module has it from there.
  Model exported = captured;
  exported.trainable.clear();
  for (const auto& again : {to_module(captured), to_module(exported)})
    for (const auto& item : again->named_parameters())
      CHECK(item.value().requires_grad() == captured.trainable.at(item.key()));
}

TEST_CASE("what is thawed is so in Keras, too, where the whole model was frozen") {
  Model model = small_model();
  model.architecture->keras.class_name = "Functional";
  model.architecture->keras.trainable = false;
  for (Layer& layer : model.architecture->layers) layer.keras.trainable = false;
  const auto module = to_module(model);
  CHECK_FALSE(module->named_parameters()["fc.weight"].requires_grad());
  module->named_parameters()["fc.weight"].requires_grad_(true);
  const Model captured = capture(*module);
  CHECK(captured.architecture->keras.trainable == true);
  CHECK(captured.architecture->find_layer("fc")->keras.trainable == true);
  CHECK(captured.architecture->find_layer("layer1.0.conv1")->keras.trainable == false);
}

TEST_CASE("a reference is not that of weights that may have changed") {
  Model model = small_model();
  model.reference = Reference{.by = "LibTorch", .dtype = {}, .inputs = {}, .outputs = {}, .layers = {}};
  const Model captured = capture(*to_module(model));
  CHECK_FALSE(captured.reference);
  REQUIRE(captured.notes.size() == 1);
  CHECK(captured.notes[0].starts_with("left out: the reference"));
}

TEST_CASE("capture gives every name of a tensor what it holds now") {
  Model model = small_model();
  model.architecture->aliases = {{"head.weight", "fc.weight"}};
  model.weights.add("head.weight", h5bridge::Tensor(*model.weights.find("fc.weight")));
  const auto module = to_module(model);
  {
    const torch::NoGradGuard no_grad;
    module->named_parameters()["fc.weight"].add_(1);
  }
  const Model captured = capture(*module);
  CHECK_FALSE(bit_equal(*captured.weights.find("fc.weight"), *model.weights.find("fc.weight")));
  CHECK(bit_equal(*captured.weights.find("head.weight"), *captured.weights.find("fc.weight")));
}

TEST_CASE("a layer called twice shares its parameters") {
  const Model model = ModelBuilder()
                          .input("x", {kBatch, 4})
                          .layer("fc", "Linear", {{"in_features", 4}, {"out_features", 4}}, {{"x"}})
                          .call("fc_1", "fc", {{"fc"}})
                          .output({"fc_1"})
                          .build();
  const auto module = to_module(model);
  CHECK(module->parameters().size() == 2);
  const Tensor x = random({3, 4});
  const Tensor weight = to_torch(*model.weights.find("fc.weight"));
  const Tensor bias = to_torch(*model.weights.find("fc.bias"));
  CHECK(same_bits(module->forward(x), torch::linear(torch::linear(x, weight, bias), weight, bias)));
  module->forward(x).sum().backward();
  CHECK(module->parameters()[0].grad().defined());
}

TEST_CASE("several inputs and outputs, in order or by name") {
  const Model model = ModelBuilder()
                          .input("left", {kBatch, 4})
                          .input("right", {kBatch, 4})
                          .layer("difference", "sub", {}, {{"left"}, {"right"}})
                          .layer("sum", "add", {}, {{"left"}, {"right"}})
                          .output({"difference"}, "difference")
                          .output({"sum"}, "sum")
                          .output({"left"}, "itself")
                          .build();
  const auto module = to_module(model);
  const Tensor left = random({2, 4});
  const Tensor right = random({2, 4});
  CHECK(module->input_names() == std::vector<std::string>{"left", "right"});
  CHECK(module->output_names() == std::vector<std::string>{"difference", "sum", "itself"});
  const auto ordered = module->forward(std::vector{left, right});
  CHECK(same_bits(ordered.at(0), left - right));
  CHECK(same_bits(ordered.at(1), left + right));
  CHECK(same_bits(ordered.at(2), left));
  const auto named = module->forward(std::map<std::string, Tensor>{{"right", right}, {"left", left}});
  CHECK(same_bits(named.at("difference"), left - right));
  CHECK_THROWS_AS(module->forward(left), UsageError);
  CHECK_THROWS_WITH(module->forward(left), "the model takes 2 inputs (\"left\", \"right\"), but got 1");
  CHECK_THROWS_WITH(module->forward(std::map<std::string, Tensor>{{"left", left}}),
                    "input \"right\" is missing, expected shape (batch, 4)");
  CHECK_THROWS_WITH(module->forward(std::map<std::string, Tensor>{{"left", left}, {"right", right}, {"up", right}}),
                    "the model has no input \"up\", only \"left\", \"right\"");
  CHECK_THROWS_WITH(module->forward(std::vector{left, random({3, 4})}),
                    "input \"right\" has shape (3, 4), expected (batch, 4) where batch is 2");
}

TEST_CASE("values are freed after their last use") {
  const Model model = ModelBuilder()
                          .input("x", {kBatch, 4})
                          .layer("a", "Identity", {}, {{"x"}})
                          .layer("b", "exp", {}, {{"a"}})
                          .layer("c", "exp", {}, {{"b"}})
                          .layer("d", "exp", {}, {{"c"}})
                          .output({"d"})
                          .build();
  const torch::NoGradGuard no_grad;
  const auto module = to_module(model);
  std::map<std::string, c10::weak_intrusive_ptr<c10::TensorImpl>> made;
  bool freed = false;
  module->observe([&](const std::string& node, const std::vector<Tensor>& outputs) {
    if (node == "d") freed = made.at("b").expired();
    made.emplace(node, c10::weak_intrusive_ptr<c10::TensorImpl>(outputs.at(0).getIntrusivePtr()));
  });
  module->forward(random({2, 4}));
  CHECK(made.size() == 4);
  CHECK(freed);
}

TEST_CASE("inputs and outputs are laid out as asked") {
  const Model model =
      ModelBuilder()
          .input("x", {kBatch, 3, 8, 9})
          .layer("conv", "Conv2d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}}, {{"x"}})
          .output({"conv"})
          .build();
  const Tensor x = random({2, 3, 8, 9});
  const Tensor expected = to_module(model)->forward(x);
  const auto as_keras = to_module(model, torch::kCPU, {.layout = Framework::Keras});
  CHECK(same_bits(as_keras->forward(x.permute({0, 2, 3, 1})), expected.permute({0, 2, 3, 1})));
  Model from_keras = model;
  from_keras.framework = Framework::Keras;
  CHECK(same_bits(to_module(from_keras)->forward(x.permute({0, 2, 3, 1})), expected.permute({0, 2, 3, 1})));
  // Shapes are said as the caller has them.
  CHECK(to_string(to_module(model)->input_shapes().at(0)) == "(batch, 3, 8, 9)");
  CHECK(to_string(as_keras->input_shapes().at(0)) == "(batch, 8, 9, 3)");
  CHECK_THROWS_AS(as_keras->forward(random({2, 3})), UsageError);
  CHECK_THROWS_WITH(as_keras->forward(random({2, 3})),
                    "input \"x\" has shape (2, 3), expected 4 axes, (batch, 8, 9, 3)");
  CHECK_THROWS_WITH(as_keras->forward(x),
                    "input \"x\" has shape (2, 3, 8, 9), expected (batch, 8, 9, 3) where batch is 2");
  CHECK_THROWS_WITH(to_module(model)->forward(random({3, 8, 9})),
                    "input \"x\" has shape (3, 8, 9), expected 4 axes, (batch, 3, 8, 9)");
}

TEST_CASE("missing and misshapen weights are all named") {
  Model model = small_model();
  model.weights = without(model.weights, "fc.bias");
  model.weights.set("fc.weight", from_torch(random({3, 4})));
  CHECK_THROWS_AS(to_module(model), MalformedFile);
  CHECK_THROWS_WITH(to_module(model),
                    "the tensors do not fit the architecture: missing: fc.bias; misshapen: fc.weight has shape (3, 4), "
                    "expected (2, 4)");
  model = small_model();
  model.weights.set("fc.bias", from_torch(torch::zeros({2}, torch::kInt64)));
  CHECK_THROWS_WITH(
      to_module(model),
      "the tensors do not fit the architecture: misshapen: fc.bias has dtype int64, expected a floating-point one");
}

TEST_CASE("tensors that the architecture does not name are left alone") {
  Model model = small_model();
  model.weights.add("extra", from_torch(random({5})));
  const Model captured = capture(*to_module(model));
  REQUIRE(captured.weights.find("extra"));
  CHECK(bit_equal(*captured.weights.find("extra"), *model.weights.find("extra")));
}

TEST_CASE("what LibTorch refuses is an error that names the node") {
  const Model model =
      ModelBuilder()
          .input("x", {kBatch, 3, Size::symbol("height"), Size::symbol("width")})
          .layer("first", "ReLU", {}, {{"x"}})
          .layer("conv", "Conv2d", {{"in_channels", 3}, {"out_channels", 4}, {"kernel_size", 3}}, {{"first"}})
          .output({"conv"})
          .build();
  const auto module = to_module(model);
  CHECK_THROWS_AS(module->forward(random({2, 3, 2, 8})), UsageError);
  CHECK_THROWS_WITH(module->forward(random({2, 3, 2, 8})), Catch::StartsWith("node \"conv\" (Conv2d): "));
}

TEST_CASE("an index that a table does not have is named, whatever its type") {
  const std::vector<std::pair<std::string, Json>> tables = {
      {"Embedding", nullptr}, {"Embedding", 1.0}, {"EmbeddingBag", nullptr}};
  for (const auto& [type, max_norm] : tables) {
    const Json::Object settings{{"num_embeddings", 7}, {"embedding_dim", 3}, {"max_norm", max_norm}};
    const auto module = to_module(ModelBuilder()
                                      .input("ids", {kBatch, 4}, DType::Int32)
                                      .layer("table", type, settings, {{"ids"}})
                                      .output({"table"})
                                      .build());
    for (const torch::ScalarType dtype : {torch::kInt32, torch::kInt64})
      for (const int index : {7, -1, 5000}) {
        INFO(type << ' ' << index);
        const torch::Tensor ids = torch::tensor({{1, 2, index, 3}}, dtype);
        CHECK_THROWS_AS(module->forward(ids), UsageError);
        CHECK_THROWS_WITH(module->forward(ids), "node \"table\" (" + type + "): the index " + std::to_string(index) +
                                                    " is out of range: the table has 7 rows");
      }
  }
}

TEST_CASE("inputs of other types, places or none at all are named") {
  const Model model = ModelBuilder()
                          .input("tokens", {kBatch, 5}, DType::Int64)
                          .input("x", {kBatch, 4})
                          .layer("embedding", "Embedding", {{"num_embeddings", 7}, {"embedding_dim", 3}}, {{"tokens"}})
                          .layer("fc", "Linear", {{"in_features", 4}, {"out_features", 3}}, {{"x"}})
                          .output({"embedding"})
                          .output({"fc"})
                          .build();
  const auto module = to_module(model);
  const Tensor tokens = torch::zeros({2, 5}, torch::kInt64);
  const Tensor x = random({2, 4});
  const auto run = [&](const Tensor& first, const Tensor& second) { module->forward(std::vector{first, second}); };
  run(tokens, x);
  run(tokens.to(torch::kInt32), x);  // LibTorch takes these, too
  CHECK_THROWS_AS(run(torch::full({2, 5}, 3.7F), x), UsageError);
  CHECK_THROWS_WITH(run(torch::full({2, 5}, 3.7F), x), "input \"tokens\" has dtype float32, expected int64");
  CHECK_THROWS_AS(run(tokens, x.to(torch::kInt64)), UsageError);
  CHECK_THROWS_WITH(run(tokens, x.to(torch::kInt64)),
                    Catch::StartsWith("input \"x\" has dtype int64, expected float32: node \"fc\" (Linear): "));
  CHECK_THROWS_WITH(run(tokens, x.to(torch::kFloat64)),
                    Catch::StartsWith("input \"x\" has dtype float64, expected float32: node \"fc\" (Linear): "));
  CHECK_THROWS_AS(run(tokens, x.to(torch::kMeta)), UsageError);
  CHECK_THROWS_WITH(run(tokens, x.to(torch::kMeta)), "input \"x\" is on meta, expected cpu");
  CHECK_THROWS_AS(run(Tensor(), x), UsageError);
  CHECK_THROWS_WITH(run(Tensor(), x), "input \"tokens\" is an undefined tensor");
  module->to(torch::kFloat64);
  CHECK_THROWS_WITH(run(tokens, x), Catch::StartsWith("input \"x\" has dtype float32, expected float64: node \"fc\""));
  run(tokens, x.to(torch::kFloat64));
}

TEST_CASE("what an observer throws is the caller's own") {
  const auto module = to_module(small_model());
  module->observe([](const std::string&, const std::vector<Tensor>&) { throw std::out_of_range("mine"); });
  CHECK_THROWS_AS(module->forward(random({2, 3, 8, 8})), std::out_of_range);
  CHECK_THROWS_WITH(module->forward(random({2, 3, 8, 8})), "mine");
  module->observe({});
  CHECK_NOTHROW(module->forward(random({2, 3, 8, 8})));
}

TEST_CASE("a model without an architecture cannot be built") {
  Model model = small_model();
  model.architecture.reset();
  CHECK_THROWS_AS(to_module(model), UsageError);
}

TEST_CASE("attributes of a model that was made in C++ are checked, and completed by defaults") {
  Model model = small_model();
  Layer& norm = *model.architecture->find_layer("layer1.0.bn1");
  norm.attributes.set("epsilon", 1.);
  CHECK_THROWS_AS(to_module(model), UsageError);
  CHECK_THROWS_WITH(to_module(model), "layer \"layer1.0.bn1\" (BatchNorm2d): BatchNorm2d has no attribute \"epsilon\"");
  norm.attributes = {};
  norm.attributes.set("num_features", std::int64_t{4});
  const auto module = to_module(model);
  CHECK(module->architecture() == small_model().architecture);
  norm.attributes.set("eps", std::int64_t{1});
  CHECK_THROWS_AS(to_module(model), UsageError);
  CHECK_THROWS_WITH(
      to_module(model),
      "layer \"layer1.0.bn1\" (BatchNorm2d): attribute \"eps\": is 1 as a std::int64_t, expected a double");
}

TEST_CASE("bad names are refused") {
  for (const std::string name : {"a.", "a..b"}) {
    const Model model = ModelBuilder().input("x", {kBatch, 4}).layer(name, "ReLU", {}, {{"x"}}).output({name}).build();
    CHECK_THROWS_WITH(to_module(model), "layer \"" + name + "\": its name has an empty part");
  }
}

TEST_CASE("a clone has tensors of its own") {
  const auto module = to_module(small_model());
  module->eval();
  module->named_modules()["fc"]->train();
  const auto copy = std::dynamic_pointer_cast<Module>(module->clone());
  REQUIRE(copy);
  CHECK_FALSE(copy->is_training());
  CHECK(copy->named_modules()["fc"]->is_training());
  CHECK(parameter_names(*copy) == parameter_names(*module));
  const Tensor x = random({2, 3, 8, 8});
  const Tensor before = module->forward(x);
  CHECK(same_bits(copy->forward(x), before));
  {
    const torch::NoGradGuard no_grad;
    copy->named_parameters()["fc.weight"].zero_();
  }
  CHECK(same_bits(module->forward(x), before));
  CHECK_FALSE(same_bits(copy->forward(x), before));
}

TEST_CASE("a clone goes on from the states that a layer has kept, and to() takes them along") {
  const Json::Object lstm{{"input_size", 3}, {"hidden_size", 4}, {"batch_first", true}, {"stateful", true}};
  const auto module =
      to_module(ModelBuilder().input("x", {2, 5, 3}).layer("lstm", "LSTM", lstm, {{"x"}}).output({"lstm"}).build());
  const torch::NoGradGuard no_grad;
  const Tensor x = random({2, 5, 3});
  const Tensor first = module->forward(x);
  const auto copy = std::dynamic_pointer_cast<Module>(module->clone());
  const Tensor second = module->forward(x);
  module->forward(x);
  CHECK_FALSE(same_bits(first, second));
  CHECK(same_bits(copy->forward(x), second));
  module->reset_states();
  CHECK(same_bits(module->forward(x), first));
  const Tensor third = copy->clone()->as<Module>()->forward(x);
  copy->to(torch::kFloat64);
  CHECK(relative_difference({copy->forward(x.to(torch::kFloat64)).to(torch::kFloat32)}, {third}) < 1e-6);
}

TEST_CASE("a model of Keras's that was cast as a whole is so in Keras, too") {
  Model model = load(TESTDATA "/mosaic/model.h5");
  const auto module = to_module(model);
  module->to(torch::kFloat64);
  module->eval();
  const TemporaryFolder folder;
  save(capture(*module), folder / "double.keras");
  const auto back = to_module(load(folder / "double.keras"));
  back->eval();
  const SymbolicShape shape = module->input_shapes().at(0);
  std::vector<std::int64_t> sizes;
  for (const Size& size : shape) sizes.push_back(size.value().value_or(16));
  const Tensor x = torch::rand(sizes, torch::kFloat64);
  CHECK(same_bits(back->forward(x), module->forward(x)));
}

TEST_CASE("to(dtype) reaches everything") {
  const auto module = to_module(small_model());
  module->to(torch::kFloat64);
  CHECK(module->forward(random({2, 3, 8, 8}).to(torch::kFloat64)).scalar_type() == torch::kFloat64);
}

TEST_CASE("capture gives the same model back") {
  Model model = small_model();
  const Model captured = capture(*to_module(model));
  CHECK((captured.architecture == model.architecture));
  REQUIRE(captured.weights.size() == model.weights.size());
  for (auto [a, b] = std::pair{captured.weights.begin(), model.weights.begin()}; a != captured.weights.end();
       ++a, ++b) {
    CHECK(a->name == b->name);
    CHECK(bit_equal(a->tensor, b->tensor));
  }
}

TEST_CASE("capture copies") {
  const auto module = to_module(small_model());
  const Model captured = capture(*module);
  const Tensor before = module->named_parameters()["fc.weight"].detach().clone();
  {
    const torch::NoGradGuard no_grad;
    module->named_parameters()["fc.weight"].zero_();
  }
  CHECK(bit_equal(*captured.weights.find("fc.weight"), from_torch(before)));
}

TEST_CASE("devices") {
  CHECK(parse_device("cpu") == torch::Device(torch::kCPU));
  CHECK(parse_device("cuda") == torch::Device(torch::kCUDA));
  CHECK(parse_device("cuda:3") == torch::Device(torch::kCUDA, 3));
  for (const std::string word : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:999", "CPU"}) {
    INFO(word);
    CHECK_THROWS_AS(parse_device(word), UsageError);
  }
  const auto count = static_cast<int>(torch::cuda::device_count());
  const std::string found = std::to_string(count) + (count == 1 ? " CUDA device found" : " CUDA devices found");
  CHECK_THROWS_AS(to_module(small_model(), torch::Device(torch::kCUDA, 100)), SystemFailure);
  CHECK_THROWS_WITH(to_module(small_model(), torch::Device(torch::kCUDA, 100)),
                    "no such device: cuda:100 (" + found + ")");
  CHECK_THROWS_AS(to_module(small_model(), torch::kMeta), SystemFailure);
  CHECK_THROWS_WITH(to_module(small_model(), torch::kMeta), "no such device: meta, expected cpu or one of CUDA");
}

TEST_CASE("a model runs on a GPU", "[cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("skipped: there is no CUDA device");
    return;
  }
  const torch::NoGradGuard no_grad;
  const Model model = small_model();
  const Tensor x = random({4, 3, 8, 8});
  const auto on_cpu = to_module(model);
  const auto on_gpu = to_module(model, torch::kCUDA);
  on_cpu->eval();
  on_gpu->eval();
  const Tensor expected = on_cpu->forward(x);
  CHECK(torch::allclose(on_gpu->forward(x.cuda()).cpu(), expected, 1e-3, 1e-4));
  on_gpu->to(torch::kCPU);
  CHECK(same_bits(on_gpu->forward(x), expected));
  on_cpu->to(torch::kCUDA);
  CHECK(on_cpu->forward(x.cuda()).is_cuda());
  const Model captured = capture(*on_cpu);
  for (const auto& [name, tensor] : captured.weights) CHECK(bit_equal(tensor, *model.weights.find(name)));
}

TEST_CASE("counters of a module in another type are captured as the counts that they are") {
  Model model = ModelBuilder()
                    .input("x", {Size::symbol("batch"), 3})
                    .layer("norm", "BatchNorm1d", {{"num_features", 3}}, {{"x"}})
                    .output({"norm"})
                    .build();
  model.weights.set("norm.num_batches_tracked", tensor_of<std::int64_t>(DType::Int64, {}, {37}));
  const auto module = to_module(model);
  module->to(torch::kFloat64);
  const Model captured = capture(*module);
  const h5bridge::Tensor* counter = captured.weights.find("norm.num_batches_tracked");
  REQUIRE(counter);
  CHECK(bit_equal(*counter, *model.weights.find("norm.num_batches_tracked")));
}

}  // namespace h5bridge::testing
