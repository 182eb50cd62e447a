// Files of Keras 2 and tf.keras, against what the version that each is of computed: testdata/dialects/make.py.
#include <algorithm>
#include <filesystem>

#include "facets/libtorch/tensors.h"
#include "files/npy.h"
#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "torch/catch.h"
#include "torch/model_builder.h"
#include "unit/temporary_folder.h"

namespace h5bridge::testing {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, torch::Tensor>;

constexpr double kTolerance = 1e-6;  // of the largest value

std::vector<fs::path> dialects() {
  std::vector<fs::path> result;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(TESTDATA) / "dialects"))
    if (fs::exists(entry.path() / "model.h5")) result.push_back(entry.path());
  std::ranges::sort(result);
  REQUIRE(result.size() >= 7);
  return result;
}

// With the configuration beside the weights, where they have none of their own.
Model model_of(const fs::path& folder) {
  std::vector<std::string> sources{(folder / "model.h5").string()};
  if (fs::exists(folder / "model.json")) sources.push_back((folder / "model.json").string());
  return load(sources);
}

Tensors arrays(const fs::path& path) {
  Tensors result;
  for (const NamedTensor& array : read_npz(open_file(path.string())))
    result.emplace(array.name, to_torch(array.tensor));
  return result;
}

void check_answers(const Model& model, const fs::path& folder) {
  torch::NoGradGuard no_grad;
  const auto module = to_module(model, torch::kCPU, {.layout = Framework::Keras});
  module->eval();
  const Tensors outputs = module->forward(arrays(folder / "inputs.npz"));
  const Tensors expected = arrays(folder / "outputs.npz");
  REQUIRE(outputs.size() == expected.size());
  // Names are those of the sources' framework, whatever the layout; their order is the same.
  const std::vector<std::string> names = to_module(model_of(folder))->output_names(), own = module->output_names();
  for (std::size_t i = 0; i < own.size(); ++i) {
    const std::string& name = own[i];
    INFO(names.at(i));
    const torch::Tensor& value = expected.at(names.at(i));
    REQUIRE(value.std().item<double>() > 1e-3);
    CHECK(difference(outputs.at(name), value) <= kTolerance * value.abs().max().item<double>());
  }
}

}  // namespace

TEST_CASE("files of older Kerases give that Keras's answers") {
  for (const fs::path& folder : dialects()) {
    INFO(folder.filename().string());
    check_answers(model_of(folder), folder);
  }
}

TEST_CASE("what is written of files of older Kerases gives that Keras's answers") {
  const TemporaryFolder written;
  for (const fs::path& folder : dialects()) {
    INFO(folder.filename().string());
    const Model model = model_of(folder);
    save(model, written / "model.h5");
    check_answers(load(written / "model.h5"), folder);
    save(model, {written / "model.json", written / "model.pth"});
    const Model in_torch = load({written / "model.json", written / "model.pth"});
    check_answers(in_torch, folder);
    save(in_torch, written / "back.h5");
    check_answers(load(written / "back.h5"), folder);
  }
}

}  // namespace h5bridge::testing
