// Keras's HDF5 files as a container: what is written comes back, where and how Keras wants it.
#include "files/keras_h5.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <random>

#include "files/hdf5.h"
#include "h5bridge/error.h"
#include "temporary_folder.h"

using namespace h5bridge;
using Catch::Matchers::Contains;
using Catch::Matchers::Message;

namespace {

Tensor random_tensor(Shape shape) {
  static std::mt19937 random(11);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = std::normal_distribution<float>()(random);
  return tensor_of(DType::Float32, std::move(shape), values);
}

KerasFile small_file() {
  KerasFile file;
  file.model_config = Json::Object{{"class_name", "Sequential"}, {"rate", 0.5}};
  file.training_config = Json::Object{{"loss", "mse"}};
  file.keras_version = "3.15.1";
  file.backend = "torch";
  file.layers = {
      {"second", {{"model/second/kernel", random_tensor({3, 2})}, {"model/second/bias", random_tensor({2})}}},
      {"dropout", {}},
      {"first", {{"first/kernel:0", random_tensor({2, 2, 1, 4})}}}};
  file.top_level = {{"scale", random_tensor({1})}};
  file.optimizer = {{"adam/iteration", tensor_of<std::int64_t>(DType::Int64, {}, {12})},
                    {"adam/m", random_tensor({3, 2})}};
  file.extra = Json::Object{{"source", "torch"}};
  file.extra_tensors = {{"layer1.0/conv.weight", random_tensor({5})}, {"half", zeros(DType::BFloat16, {3})}};
  return file;
}

void check_equal(const std::vector<KerasVariable>& a, const std::vector<KerasVariable>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].path == b[i].path);
    CHECK(bit_equal(a[i].tensor, b[i].tensor));
  }
}

void check_equal(const KerasFile& a, const KerasFile& b) {
  CHECK(a.model_config == b.model_config);
  CHECK(a.training_config == b.training_config);
  CHECK(a.keras_version == b.keras_version);
  CHECK(a.backend == b.backend);
  REQUIRE(a.layers.size() == b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    CHECK(a.layers[i].layer == b.layers[i].layer);
    check_equal(a.layers[i].variables, b.layers[i].variables);
  }
  check_equal(a.top_level, b.top_level);
  check_equal(a.optimizer, b.optimizer);
  CHECK(a.extra == b.extra);
  REQUIRE(a.extra_tensors.size() == b.extra_tensors.size());
  for (std::size_t i = 0; i < a.extra_tensors.size(); ++i) {
    CHECK(a.extra_tensors[i].name == b.extra_tensors[i].name);
    CHECK(bit_equal(a.extra_tensors[i].tensor, b.extra_tensors[i].tensor));
  }
}

void check_round_trip(const KerasFile& file) {
  const TemporaryFolder folder;
  write_keras_h5(file, folder / "a.h5");
  check_equal(read_keras_h5(folder / "a.h5"), file);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a whole model comes back", "[keras_h5]") { check_round_trip(small_file()); }

TEST_CASE("a file of weights only has its layers at the root", "[keras_h5]") {
  KerasFile file = small_file();
  file.model_config = Json();
  file.training_config = Json();
  check_round_trip(file);
  const TemporaryFolder folder;
  write_keras_h5(file, folder / "a.h5");
  CHECK(hdf5::open(folder / "a.h5").texts("layer_names") == std::vector<std::string>{"second", "dropout", "first"});
  CHECK_FALSE(hdf5::open(folder / "a.h5").has("model_weights"));
}

TEST_CASE("a model without training state or anything of ours", "[keras_h5]") {
  KerasFile file = small_file();
  file.training_config = Json();
  file.optimizer.clear();
  file.extra = Json();
  file.extra_tensors.clear();
  check_round_trip(file);
  const TemporaryFolder folder;
  write_keras_h5(file, folder / "a.h5");
  const hdf5::Group root = hdf5::open(folder / "a.h5");
  CHECK_FALSE(root.has("optimizer_weights"));
  CHECK_FALSE(root.has("h5bridge"));
  CHECK_FALSE(root.text("training_config").has_value());
  CHECK(root.group("model_weights").text("keras_version") == "3.15.1");
}

TEST_CASE("the same model gives the same file, with data of a kilobyte or more aligned to 64 bytes", "[keras_h5]") {
  const TemporaryFolder folder;
  KerasFile file = small_file();
  for (const std::int64_t width : {16, 17, 33})
    file.layers[1].variables.push_back({"dropout/v" + std::to_string(width), random_tensor({width, 16})});
  write_keras_h5(file, folder / "a.h5");
  write_keras_h5(file, folder / "b.h5");
  const std::string content = content_of(folder / "a.h5");
  CHECK(content == content_of(folder / "b.h5"));
  for (const KerasLayerWeights& layer : file.layers)
    for (const KerasVariable& variable : layer.variables) {
      const std::vector<std::byte> bytes = variable.tensor.read();
      const std::size_t at = content.find(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      REQUIRE(at != std::string::npos);
      if (bytes.size() >= 1024) CHECK(at % 64 == 0);
    }
}

TEST_CASE("a configuration of megabytes", "[keras_h5]") {
  KerasFile file = small_file();
  Json::Array layers;
  for (int i = 0; i < 45000; ++i)
    layers.emplace_back("a rather long name of a layer, number " + std::to_string(i) + "\xe2\x82\xac");
  file.model_config = Json::Object{{"layers", std::move(layers)}};
  REQUIRE(file.model_config.dump().size() > 2'000'000);
  check_round_trip(file);
}

TEST_CASE("long lists of names are split as Keras does", "[keras_h5]") {
  const TemporaryFolder folder;
  KerasFile file;
  file.model_config = Json::Object{};
  const auto weights = [&] { return hdf5::open(folder / "a.h5").group("model_weights"); };
  const auto layers = [&](std::size_t count, std::size_t width) {
    file.layers.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      file.layers.push_back({std::string(width - number.size(), 'n') + number, {}});
    }
    write_keras_h5(file, folder / "a.h5");
    check_equal(read_keras_h5(folder / "a.h5"), file);
  };
  layers(100, 645);  // 64500 bytes
  CHECK(weights().texts("layer_names")->size() == 100);
  layers(100, 646);  // numpy.array_split: two halves
  CHECK_FALSE(weights().texts("layer_names").has_value());
  CHECK(weights().texts("layer_names0")->size() == 50);
  layers(301, 600);  // 107 fit, three parts
  CHECK(weights().texts("layer_names0")->size() == 101);
  CHECK(weights().texts("layer_names1")->size() == 100);
  CHECK(weights().texts("layer_names2")->size() == 100);
  CHECK_FALSE(weights().texts("layer_names3").has_value());
  layers(5000, 5);  // short, but 16 bytes each as variable text
  CHECK(weights().texts("layer_names")->size() == 5000);

  file.layers = {{"a", {}}};
  for (int i = 0; i < 200; ++i)
    file.layers[0].variables.push_back({std::string(500, 'v') + std::to_string(i), random_tensor({1})});
  write_keras_h5(file, folder / "a.h5");
  CHECK(weights().group("a").texts("weight_names1")->size() == 100);
  check_equal(read_keras_h5(folder / "a.h5"), file);
  file.layers = {{std::string(64513, 'n'), {}}};
  CHECK_THROWS_WITH(write_keras_h5(file, folder / "a.h5"), Contains("Keras allows 64512"));
}

TEST_CASE("what Keras could not load is not written", "[keras_h5]") {
  const TemporaryFolder folder;
  const auto error_of = [&](const KerasFile& file) -> std::string {
    try {
      write_keras_h5(file, folder / "a.h5");
    } catch (const Unsupported& error) {
      CHECK_FALSE(std::filesystem::exists(folder / "a.h5"));
      return error.what();
    }
    return "no error";
  };
  KerasFile file;
  file.layers = {{"d", {{"d/kernel", zeros(DType::BFloat16, {2})}}}};
  CHECK(error_of(file) ==
        "layer \"d\": variable \"d/kernel\" is bfloat16, which Keras cannot load from an HDF5 file; float32 "
        "has all of its bits (SaveOptions::dtype)");
  file.layers = {{"d", {}}, {"d", {}}};
  CHECK(error_of(file) == "layer name \"d\" is taken");
  file.layers = {{"top_level_model_weights", {}}};
  CHECK(error_of(file) == "layer name \"top_level_model_weights\" is taken");
  file.layers = {{"d", {{"k", random_tensor({1})}, {"k", random_tensor({1})}}}};
  CHECK(error_of(file) == "layer \"d\": variable \"k\" occurs twice");
  for (const std::string bad : {"", "a//b", "/a", "a/", ".", "a/./b"}) {
    file.layers = {{"d", {{bad, random_tensor({1})}}}};
    CHECK(error_of(file) == "layer \"d\": variable \"" + bad + "\" cannot be a name in an HDF5 file");
  }
}

TEST_CASE("files that are none of Keras's, or contradict themselves", "[keras_h5]") {
  const TemporaryFolder folder;
  const auto error_of = [&](auto fill) -> std::string {
    hdf5::NewFile file(folder / "a.h5");
    fill(file.root());
    file.finish();
    try {
      read_keras_h5(folder / "a.h5");
    } catch (const MalformedFile& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(error_of([](const hdf5::NewGroup& root) { root.write("x", random_tensor({1})); }) ==
        "no Keras model: / has no attribute layer_names");
  CHECK(error_of([](const hdf5::NewGroup& root) { root.create_group("model_weights"); }) ==
        "no Keras model: /model_weights has no attribute layer_names");
  CHECK(error_of([](const hdf5::NewGroup& root) { root.set_texts("layer_names", {"a"}); }) == "/a does not exist");
  CHECK(error_of([](const hdf5::NewGroup& root) {
          root.set_texts("layer_names", {"a", "a"});
          root.create_group("a");
        }) == "/a is the group of another layer, too");
  CHECK(error_of([](const hdf5::NewGroup& root) {
          root.set_texts("layer_names", {"a"});
          root.create_group("a").set_texts("weight_names", {"k"});
        }) == "/a/k does not exist");
  CHECK(error_of([](const hdf5::NewGroup& root) {
          root.set_texts("layer_names", {"a"});
          const auto layer = root.create_group("a");
          layer.set_texts("weight_names", {"k", "k"});
          layer.write("k", random_tensor({1}));
        }) == "attribute weight_names of /a names k twice");
  CHECK_THAT(error_of([](const hdf5::NewGroup& root) {
               root.set_no_texts("layer_names");
               root.set_text("model_config", "{", hdf5::CharacterSet::Ascii);
             }),
             Contains("attribute model_config of /"));
}

TEST_CASE("truncated files are refused, whatever their length", "[keras_h5]") {
  const TemporaryFolder folder;
  write_keras_h5(small_file(), folder / "a.h5");
  const std::string content = content_of(folder / "a.h5");
  for (std::size_t size = 0; size < content.size(); size += 97) {
    std::ofstream(folder / "b.h5", std::ios::binary) << content.substr(0, size);
    REQUIRE_THROWS_AS(read_keras_h5(folder / "b.h5"), MalformedFile);
  }
}
