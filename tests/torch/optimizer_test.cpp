// Training continued where PyTorch left it. The numbers are PyTorch 2.13's: three steps on a Linear(2, 1), its state,
// and its parameters after two more.
#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {
namespace {

using Values = std::vector<float>;

struct SlotValues {
  std::string name;
  Values weight;
  Values bias;
};

struct Run {
  std::string kind;
  Json::Object group;
  Values weight;
  Values bias;
  std::vector<SlotValues> slots;
  Values weight_later;
  Values bias_later;
};

const std::vector<Run>& runs() {
  static const std::vector<Run> result{
      {"SGD",
       {{"lr", 0.05},
        {"momentum", 0.9},
        {"dampening", 0.0},
        {"weight_decay", 0.01},
        {"nesterov", true},
        {"maximize", false},
        {"foreach", nullptr},
        {"differentiable", false},
        {"fused", nullptr}},
       {-0.14778478f, 0.09529534f},
       {-0.06456564f},
       {{"momentum_buffer", {1.4418583f, -1.9233263f}, {0.067644f}}},
       {0.034487974f, 0.10794988f},
       {0.017291892f}},
      {"Adam",
       {{"lr", 0.02},
        {"betas", Json::Array{0.8, 0.95}},
        {"eps", 1e-08},
        {"weight_decay", 0.1},
        {"amsgrad", true},
        {"maximize", false},
        {"foreach", nullptr},
        {"capturable", false},
        {"differentiable", false},
        {"fused", nullptr},
        {"decoupled_weight_decay", false}},
       {0.44019943f, -0.24020094f},
       {0.040203445f},
       {{"step", {3.0f}, {3.0f}},
        {"exp_avg", {2.637042f, -0.8847746f}, {0.87501484f}},
        {"exp_avg_sq", {4.226261f, 0.4758123f}, {0.4654601f}},
        {"max_exp_avg_sq", {4.226261f, 0.4758123f}, {0.4654601f}}},
       {0.40093914f, -0.20094651f},
       {0.00095893256f}},
      {"AdamW",
       {{"lr", 0.02},
        {"betas", Json::Array{0.9, 0.999}},
        {"eps", 1e-06},
        {"weight_decay", 0.01},
        {"amsgrad", false},
        {"maximize", false},
        {"foreach", nullptr},
        {"capturable", false},
        {"differentiable", false},
        {"fused", nullptr},
        {"decoupled_weight_decay", true}},
       {0.43984568f, -0.23996572f},
       {0.04008566f},
       {{"step", {3.0f}, {3.0f}},
        {"exp_avg", {1.4574289f, -0.48580965f}, {0.4858096f}},
        {"exp_avg_sq", {0.08753641f, 0.009726269f}, {0.009726267f}}},
       {0.40017542f, -0.20037542f},
       {0.0005752798f}},
      {"RMSprop",
       {{"lr", 0.01},
        {"momentum", 0.5},
        {"alpha", 0.99},
        {"eps", 1e-08},
        {"centered", true},
        {"weight_decay", 0.0},
        {"capturable", false},
        {"foreach", nullptr},
        {"maximize", false},
        {"differentiable", false}},
       {0.19958948f, 0.00041048773f},
       {-0.20041049f},
       {{"step", {3.0f}, {3.0f}},
        {"square_avg", {0.55686766f, 0.061874192f}, {0.06187419f}},
        {"momentum_buffer", {8.962441f, -8.9624405f}, {8.96244f}},
        {"grad_avg", {0.12275297f, -0.04091766f}, {0.040917657f}}},
       {0.104377255f, 0.09562271f},
       {-0.2956227f}},
      {"Adagrad",
       {{"lr", 0.1},
        {"lr_decay", 0.1},
        {"eps", 1e-10},
        {"weight_decay", 0.0},
        {"initial_accumulator_value", 0.0},
        {"foreach", nullptr},
        {"maximize", false},
        {"differentiable", false},
        {"fused", nullptr}},
       {0.310076f, -0.11007602f},
       {-0.08992401f},
       {{"step", {3.0f}, {3.0f}}, {"sum", {61.62951f, 6.8477235f}, {6.8477235f}}},
       {0.26365677f, -0.06365678f},
       {-0.13634324f}},
  };
  return result;
}

Tensor slot_tensor(const std::string& name, const Shape& shape, const Values& values) {
  return tensor_of(DType::Float32, name == "step" ? Shape{} : shape, values);
}

Model model_of(const Run& run) {
  Model model = ModelBuilder()
                    .input("x", {Size::symbol("batch"), 2})
                    .layer("fc", "Linear", {{"in_features", 2}, {"out_features", 1}}, {{"x"}})
                    .output({"fc"})
                    .build();
  model.weights.set("fc.weight", tensor_of(DType::Float32, {1, 2}, run.weight));
  model.weights.set("fc.bias", tensor_of(DType::Float32, {1}, run.bias));
  Optimizer& optimizer = model.training.emplace().optimizer.emplace();
  optimizer.kind = run.kind;
  optimizer.hyperparameters = run.group;
  optimizer.groups = {run.group};
  optimizer.groups[0].set("params", Json::Array{"fc.weight", "fc.bias"});
  for (const SlotValues& slot : run.slots) {
    optimizer.slots["fc.weight"].push_back({slot.name, slot_tensor(slot.name, {1, 2}, slot.weight)});
    optimizer.slots["fc.bias"].push_back({slot.name, slot_tensor(slot.name, {1}, slot.bias)});
  }
  return model;
}

void train(Module& module, torch::optim::Optimizer& optimizer, int steps) {
  const torch::Tensor x = torch::tensor({{1.0f, 2.0f}, {3.0f, -1.0f}});
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    module.forward(x).pow(2).mean().backward();
    optimizer.step();
  }
}

Model sgd_with(const std::string& name, const Json& value) {
  Model model = model_of(runs()[0]);
  model.training->optimizer->groups[0].set(name, value);
  model.training->optimizer->hyperparameters.set(name, value);
  return model;
}

std::unique_ptr<torch::optim::Optimizer> resume(const Model& model) { return to_optimizer(model, *to_module(model)); }

}  // namespace

TEST_CASE("training continues as in PyTorch") {
  for (const Run& run : runs()) {
    INFO(run.kind);
    const Model model = model_of(run);
    const auto module = to_module(model);
    const auto optimizer = to_optimizer(model, *module);
    train(*module, *optimizer, 2);
    CHECK(difference(module->named_parameters()["fc.weight"].view({2}), torch::tensor(run.weight_later)) < 1e-6);
    CHECK(difference(module->named_parameters()["fc.bias"], torch::tensor(run.bias_later)) < 1e-6);
  }
}

TEST_CASE("training captured and resumed is training uninterrupted, to the bit") {
  for (const Run& run : runs()) {
    INFO(run.kind);
    const Model model = model_of(run);
    const auto module = to_module(model);
    const auto optimizer = to_optimizer(model, *module);
    train(*module, *optimizer, 2);
    const Model captured = capture(*module, *optimizer, {.epoch = 7, .loss = 0.5});
    CHECK(captured.training->epoch == 7);
    CHECK(captured.training->loss == 0.5);

    const auto resumed = to_module(captured);
    const auto resumed_optimizer = to_optimizer(captured, *resumed);
    train(*module, *optimizer, 3);
    train(*resumed, *resumed_optimizer, 3);
    CHECK(same_bits(resumed->named_parameters()["fc.weight"], module->named_parameters()["fc.weight"]));
    CHECK(same_bits(resumed->named_parameters()["fc.bias"], module->named_parameters()["fc.bias"]));
  }
}

TEST_CASE("an optimizer captured untouched is the one that was read") {
  for (const Run& run : runs()) {
    INFO(run.kind);
    const Model model = model_of(run);
    const auto module = to_module(model);
    const Model captured = capture(*module, *to_optimizer(model, *module));
    const Optimizer& before = *model.training->optimizer;
    const Optimizer& after = *captured.training->optimizer;
    CHECK(after.kind == before.kind);
    CHECK((after.hyperparameters == before.hyperparameters));
    CHECK((after.groups == before.groups));
    REQUIRE(after.slots.size() == before.slots.size());
    for (const auto& [name, slots] : before.slots) {
      REQUIRE(after.slots.at(name).size() == slots.size());
      for (std::size_t i = 0; i < slots.size(); ++i) {
        CHECK(after.slots.at(name)[i].name == slots[i].name);
        CHECK(bit_equal(after.slots.at(name)[i].tensor, slots[i].tensor));
      }
    }
  }
}

TEST_CASE("parameter groups have settings of their own") {
  Model model = model_of(runs()[0]);
  Json::Object second = model.training->optimizer->groups[0];
  model.training->optimizer->groups[0].set("params", Json::Array{"fc.bias"});
  second.set("params", Json::Array{"fc.weight"});
  second.set("lr", 0.0);
  second.set("momentum", 0.0);
  second.set("nesterov", false);
  model.training->optimizer->groups.push_back(second);
  const auto module = to_module(model);
  const auto optimizer = to_optimizer(model, *module);
  REQUIRE(optimizer->param_groups().size() == 2);
  CHECK(optimizer->param_groups()[0].options().get_lr() == 0.05);
  train(*module, *optimizer, 1);
  CHECK(bit_equal(from_torch(module->named_parameters()["fc.weight"]), *model.weights.find("fc.weight")));
  CHECK_FALSE(bit_equal(from_torch(module->named_parameters()["fc.bias"]), *model.weights.find("fc.bias")));
}

TEST_CASE("a setting of the first group may be stated twice, but alike") {
  Model model = model_of(runs()[0]);
  Optimizer& saved = *model.training->optimizer;
  saved.hyperparameters.set("lr", 0.5);
  CHECK_THROWS_AS(resume(model), UsageError);
  CHECK_THROWS_WITH(resume(model),
                    "the optimizer SGD: lr is 0.5 in its hyperparameters and 0.05 in groups[0], though they are that "
                    "group's; change both");
  saved.groups[0].erase("lr");
  CHECK(resume(model)->param_groups()[0].options().get_lr() == 0.5);
}

TEST_CASE("an optimizer made by hand can be captured") {
  const auto module = to_module(model_of(runs()[0]));
  torch::optim::Adam optimizer(module->parameters(), torch::optim::AdamOptions(0.25));
  train(*module, optimizer, 1);
  const Model captured = capture(*module, optimizer);
  const Optimizer& saved = *captured.training->optimizer;
  CHECK(saved.kind == "Adam");
  CHECK(saved.hyperparameters.find("lr")->as_float() == 0.25);
  CHECK((saved.groups.at(0).find("params")->as_array() == Json::Array{"fc.weight", "fc.bias"}));
  CHECK(saved.slots.at("fc.weight").at(0).name == "step");
  CHECK(saved.slots.at("fc.weight").at(0).tensor.values<float>() == std::vector<float>{1.0f});

  torch::optim::SGD other(std::vector<torch::Tensor>{torch::ones({2}, torch::requires_grad())}, 0.1);
  CHECK_THROWS_WITH(capture(*module, other), "the optimizer holds a parameter that is not the module's");
}

TEST_CASE("what nothing computes with is counted all the same") {
  Model model = model_of(runs()[1]);
  Optimizer& saved = *model.training->optimizer;
  model.architecture->unused = {"aux"};
  model.weights.set("aux", from_torch(random({3})));
  const Json names = Json::Array{"fc.weight", "aux", "fc.bias"};
  saved.groups[0].set("params", names);
  saved.groups[0].set("param_names", names);
  saved.slots["aux"] = {{"step", from_torch(torch::tensor(3.0f))}};
  const auto module = to_module(model);
  const auto optimizer = to_optimizer(model, *module);
  CHECK(optimizer->param_groups().at(0).params().size() == 2);
  train(*module, *optimizer, 1);
  const Optimizer captured = *capture(*module, *optimizer).training->optimizer;
  CHECK(captured.groups.at(0).at("params") == names);
  CHECK(captured.groups.at(0).at("param_names") == names);
  CHECK(bit_equal(captured.slots.at("aux").at(0).tensor, saved.slots["aux"][0].tensor));
}

TEST_CASE("an optimizer may train some of the parameters") {
  Model model = model_of(runs()[1]);
  model.training->optimizer->groups[0].set("params", Json::Array{"fc.bias"});
  model.training->optimizer->slots.erase("fc.weight");
  const auto module = to_module(model);
  const auto optimizer = to_optimizer(model, *module);
  train(*module, *optimizer, 1);
  CHECK(bit_equal(from_torch(module->named_parameters()["fc.weight"]), *model.weights.find("fc.weight")));
  CHECK_FALSE(bit_equal(from_torch(module->named_parameters()["fc.bias"]), *model.weights.find("fc.bias")));
  CHECK((capture(*module, *optimizer).training->optimizer->groups.at(0).at("params") == Json(Json::Array{"fc.bias"})));
}

TEST_CASE("an optimizer that was given a part of the parameters keeps to it") {
  const Model model = model_of(runs()[1]);
  const auto module = to_module(model);
  torch::optim::SGD optimizer({module->named_parameters()["fc.bias"]}, torch::optim::SGDOptions(0.1).momentum(0.9));
  train(*module, optimizer, 1);
  const Model captured = capture(*module, optimizer);
  const Json bias = Json::Array{"fc.bias"};
  CHECK(captured.training->optimizer->groups.at(0).at("params") == bias);
  CHECK(captured.training->optimizer->groups.at(0).at("param_names") == bias);
  const auto again = to_module(captured);
  CHECK(to_optimizer(captured, *again)->param_groups().at(0).params().size() == 1);
}

TEST_CASE("an optimizer made by hand lists parameters in PyTorch's order of registration") {
  Model model = ModelBuilder()
                    .input("x", {Size::symbol("batch"), 2})
                    .layer("first", "Linear", {{"in_features", 2}, {"out_features", 2}}, {{"x"}})
                    .layer("last", "Linear", {{"in_features", 2}, {"out_features", 2}}, {{"first"}})
                    .output({"last"})
                    .build();
  model.architecture->state_dict = {"last.weight", "last.bias", "first.weight", "first.bias"};
  const auto module = to_module(model);
  torch::optim::SGD optimizer(module->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  train(*module, optimizer, 1);
  const Optimizer captured = *capture(*module, optimizer).training->optimizer;
  CHECK(captured.groups.at(0).at("params") == Json::array(model.architecture->state_dict));
  CHECK(captured.slots.size() == 4);
}

TEST_CASE("an optimizer whose parameters have no names is refused, and says why") {
  Model model = model_of(runs()[1]);
  model.training->optimizer->groups[0].set("params", Json::Array{0, 1});
  CHECK_THROWS_WITH(resume(model),
                    "the optimizer's parameters go by number, 0: load its architecture beside it, or "
                    "state their names (LoadOptions::param_order)");
  model.training->optimizer.reset();
  model.optimizer_left_out = "number 0 could be 'a' or 'b'";
  CHECK_THROWS_AS(resume(model), Unsupported);
  CHECK_THROWS_WITH(resume(model), "the optimizer cannot be kept: number 0 could be 'a' or 'b'");
}

TEST_CASE("what LibTorch's optimizers lack is refused by name") {
  CHECK_NOTHROW(resume(sgd_with("foreach", true)));
  CHECK_NOTHROW(resume(sgd_with("initial_lr", 0.1)));
  CHECK_THROWS_AS(resume(sgd_with("maximize", true)), Unsupported);
  CHECK_THROWS_WITH(resume(sgd_with("maximize", true)),
                    "optimizer SGD, \"maximize\" is true, which LibTorch does not have");
  CHECK_THROWS_WITH(resume(sgd_with("wobble", 3)), "optimizer SGD, \"wobble\" is 3, which LibTorch does not have");
  Model model = model_of(runs()[0]);
  model.training->optimizer->kind = "NAdam";
  CHECK_THROWS_AS(resume(model), Unsupported);
  CHECK_THROWS_WITH(resume(model), "the optimizer is NAdam; LibTorch can resume SGD, Adam, AdamW, RMSprop, Adagrad");
  model.training->optimizer.reset();
  CHECK_THROWS_AS(resume(model), UsageError);
}

TEST_CASE("state that fits nothing is refused") {
  Model model = model_of(runs()[1]);
  model.training->optimizer->slots["fc.weight"].pop_back();
  CHECK_THROWS_WITH(resume(model), "the optimizer's state of \"fc.weight\": \"max_exp_avg_sq\" is missing");
  model = model_of(runs()[1]);
  model.training->optimizer->slots["fc.weight"][1].tensor = from_torch(random({3}));
  CHECK_THROWS_WITH(resume(model),
                    "the optimizer's state of \"fc.weight\": \"exp_avg\": it has shape (3,), expected (1, 2)");
  model = model_of(runs()[1]);
  model.training->optimizer->slots["fc.other"] = model.training->optimizer->slots["fc.weight"];
  CHECK_THROWS_WITH(resume(model), "the optimizer has state for \"fc.other\", which is no parameter of the model");
}

namespace {

// An Adam of Keras's, as it stands in a model that was read from its file.
Model keras_adam(const Json::Object& settings) {
  Model model = model_of(runs()[1]);
  Optimizer& saved = *model.training->optimizer;
  saved.keras = {{"name", "adam"}, {"learning_rate", 0.02}, {"epsilon", 1e-7}, {"weight_decay", nullptr}};
  for (const auto& [name, value] : settings) saved.keras.set(name, value);
  saved.groups[0].set("keras", Json::Object{{"class_name", "Adam"}, {"config", saved.keras}});
  return model;
}

std::vector<std::string> notes_on(const Model& model) {
  std::vector<std::string> notes;
  to_optimizer(model, *to_module(model), &notes);
  return notes;
}

}  // namespace

TEST_CASE("what an optimizer of Keras's does and LibTorch's does not is noted") {
  using Notes = std::vector<std::string>;
  CHECK(notes_on(keras_adam({})) == Notes{});
  CHECK(notes_on(model_of(runs()[1])) == Notes{});  // PyTorch's own
  CHECK(notes_on(keras_adam({{"clipnorm", 0.5}})) ==
        Notes{"the optimizer's clipnorm = 0.5 is left out: in PyTorch, that is torch.nn.utils.clip_grad_norm_ on each "
              "parameter, before step()"});
  CHECK(notes_on(keras_adam({{"clipvalue", 0.25}, {"use_ema", true}})) ==
        Notes{"the optimizer's clipvalue = 0.25 is left out: in PyTorch, that is torch.nn.utils.clip_grad_value_ "
              "before step()",
              "the optimizer's use_ema = true is left out: in PyTorch, that is torch.optim.swa_utils.AveragedModel"});
  const Json schedule =
      Json::Object{{"class_name", "ExponentialDecay"},
                   {"config", Json::Object{{"initial_learning_rate", 0.02}, {"decay_steps", 10}, {"decay_rate", 0.5}}}};
  CHECK(notes_on(keras_adam({{"learning_rate", schedule}})) ==
        Notes{"the optimizer's schedule ExponentialDecay is left out: lr is 0.02, what it gives now"});
  CHECK(notes_on(keras_adam({{"weight_decay", 0.125}})) ==
        Notes{"the optimizer's weight_decay = 0.125 is left out: Keras's Adam shrinks the weights by it, and PyTorch's "
              "Adam would add it to the gradient"});
  CHECK(notes_on(keras_adam({{"epsilon", 0.01}})).size() == 1);
}

TEST_CASE("what Keras adds to the loss is noted with its optimizer, and without it is not") {
  Model model = keras_adam({});
  model.architecture->layers[0].keras.config.set("kernel_regularizer", Json::Object{{"class_name", "L2"}});
  const std::vector<std::string> notes = notes_on(model);
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Catch::Contains("kernel_regularizer of \"fc\""));
  CHECK_NOTHROW(to_optimizer(model, *to_module(model)));  // nobody asks for notes
  model.training->optimizer = model_of(runs()[1]).training->optimizer;
  CHECK(notes_on(model).empty());
}

}  // namespace h5bridge::testing
