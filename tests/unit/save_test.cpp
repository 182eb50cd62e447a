// What save refuses before it writes: a model that somebody made or changed by hand.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"
#include "passes/infer_shapes.h"
#include "paths.h"
#include "pytorch/file.h"
#include "temporary_folder.h"

using namespace h5bridge;

namespace {

const std::vector<std::string> kDestinations{"model.h5", "model.pth", "model.safetensors", "model.json"};

Model small_model() { return load({TESTDATA "/my_model/model.json", TESTDATA "/my_model/model.pth"}); }

Weights without(const Weights& weights, const std::string& dropped) {
  Weights result;
  for (const auto& [name, tensor] : weights)
    if (name != dropped) result.add(name, tensor);
  return result;
}

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Whatever the destination, and whatever stands there already.
void check_refused(const Model& model, const std::string& problem) {
  const TemporaryFolder folder;
  for (const std::string& name : kDestinations) {
    INFO(name);
    const std::string path = folder / name;
    std::ofstream(path) << "old";
    CHECK_THROWS_AS(save(model, path), MalformedFile);
    CHECK_THROWS_WITH(save(model, path), path + ": the tensors do not fit the architecture: " + problem);
    CHECK(content(path) == "old");
  }
  const auto entries = std::filesystem::directory_iterator(folder / "");
  CHECK(static_cast<std::size_t>(std::distance(begin(entries), end(entries))) == kDestinations.size());
}

}  // namespace

TEST_CASE("save refuses a tensor of another shape", "[save]") {
  Model model = small_model();
  const auto& [name, tensor] = *model.weights.begin();
  const std::string expected = to_string(tensor.shape());
  model.weights.set(name, zeros(DType::Float32, {3, 7}));
  check_refused(model, "misshapen: " + model.weights.begin()->name + " has shape (3, 7), expected " + expected);
}

TEST_CASE("save refuses a model that misses a tensor", "[save]") {
  Model model = small_model();
  const std::string dropped = model.weights.begin()->name;
  model.weights = without(model.weights, dropped);
  check_refused(model, "missing: " + dropped);
}

TEST_CASE("save refuses integers where floating-point numbers belong", "[save]") {
  Model model = small_model();
  const std::string name = model.weights.begin()->name;
  model.weights.set(name, zeros(DType::Int64, model.weights.begin()->tensor.shape()));
  check_refused(model, "misshapen: " + name + " has dtype int64, expected a floating-point one");
}

TEST_CASE("save refuses names of tensors that there are not", "[save]") {
  const auto is_refused = [](const Model& model, const std::string& problem) {
    const TemporaryFolder folder;
    for (const std::string& name : kDestinations)
      CHECK_THROWS_WITH(save(model, folder / name), Catch::Contains(problem));
  };
  Model model = small_model();
  const std::string last = std::prev(model.weights.end())->name;
  model.trainable[last + "t"] = false;
  is_refused(model, "trainable has \"" + last + "t\", which is no tensor of the model");
  model.trainable.erase(last + "t");
  model.architecture->frozen = {"typo"};
  is_refused(model, "\"frozen\" has \"typo\", which is no tensor of the network");
  model.architecture->frozen.clear();
  model.training.emplace().optimizer.emplace().kind = "SGD";
  model.training->optimizer->slots["typo"] = {{"momentum_buffer", zeros(DType::Float32, {1})}};
  is_refused(model, "the optimizer's state has \"typo\", which is no tensor of the model");
}

TEST_CASE("what is frozen in part of a layer of Keras's comes back from its files", "[save]") {
  for (const std::string name : {"model.keras", "model.h5"}) {
    const TemporaryFolder folder;
    Model model = load(TESTDATA "/mosaic/model.h5");
    const auto bias = std::ranges::find_if(
        model.weights, [&](const NamedTensor& t) { return t.name.ends_with(".bias") && model.trainable.at(t.name); });
    REQUIRE(bias != model.weights.end());
    model.trainable[bias->name] = false;
    save(model, folder / name);
    const Model back = load(folder / name);
    CHECK(back.trainable == model.trainable);
    CHECK(back.framework == Framework::Keras);
  }
}

TEST_CASE("save names the layer of a made architecture that lacks an attribute", "[save]") {
  const TemporaryFolder folder;
  Model model = small_model();
  const auto linear = std::ranges::find(model.architecture->layers, "Linear", &Layer::type);
  REQUIRE(linear != model.architecture->layers.end());
  linear->attributes = {};
  for (const std::string& name : kDestinations) {
    CHECK_THROWS_AS(save(model, folder / name), UsageError);
    CHECK_THROWS_WITH(
        save(model, folder / name),
        Catch::Contains("layer \"" + linear->name + "\" (Linear): Linear needs the attribute \"in_features\""));
  }
}

TEST_CASE("save refuses a graph that uses what nothing makes", "[save]") {
  const TemporaryFolder folder;
  Model model = small_model();
  model.architecture->nodes.back().arguments = {Value{"nowhere"}};
  for (const std::string& name : kDestinations) {
    CHECK_THROWS_AS(save(model, folder / name), MalformedFile);
    CHECK_THROWS_WITH(save(model, folder / name),
                      Catch::Contains("uses \"nowhere\", which no input or earlier layer makes"));
  }
  CHECK(std::filesystem::is_empty(folder / ""));
}

TEST_CASE("save names the attribute that a type does not have, or that has another kind", "[save]") {
  const TemporaryFolder folder;
  const auto check = [&](const std::string& attribute, const AttributeValue& value, const std::string& problem) {
    INFO(attribute);
    Model model = small_model();
    Layer& linear = *std::ranges::find(model.architecture->layers, "Linear", &Layer::type);
    linear.attributes.set(attribute, value);
    for (const std::string& name : kDestinations) {
      CHECK_THROWS_AS(save(model, folder / name), UsageError);
      CHECK_THROWS_WITH(save(model, folder / name), "layer \"" + linear.name + "\" (Linear): " + problem);
    }
    CHECK_THROWS_WITH(in_torch_layout(model), "layer \"" + linear.name + "\" (Linear): " + problem);
  };
  check("epsilon", 1., "Linear has no attribute \"epsilon\"");
  check("out_features", 16., "attribute \"out_features\": expected an integer, found a float");
  check("bias", std::int64_t{1}, "attribute \"bias\": expected a boolean, found an integer");
  check("activation", std::monostate{}, "attribute \"activation\": expected a string, found null");
  Model model = load({TESTDATA "/digits/model.json", TESTDATA "/digits/model.pth"});
  Layer& norm = *std::ranges::find_if(model.architecture->layers,
                                      [](const Layer& layer) { return layer.attributes.contains("eps"); });
  norm.attributes.set("eps", std::int64_t{1});
  CHECK_THROWS_AS(save(model, folder / "model.h5"), UsageError);
  CHECK_THROWS_WITH(
      save(model, folder / "model.h5"),
      "layer \"" + norm.name + "\" (" + norm.type + "): attribute \"eps\": is 1 as a std::int64_t, expected a double");
  CHECK(std::filesystem::is_empty(folder / ""));
}

TEST_CASE("attributes that a made architecture does not set are at their defaults", "[save]") {
  const TemporaryFolder folder;
  const Model model = small_model();
  Model sparse = model;
  for (Layer& layer : sparse.architecture->layers) {
    Attributes own;
    for (const std::string name : {"in_features", "out_features"})
      if (layer.attributes.contains(name)) own.set(name, layer.attributes.at(name));
    layer.attributes = own;
  }
  REQUIRE_FALSE(sparse.architecture == model.architecture);
  for (const std::string& name : kDestinations) save(sparse, folder / name);
  CHECK(load({folder / "model.json", folder / "model.pth"}).architecture == model.architecture);
  CHECK(load(folder / "model.h5").architecture == model.architecture);
  CHECK(in_torch_layout(sparse).architecture == model.architecture);
}

TEST_CASE("weights without an architecture beside them say what they leave out of freezing", "[save]") {
  const TemporaryFolder folder;
  Model model = small_model();
  const std::vector<std::string> none;
  CHECK(save(model, {folder / "model.pth", folder / "model.safetensors"}) == none);
  const std::string first = model.weights.begin()->name, second = std::next(model.weights.begin())->name;
  for (const bool by_architecture : {false, true}) {
    Model frozen = model;
    if (by_architecture)
      frozen.architecture->frozen = {first, second};
    else
      frozen.trainable = {{first, false}, {second, false}};
    for (const std::string name : {"model.pth", "model.safetensors"}) {
      const std::string path = folder / name;
      const std::string note = "left out: requires_grad=False of " + std::min(first, second) + ", " +
                               std::max(first, second) + "; an architecture (.json) beside it says so";
      CHECK(save(frozen, path) == std::vector<std::string>{path + ": " + note});
      CHECK_THROWS_AS(save(frozen, path, {.lossless = true}), Unsupported);
      CHECK_THROWS_WITH(save(frozen, path, {.lossless = true}), path + ": " + note + " (SaveOptions::lossless)");
      CHECK(save(frozen, {path, folder / "model.json"}, {.lossless = true}) == none);
      CHECK(load({path, folder / "model.json"}).trainable ==
            std::map<std::string, bool>{{first, false}, {second, false}});
    }
    // Model::trainable counts first.
    frozen.trainable = {{first, true}, {second, true}};
    CHECK(save(frozen, folder / "model.pth") == none);
  }
}

TEST_CASE("what Keras never trains is a buffer, and nothing that was frozen", "[save]") {
  const TemporaryFolder folder;
  const Model model = load(TESTDATA "/mosaic/model.h5");
  REQUIRE(std::ranges::any_of(model.trainable, [](const auto& said) { return !said.second; }));
  for (const std::string& note : save(model, folder / "model.pth")) CHECK_THAT(note, !Catch::Contains("requires_grad"));
}

TEST_CASE("a setting of an optimizer that is stated twice has to be stated alike", "[save]") {
  const TemporaryFolder folder;
  const Model model = load({TESTDATA "/the_model_class/model.json", TESTDATA "/the_model_class/model.pth"});
  const Json lr = model.training->optimizer->hyperparameters.at("lr");
  Model changed = model;
  changed.training->optimizer->hyperparameters.set("lr", 0.5);
  const std::string problem = "the optimizer SGD: lr is 0.5 in its hyperparameters and " + lr.dump() +
                              " in groups[0], though they are that group's; change both";
  for (const std::string name : {"model.h5", "model.pth"}) {
    CHECK_THROWS_AS(save(changed, folder / name, {.checkpoint = true}), UsageError);
    CHECK_THROWS_WITH(save(changed, folder / name, {.checkpoint = true}), problem);
    CHECK_NOTHROW(save(changed, folder / name, {.optimizer = false}));
  }
  // Either place alone will do.
  changed.training->optimizer->groups[0].erase("lr");
  save(changed, folder / "model.pth", {.checkpoint = true});
  CHECK(load({TESTDATA "/the_model_class/model.json", folder / "model.pth"}).training->optimizer->groups[0].at("lr") ==
        Json(0.5));
  changed.training->optimizer->groups[0].erase("params");
  CHECK_THROWS_WITH(save(changed, folder / "model.pth", {.checkpoint = true}),
                    "the optimizer SGD: its groups[0] has no \"params\"");
}

TEST_CASE("a setting of an optimizer of Keras's that was changed is written, and what was not goes back as it was",
          "[save]") {
  const TemporaryFolder folder;
  const Model model = load(TESTDATA "/my_keras_model/model.h5");
  Model changed = model;
  for (Json::Object* settings :
       {&changed.training->optimizer->hyperparameters, &changed.training->optimizer->groups[0]})
    settings->set("lr", 0.25);
  save(changed, folder / "changed.h5");
  save(model, folder / "same.h5");
  const Optimizer read = *load(folder / "changed.h5").training->optimizer;
  CHECK(read.hyperparameters.at("lr") == Json(0.25));
  CHECK(read.slots.size() == model.training->optimizer->slots.size());
  const Optimizer same = *load(folder / "same.h5").training->optimizer;
  CHECK(same.keras == model.training->optimizer->keras);
  CHECK(same.hyperparameters == model.training->optimizer->hyperparameters);
}

TEST_CASE("momentum at a learning rate of 0, in units of which Keras has it, is said and comes home", "[save]") {
  const TemporaryFolder folder;
  Model model = load({TESTDATA "/the_model_class/model.json", TESTDATA "/the_model_class/model.pth"});
  Optimizer& optimizer = *model.training->optimizer;
  for (Json::Object* settings : {&optimizer.hyperparameters, &optimizer.groups[0]}) settings->set("lr", 0.0);
  const std::vector<std::string> notes = save(model, folder / "model.h5");
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Catch::EndsWith("the optimizer's momentum_buffer is 0 in Keras, which has it in units of the "
                                       "learning rate, and that is 0"));
  CHECK_THROWS_AS(save(model, folder / "refused.h5", {.lossless = true}), Unsupported);
  const Optimizer home = *load(folder / "model.h5").training->optimizer;
  CHECK(home.hyperparameters.at("lr") == Json(0.0));
  REQUIRE_FALSE(optimizer.slots.empty());
  for (const auto& [parameter, slots] : optimizer.slots)
    for (std::size_t i = 0; i < slots.size(); ++i) {
      INFO(parameter);
      CHECK(bit_equal(home.slots.at(parameter).at(i).tensor, slots[i].tensor));
    }
}

TEST_CASE("a slot of an optimizer that is shaped otherwise than its parameter is refused", "[save]") {
  const TemporaryFolder folder;
  const Model model = load({TESTDATA "/the_model_class/model.json", TESTDATA "/the_model_class/model.pth"});
  Model changed = model;
  auto& [name, slots] = *changed.training->optimizer->slots.begin();
  REQUIRE(slots.at(0).name == "momentum_buffer");
  slots[0].tensor = zeros(DType::Float32, {3, 7});
  const std::string problem = "the optimizer's momentum_buffer of " + name + " has shape (3, 7), expected " +
                              to_string(model.weights.find(name)->shape()) + ", its parameter's";
  for (const std::string file : {"model.h5", "model.pth"}) {
    CHECK_THROWS_AS(save(changed, folder / file, {.checkpoint = true}), MalformedFile);
    CHECK_THROWS_WITH(save(changed, folder / file, {.checkpoint = true}), problem);
  }
  save(changed, folder / "model.pth", {.optimizer = false});
  // In a file, where the optimizer names its parameters.
  Json::Object& group = changed.training->optimizer->groups.at(0);
  group.set("param_names", group.at("params"));
  std::ofstream file(folder / "wrong.pth", std::ios::binary);
  write_torch_file(changed, file, {.checkpoint = true, .optimizer = true});
  file.close();
  const std::string wrong = folder / "wrong.pth";
  CHECK_THROWS_AS(load(wrong), MalformedFile);
  CHECK_THROWS_WITH(load(wrong), wrong + ": " + problem);
  CHECK_NOTHROW(load(wrong, {.optimizer = false}));
  // With an architecture it is one of other parameters, maybe: left out, and a note says why.
  const Model beside = load({TESTDATA "/the_model_class/model.json", wrong});
  CHECK_FALSE((beside.training && beside.training->optimizer));
  CHECK_THAT(beside.optimizer_left_out, Catch::Contains("the state of '" + name + "' has the shape (3, 7)"));
}

TEST_CASE("a model of Keras's for which Keras needs other layers since it was changed comes back", "[save]") {
  const TemporaryFolder folder;
  Model model = load(TESTDATA "/golden/masks/source.h5");
  Layer& cells = *model.architecture->find_layer("cells");
  REQUIRE(cells.attributes.integer("num_layers") == 2);
  cells.attributes.set("dropout", .3);
  save(model, folder / "model.h5");
  const Model back = load(folder / "model.h5");
  for (const auto& [name, value] : cells.attributes)
    CHECK(back.architecture->find_layer("cells")->attributes.at(name) == value);
  REQUIRE(back.weights.size() == model.weights.size());
  for (const auto& [name, tensor] : model.weights) {
    INFO(name);
    REQUIRE(back.weights.find(name));
    CHECK(bit_equal(*back.weights.find(name), tensor));
  }
  // One that was not changed says all in Keras's own words.
  save(load(TESTDATA "/golden/masks/source.h5"), folder / "same.h5");
  CHECK_FALSE(read_keras_h5(folder / "same.h5").extra.find("architecture"));
}

TEST_CASE("each half of a model can be saved alone", "[save]") {
  const TemporaryFolder folder;
  const Model model = small_model();
  Model half = model;
  half.weights = {};
  save(half, folder / "half.json");
  CHECK(load(folder / "half.json").architecture == model.architecture);
  CHECK_THROWS_AS(save(half, folder / "half.pth"), UsageError);
  half = model;
  half.architecture.reset();
  save(half, folder / "half.pth");
  CHECK(load(folder / "half.pth").weights.size() == model.weights.size());
  CHECK_THROWS_AS(save(half, folder / "half.json"), UsageError);
}

TEST_CASE("tensors that are another name's, or carried along, are no misfits", "[save]") {
  const TemporaryFolder folder;
  Model model = small_model();
  const auto& [name, tensor] = *model.weights.begin();
  model.architecture->aliases.emplace_back("again." + name, name);
  model.weights.add("again." + name, Tensor(tensor));
  model.weights.add("extra", zeros(DType::Float32, {2}));
  for (const std::string& destination : kDestinations) save(model, folder / destination);
  CHECK(load({folder / "model.json", folder / "model.pth"}, {.allow_unexpected = true}).weights.find("extra"));
}

namespace {

// The file of a model that Keras trained: ours, without what only we put there.
std::string keras_made(const Model& model, const std::string& path) {
  save(model, path);
  KerasFile file = read_keras_h5(path);
  file.extra = {};
  file.extra_tensors.clear();
  for (KerasVariable& variable : file.optimizer) variable.tensor = variable.tensor.contiguous();
  for (KerasLayerWeights& layer : file.layers)
    for (KerasVariable& variable : layer.variables) variable.tensor = variable.tensor.contiguous();
  write_keras_h5(file, path);
  return path;
}

std::map<std::string, Tensor> optimizer_variables(const std::string& path) {
  std::map<std::string, Tensor> result;
  for (const KerasVariable& variable : read_keras_h5(path).optimizer) result.emplace(variable.path, variable.tensor);
  return result;
}

// A model with an Adam that has taken some steps.
Model trained_model() {
  Model model = small_model();
  Optimizer& optimizer = model.training.emplace().optimizer.emplace();
  optimizer.kind = "Adam";
  optimizer.hyperparameters = {{"lr", 0.5}};
  Json::Array names;
  for (const NamedParameter& parameter : parameters_of(*model.architecture)) {
    if (parameter.spec.role != Role::Parameter) continue;
    names.push_back(parameter.name);
    const Shape& shape = parameter.spec.shape;
    const std::vector<float> numbers(static_cast<std::size_t>(element_count(shape)), 0.25F);
    optimizer.slots[parameter.name] = {{"step", tensor_of<float>(DType::Float32, {}, {3})},
                                       {"exp_avg", tensor_of(DType::Float32, shape, numbers)},
                                       {"exp_avg_sq", tensor_of(DType::Float32, shape, numbers)}};
  }
  optimizer.groups = {Json::Object{{"params", std::move(names)}}};
  return model;
}

}  // namespace

TEST_CASE("state of an optimizer of Keras's that was changed is written as it is now", "[save]") {
  const TemporaryFolder folder;
  const std::string source = keras_made(trained_model(), folder / "keras.h5");
  const Model read = load(source);
  REQUIRE(read.framework == Framework::Keras);
  REQUIRE_FALSE(read.training->optimizer->keras.empty());
  save(read, folder / "same.h5");
  CHECK(optimizer_variables(folder / "same.h5") == optimizer_variables(source));

  Model changed = read;
  auto& [name, slots] = *changed.training->optimizer->slots.begin();
  for (NamedTensor& slot : slots)
    if (slot.name == "exp_avg") {
      const std::vector<float> numbers(static_cast<std::size_t>(slot.tensor.element_count()), 0.75F);
      slot.tensor = tensor_of(DType::Float32, slot.tensor.shape(), numbers);
    }
  save(changed, folder / "changed.h5");
  const Model found = load(folder / "changed.h5");
  CHECK((found.training->optimizer->keras == read.training->optimizer->keras));
  for (const auto& [parameter, kept] : changed.training->optimizer->slots)
    for (std::size_t i = 0; i < kept.size(); ++i) {
      INFO(parameter << '/' << kept[i].name);
      CHECK(bit_equal(found.training->optimizer->slots.at(parameter).at(i).tensor, kept[i].tensor));
    }
  std::size_t different = 0;
  const auto before = optimizer_variables(source);
  for (const auto& [path, tensor] : optimizer_variables(folder / "changed.h5"))
    different += bit_equal(before.at(path), tensor) ? 0 : 1;
  CHECK(different == 1);
}

TEST_CASE("a changed optimizer of Keras's keeps the state of what was frozen after it was trained", "[save]") {
  const TemporaryFolder folder;
  const std::string source = keras_made(trained_model(), folder / "keras.h5");
  KerasFile file = read_keras_h5(source);
  Json::Array& layers = file.model_config.as_object().find("config")->as_object().find("layers")->as_array();
  const auto with_weights =
      std::ranges::find_if(layers, [](const Json& layer) { return *layer.find("class_name") != Json("InputLayer"); });
  with_weights->as_object().find("config")->as_object().set("trainable", false);
  write_keras_h5(file, folder / "frozen.h5");

  Model model = load(folder / "frozen.h5");
  Optimizer& optimizer = *model.training->optimizer;
  REQUIRE(std::ranges::any_of(model.trainable, [](const auto& said) { return !said.second; }));
  REQUIRE(optimizer.slots.size() == trained_model().training->optimizer->slots.size());
  optimizer.hyperparameters.set("lr", 0.125);
  for (Json::Object& group : optimizer.groups) group.set("lr", 0.125);
  CHECK(save(model, folder / "changed.h5") == std::vector<std::string>{});
  const Optimizer found = *load(folder / "changed.h5").training->optimizer;
  CHECK(found.hyperparameters.at("lr") == Json(0.125));
  REQUIRE(found.slots.size() == optimizer.slots.size());
  for (const auto& [parameter, kept] : optimizer.slots)
    for (std::size_t i = 0; i < kept.size(); ++i)
      CHECK(bit_equal(found.slots.at(parameter).at(i).tensor, kept[i].tensor));
}
