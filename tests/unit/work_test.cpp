// How the work of a conversion grows with the model: counted at two sizes, never timed.
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "convert/architecture_json.h"
#include "convert/formats/format.h"
#include "h5bridge/h5bridge.h"
#include "model/work_counts.h"
#include "passes/infer_shapes.h"
#include "passes/network_difference.h"
#include "paths.h"
#include "random_tensors.h"
#include "temporary_folder.h"

using namespace h5bridge;
using h5bridge::testing::random_tensor;

namespace {

// A chain of `count` dense layers. The first is called twice, so that no other layer stands at the place of its call.
Model chain(int count) {
  Json::Array layers;
  std::string last = "x";
  const auto add = [&](Json::Object entry, const std::string& name) {
    entry.set("name", name);
    entry.set("inputs", Json::Array{last});
    layers.push_back(std::move(entry));
    last = name;
  };
  const Json::Object linear{{"type", "Linear"}, {"attributes", Json::Object{{"in_features", 3}, {"out_features", 3}}}};
  for (int i = 0; i < count; ++i) {
    add(linear, "fc" + std::to_string(i));
    if (i == 0) add({{"call", "fc0"}}, "fc0_again");
    add({{"type", "ReLU"}}, "act" + std::to_string(i));
  }
  Model model;
  model.architecture = architecture_from_json(
      Json::Object{{"h5bridge", 1},
                   {"name", "chain"},
                   {"inputs", Json::Array{Json::Object{{"name", "x"}, {"shape", Json::Array{"batch", 3}}}}},
                   {"layers", std::move(layers)},
                   {"outputs", Json::Array{last}}});
  for (int i = 0; i < count; ++i) {
    const std::string name = "fc" + std::to_string(i);
    model.weights.add(name + ".weight", random_tensor(DType::Float32, {3, 3}));
    model.weights.add(name + ".bias", random_tensor(DType::Float32, {3}));
  }
  return model;
}

Json dense(const std::string& name) {
  return Json::Object{
      {"module", "keras.layers"},
      {"class_name", "Dense"},
      {"config", Json::Object{{"name", name}, {"units", 3}, {"activation", "linear"}, {"use_bias", true}}}};
}

Json sequential(const std::string& name, Json::Array layers) {
  layers.insert(
      layers.begin(),
      Json::Object{{"module", "keras.layers"},
                   {"class_name", "InputLayer"},
                   {"config", Json::Object{{"name", name + "_in"}, {"batch_shape", Json::Array{nullptr, 4, 3}}}}});
  return Json::Object{{"module", "keras"},
                      {"class_name", "Sequential"},
                      {"config", Json::Object{{"name", name}, {"layers", std::move(layers)}}}};
}

// A Keras model of `count` blocks: a model with another in it, and a wrapper.
Model nested(int count) {
  Json::Array layers;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    layers.push_back(sequential("block" + number, {dense("a"), sequential("inner", {dense("b")})}));
    layers.push_back(Json::Object{{"module", "keras.layers"},
                                  {"class_name", "TimeDistributed"},
                                  {"config", Json::Object{{"name", "steps" + number}, {"layer", dense("c")}}}});
  }
  const TemporaryFolder folder;
  const std::string path = folder / "nested.json";
  std::ofstream(path) << sequential("nested", std::move(layers)).dump();
  Model model = load(path);
  for (const NamedParameter& parameter : parameters_of(*model.architecture))
    model.weights.add(parameter.name, random_tensor(DType::Float32, parameter.spec.shape));
  return model;
}

Work since(const Work& before) {
  const Work& now = work();
  return {now.names_compared - before.names_compared,       now.hdf5_uses - before.hdf5_uses,
          now.models_planned - before.models_planned,       now.calls_lowered - before.calls_lowered,
          now.containers_opened - before.containers_opened, now.trees_parsed - before.trees_parsed};
}

// From PyTorch's files to Keras's, of this suffix, and back.
Work work_of(const Model& model, const std::string& suffix) {
  const TemporaryFolder folder;
  const Work before = work();
  const std::string json = folder / "model.json", pth = folder / "model.pth", keras = folder / ("model" + suffix);
  save(model, {json, pth});
  save(load({json, pth}), keras);
  save(load(keras), {json, pth});
  return since(before);
}

void check_growth(Model make(int), const std::string& suffix) {
  const Work small = work_of(make(60), suffix), large = work_of(make(120), suffix);
  INFO(small.names_compared << " and " << large.names_compared << " names, " << small.hdf5_uses << " and "
                            << large.hdf5_uses << " uses of HDF5");
  CHECK(small.hdf5_uses > 60);
  CHECK(small.calls_lowered >= 60);
  CHECK(large.names_compared <= 2 * small.names_compared + 100);
  CHECK(large.hdf5_uses <= 2 * small.hdf5_uses + 100);
  CHECK(large.calls_lowered <= 2 * small.calls_lowered);
}

// `trees`: the layers of Keras's configuration, and its calls where we left no architecture in the file.
void check_plans_nothing(const std::vector<std::string>& sources, int trees) {
  INFO(sources.back());
  const Work before = work();
  const Model model = load(sources);
  const Work read = since(before);
  CHECK(!model.weights.empty());
  CHECK(read.models_planned == 0);
  CHECK(read.calls_lowered == 0);
  CHECK(read.trees_parsed == trees);
}

}  // namespace

TEST_CASE("the work of a conversion grows as its model does", "[work]") {
  for (const char* suffix : {".h5", ".keras"}) {
    check_growth(chain, suffix);
    check_growth(nested, suffix);
  }
}

TEST_CASE("the work of comparing two networks grows as they do", "[work]") {
  const auto names_compared = [](Model make(int), int count) {
    const Architecture architecture = make(count).architecture.value();
    const Work before = work();
    CHECK(network_differences(architecture, architecture).empty());
    return since(before).names_compared;
  };
  for (const auto& make : {chain, nested}) CHECK(names_compared(make, 120) <= 2 * names_compared(make, 60) + 100);
}

TEST_CASE("what is read of Keras is not planned as if to be written", "[work]") {
  const TemporaryFolder folder;
  for (const char* suffix : {".h5", ".keras"}) {
    const std::string ours = folder / (std::string("ours") + suffix);
    save(chain(3), {ours});
    check_plans_nothing({ours}, 1);
    save(nested(3), {ours});  // which was Keras's, and describes itself
    check_plans_nothing({ours}, 2);
  }
  for (const char* network : {"my_keras_model", "mosaic", "dialects/keras_2_0", "dialects/tf_keras_2_15"})
    check_plans_nothing({std::string(TESTDATA) + "/" + network + "/model.h5"}, 2);
}

TEST_CASE("what was read to tell a file's format is not read again", "[work]") {
  const auto containers_opened = [](const std::string& path) {
    const Work before = work();
    const SourceFile file(path);
    recognise(file).read(file, {});
    return since(before).containers_opened;
  };
  const TemporaryFolder folder;
  const Model model = chain(3);
  for (const char* suffix : {".json", ".pth", ".ts", ".h5", ".weights.h5", ".keras"}) {
    INFO(suffix);
    const std::string path = folder / (std::string("model") + suffix);
    save(model, {path});
    CHECK(containers_opened(path) == (std::string_view(suffix) == ".keras" ? 2 : 1));  // that has an HDF5 file in it
  }
  // With sample inputs, which are an archive in the archive.
  CHECK(containers_opened(std::string(TESTDATA) + "/published_networks/transformers_bert.pt2") == 2);
}
