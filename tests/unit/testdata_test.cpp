// The networks of testdata/, made by real PyTorch and real Keras, there and back: every tensor returns bit for bit, by
// its name and in its place. tests/torch/testdata_test.cpp runs them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "temporary_folder.h"

using namespace h5bridge;
namespace fs = std::filesystem;

namespace {

std::string testdata(const std::string& name) { return std::string(TESTDATA) + "/" + name; }

void check_equal(const NamedTensor& a, const NamedTensor& b) {
  INFO(a.name);
  CHECK(a.name == b.name);
  CHECK(bit_equal(a.tensor, b.tensor));
}

template <typename Tensors>
void check_equal(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() > 0);
  REQUIRE(a.size() == b.size());
  for (auto left = a.begin(), right = b.begin(); left != a.end(); ++left, ++right) check_equal(*left, *right);
}

void check_equal(const Optimizer& a, const Optimizer& b) {
  CHECK(a.kind == b.kind);
  CHECK(a.hyperparameters == b.hyperparameters);
  CHECK(a.groups == b.groups);
  REQUIRE(a.slots.size() == b.slots.size());
  for (const auto& [name, tensors] : a.slots) {
    INFO(name);
    check_equal(tensors, b.slots.at(name));
  }
}

void check_equal(const std::vector<KerasVariable>& a, const std::vector<KerasVariable>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    check_equal(NamedTensor{a[i].path, a[i].tensor}, NamedTensor{b[i].path, b[i].tensor});
}

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

const std::vector<std::string> kTorchNetworks{"my_model", "the_model_class", "face_net", "scan_net", "digits"};
const std::vector<std::string> kKerasNetworks{"my_keras_model", "mosaic"};

}  // namespace

TEST_CASE("PyTorch to Keras and back returns every bit", "[testdata]") {
  const TemporaryFolder folder;
  for (const std::string& network : kTorchNetworks) {
    INFO(network);
    const Model model = load({testdata(network + "/model.json"), testdata(network + "/model.pth")});
    for (const DataFormat format : {DataFormat::ChannelsLast, DataFormat::ChannelsFirst}) {
      save(model, folder / "model.h5", {.data_format = format});
      const Model keras = load(folder / "model.h5");
      save(keras, folder / "model.pth");
      check_equal(model.weights, load(folder / "model.pth").weights);
    }
  }
}

TEST_CASE("a Keras file goes home by the architecture's layer names alone", "[testdata]") {
  // As after a save by Keras, which drops all that is ours.
  const TemporaryFolder folder;
  for (const std::string& network : kTorchNetworks) {
    INFO(network);
    const Model model = load({testdata(network + "/model.json"), testdata(network + "/model.pth")});
    save(model, folder / "ours.h5");
    KerasFile file = read_keras_h5(folder / "ours.h5");
    file.extra = Json();
    file.extra_tensors.clear();
    write_keras_h5(file, folder / "keras.h5");
    const Model home = load({testdata(network + "/model.json"), folder / "keras.h5"});
    for (const NamedTensor& tensor : model.weights) {
      INFO(tensor.name);
      if (tensor.name.ends_with("num_batches_tracked")) continue;  // Keras has none
      REQUIRE(home.weights.find(tensor.name) != nullptr);
      CHECK(bit_equal(*home.weights.find(tensor.name), tensor.tensor));
    }
  }
}

TEST_CASE("Keras to PyTorch and back returns every bit and every layer's name", "[testdata]") {
  const TemporaryFolder folder;
  for (const std::string& network : kKerasNetworks) {
    INFO(network);
    const KerasFile before = read_keras_h5(testdata(network + "/model.h5"));
    const Model model = load(testdata(network + "/model.h5"));
    save(model, {folder / "model.json", folder / "model.pth"}, {.checkpoint = model.training.has_value()});
    save(load({folder / "model.pth", folder / "model.json"}), folder / "model.h5");
    const KerasFile after = read_keras_h5(folder / "model.h5");
    REQUIRE(before.layers.size() == after.layers.size());
    for (std::size_t i = 0; i < before.layers.size(); ++i) {
      CHECK(before.layers[i].layer == after.layers[i].layer);
      check_equal(before.layers[i].variables, after.layers[i].variables);
    }
    check_equal(before.optimizer, after.optimizer);
  }
}

TEST_CASE("in PyTorch's layout a model has what save writes of it", "[testdata]") {
  const TemporaryFolder folder;
  for (const std::string& network : kKerasNetworks) {
    INFO(network);
    const Model keras = load(testdata(network + "/model.h5"));
    const Model torch = in_torch_layout(keras);
    const bool is_trained = keras.training.has_value();
    save(keras, {folder / "model.json", folder / "model.pth"}, {.checkpoint = is_trained});
    const Model written = load({folder / "model.json", folder / "model.pth"});
    check_equal(torch.weights, written.weights);
    save(torch, folder / "again.json");
    CHECK(bytes_of(folder / "again.json") == bytes_of(folder / "model.json"));
    CHECK(torch.framework == Framework::Torch);
    if (is_trained) CHECK(torch.training->optimizer->slots.size() == written.training->optimizer->slots.size());
    if (is_trained)
      for (const auto& [name, slots] : torch.training->optimizer->slots)
        check_equal(slots, written.training->optimizer->slots.at(name));
    // And goes home as they do.
    save(torch, folder / "home.h5");
    save(written, folder / "written.h5");
    const KerasFile home = read_keras_h5(folder / "home.h5"), expected = read_keras_h5(folder / "written.h5");
    for (std::size_t i = 0; i < expected.layers.size(); ++i)
      check_equal(home.layers.at(i).variables, expected.layers[i].variables);
    check_equal(home.optimizer, expected.optimizer);
  }
  // Behind the Flatten of a map with channels last the columns are in another order, or the test would show nothing.
  const Model mosaic = load(testdata("mosaic/model.h5"));
  const Model torch = in_torch_layout(mosaic);
  CHECK(std::ranges::any_of(mosaic.weights, [&](const NamedTensor& tensor) {
    return !bit_equal(tensor.tensor, *torch.weights.find(tensor.name));
  }));
}

TEST_CASE("in PyTorch's layout a model of PyTorch's stays as it is", "[testdata]") {
  for (const std::string& network : kTorchNetworks) {
    INFO(network);
    const Model model = load({testdata(network + "/model.json"), testdata(network + "/model.pth")});
    check_equal(in_torch_layout(model).weights, model.weights);
    CHECK(in_torch_layout(model).architecture == model.architecture);
    const Model weights = load(testdata(network + "/model.pth"));
    check_equal(in_torch_layout(weights).weights, weights.weights);
  }
}

TEST_CASE("a checkpoint's training state goes there and back", "[testdata]") {
  // The optimizer's parameters are numbers in the file; the architecture gives them their names.
  const TemporaryFolder folder;
  const Model model = load({testdata("the_model_class/model.json"), testdata("the_model_class/model.pth")});
  REQUIRE(model.training);
  CHECK(model.training->epoch == 5);
  REQUIRE(model.training->optimizer);
  CHECK(model.training->optimizer->kind == "SGD");
  CHECK(model.training->optimizer->slots.size() == 10);
  save(model, folder / "model.h5");
  save(load(folder / "model.h5"), folder / "model.pth", {.checkpoint = true});
  const Model back = load({testdata("the_model_class/model.json"), folder / "model.pth"});
  REQUIRE(back.training);
  CHECK(back.training->epoch == model.training->epoch);
  CHECK(back.training->loss == model.training->loss);
  REQUIRE(back.training->optimizer);
  check_equal(*model.training->optimizer, *back.training->optimizer);
}

TEST_CASE("a changed bit of a weight changes what is written", "[testdata]") {
  const TemporaryFolder folder;
  Model model = load({testdata("digits/model.json"), testdata("digits/model.pth")});
  save(model, folder / "model.h5");
  const Weights before = load(folder / "model.h5").weights;
  for (const NamedTensor& tensor : before) {
    INFO(tensor.name);
    std::vector<std::byte> bytes = tensor.tensor.read();
    bytes[bytes.size() / 2] ^= std::byte{1};
    Model changed = model;
    changed.weights.set(tensor.name, Tensor(tensor.tensor.dtype(), tensor.tensor.shape(), bytes_in_memory(bytes)));
    save(changed, folder / "changed.h5");
    const Weights after = load(folder / "changed.h5").weights;
    for (const NamedTensor& other : before)
      CHECK(bit_equal(*after.find(other.name), other.tensor) == (other.name != tensor.name));
  }
}

TEST_CASE("damaged files are refused", "[testdata]") {
  const TemporaryFolder folder;
  for (const std::string file :
       {"digits/model.pth", "the_model_class/model.pth", "mosaic/model.h5", "my_keras_model/model.h5"}) {
    INFO(file);
    const std::string damaged = folder / "damaged";
    const std::vector<char> whole = bytes_of(testdata(file));
    for (const std::size_t size : {std::size_t{1}, whole.size() / 3, whole.size() - 100}) {
      write_bytes(damaged, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      CHECK_THROWS_AS(load(damaged), MalformedFile);
    }
    std::vector<char> headless = whole;
    std::fill_n(headless.begin(), 8, '\xee');
    write_bytes(damaged, headless);
    CHECK_THROWS_AS(load(damaged), MalformedFile);
    CHECK_THROWS_AS(load(folder / "nothing"), SystemFailure);
  }
  const std::vector<char> text = bytes_of(testdata("digits/model.json"));
  write_bytes(folder / "half.json", {text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.size() / 2)});
  CHECK_THROWS_AS(load(folder / "half.json"), MalformedFile);
  std::string other(text.begin(), text.end());
  other.replace(other.find("Dropout"), 7, "Dr0pout");
  write_bytes(folder / "other.json", {other.begin(), other.end()});
  CHECK_THROWS_AS(load(folder / "other.json"), Unsupported);
  // Another network's weights.
  CHECK_THROWS_AS(load({testdata("digits/model.json"), testdata("face_net/model.pth")}), MalformedFile);
}
