// The networks of testdata/ rebuilt with LibTorch, against what real PyTorch and real Keras computed for them.
#include "facets/libtorch/tensors.h"
#include "files/npy.h"
#include "h5bridge/h5bridge.h"
#include "model/work_counts.h"
#include "paths.h"
#include "torch/catch.h"
#include "torch/model_builder.h"
#include "unit/temporary_folder.h"

namespace h5bridge::testing {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

std::string testdata(const std::string& name) { return std::string(TESTDATA) + "/" + name; }

Tensors arrays(const std::string& path) {
  Tensors result;
  for (const NamedTensor& array : read_npz(open_file(path))) result.emplace(array.name, to_torch(array.tensor));
  return result;
}

Tensors run(const Model& model, const Tensors& inputs) {
  torch::NoGradGuard no_grad;
  const auto module = to_module(model);
  module->eval();
  return module->forward(inputs);
}

/// The largest difference in units of the largest expected value.
double error(const Tensors& outputs, const Tensors& expected) {
  double result = 0;
  REQUIRE(outputs.size() == expected.size());
  for (const auto& [name, value] : expected) {
    INFO(name);
    REQUIRE(outputs.contains(name));
    result = std::max(result, difference(outputs.at(name), value) / value.abs().max().item<double>());
  }
  return result;
}

/// A network of testdata/: the files that are its model, its inputs and the framework's answers.
struct Network {
  std::string name;
  std::vector<std::string> files;

  Model model() const {
    std::vector<std::string> sources;
    for (const std::string& file : files) sources.push_back(testdata(name + "/" + file));
    return load(sources);
  }
  Tensors inputs() const { return arrays(testdata(name + "/inputs.npz")); }
  Tensors expected() const { return arrays(testdata(name + "/outputs.npz")); }
};

const std::vector<std::string> kTorchFiles{"model.json", "model.pth"};
const std::vector<Network> kTorchNetworks{{"my_model", kTorchFiles},
                                          {"the_model_class", kTorchFiles},
                                          {"face_net", kTorchFiles},
                                          {"scan_net", kTorchFiles},
                                          {"digits", kTorchFiles}};
const std::vector<Network> kKerasNetworks{{"my_keras_model", {"model.h5"}}, {"mosaic", {"model.h5"}}};

std::vector<Network> all_networks() {
  std::vector<Network> result = kTorchNetworks;
  result.insert(result.end(), kKerasNetworks.begin(), kKerasNetworks.end());
  return result;
}

constexpr double kTolerance = 1e-5;

}  // namespace

TEST_CASE("LibTorch gives the framework's own answers") {
  for (const Network& network : all_networks()) {
    INFO(network.name);
    CHECK(error(run(network.model(), network.inputs()), network.expected()) < kTolerance);
  }
}

TEST_CASE("to run a Keras file, nothing is planned as if to be written") {
  for (const Network& network : kKerasNetworks) {
    INFO(network.name);
    const Work before = work();
    run(network.model(), network.inputs());
    CHECK(work().models_planned == before.models_planned);
    CHECK(work().calls_lowered == before.calls_lowered);
  }
}

TEST_CASE("a PyTorch network's Keras file gives PyTorch's answers") {
  const TemporaryFolder folder;
  for (const Network& network : kTorchNetworks) {
    for (const DataFormat format : {DataFormat::ChannelsLast, DataFormat::ChannelsFirst}) {
      INFO(network.name);
      save(network.model(), folder / "model.h5", {.data_format = format});
      // Fed as PyTorch was: by its layout and in the architecture's order, since a Keras file's outputs have Keras's
      // names.
      const auto module = to_module(load(folder / "model.h5"), torch::kCPU, {.layout = Framework::Torch});
      module->eval();
      torch::NoGradGuard no_grad;
      const std::vector<torch::Tensor> outputs = module->forward(std::vector<torch::Tensor>{network.inputs().at("x")});
      const Tensors expected = network.expected();
      REQUIRE(outputs.size() == expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        const torch::Tensor& wanted = expected.at(i == 0 ? "output" : "output_" + std::to_string(i));
        CHECK(difference(outputs[i], wanted) < kTolerance * wanted.abs().max().item<double>());
      }
    }
  }
}

namespace {

// Of a module of the network that has Keras's layout, and names of its own for the outputs.
double error_in_keras(const Network& network, Module& module) {
  module.eval();
  torch::NoGradGuard no_grad;
  const std::vector<std::string> names = to_module(network.model())->output_names(), own = module.output_names();
  const Tensors outputs = module.forward(network.inputs());
  Tensors named;
  for (std::size_t i = 0; i < own.size(); ++i) named[names.at(i)] = outputs.at(own[i]);
  return error(named, network.expected());
}

}  // namespace

TEST_CASE("a Keras network's PyTorch files give Keras's answers") {
  const TemporaryFolder folder;
  for (const Network& network : kKerasNetworks) {
    INFO(network.name);
    save(network.model(), {folder / "model.json", folder / "model.pth"});
    const auto module =
        to_module(load({folder / "model.json", folder / "model.pth"}), torch::kCPU, {.layout = Framework::Keras});
    CHECK(error_in_keras(network, *module) < kTolerance);
  }
}

TEST_CASE(
    "parameters of a Keras network's module are those of its PyTorch files, where PyTorch's layout is asked for") {
  const TemporaryFolder folder;
  for (const Network& network : kKerasNetworks) {
    INFO(network.name);
    const Model model = in_torch_layout(network.model());
    save(network.model(), folder / "model.pth");
    const Weights written = load(folder / "model.pth").weights;
    const auto module = to_module(model, torch::kCPU, {.layout = Framework::Keras});
    for (const auto& item : module->named_parameters()) {
      INFO(item.key());
      CHECK(bit_equal(from_torch(item.value()), *written.find(item.key())));
    }
    // And it computes what it did.
    CHECK(error_in_keras(network, *module) < kTolerance);
  }
}

TEST_CASE("the digits network reads digits") {
  const Network digits{"digits", kTorchFiles};
  const torch::Tensor labels = to_torch(read_npy(open_file(testdata("digits/labels.npy"))));
  const torch::Tensor answers = run(digits.model(), digits.inputs()).at("output").argmax(1);
  CHECK((answers == labels).to(torch::kFloat64).mean().item<double>() >= 0.97);
}

TEST_CASE("every weight matters") {
  torch::manual_seed(1);  // whatever other tests drew before
  for (const Network& network : all_networks()) {
    const Model model = network.model();
    const Tensors inputs = network.inputs();
    const Tensors expected = network.expected();
    for (const NamedTensor& weight : model.weights) {
      if (!is_floating_point(weight.tensor.dtype())) continue;  // num_batches_tracked only counts
      INFO(network.name << " " << weight.name);
      Model changed = model;
      changed.weights.set(weight.name, from_torch(to_torch(weight.tensor) + 0.1 * torch::rand(weight.tensor.shape())));
      CHECK(error(run(changed, inputs), expected) > 10 * kTolerance);
    }
  }
}

}  // namespace h5bridge::testing
