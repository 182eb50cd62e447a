// What dropouts draw at random: the tests in Python compare evaluation alone, where they are the identity.
#include <cmath>

#include "facets/libtorch/registry.h"
#include "facets/registry.h"
#include "torch/catch.h"

namespace h5bridge::testing {
namespace {

using torch::Tensor;

TorchInstance built(const std::string& type, const Json::Object& attributes, bool training) {
  const LayerType& found = *Registry::instance().find(type);
  TorchInstance instance = build_layer(Layer{"layer", type, attributes_from_json(found, attributes, type), {}});
  instance.module->train(training);
  return instance;
}

Tensor trained(const std::string& type, const Json::Object& attributes, const Tensor& x) {
  torch::manual_seed(3);
  return built(type, attributes, true).forward({{x}}).at(0);
}

double number(const Tensor& tensor) { return tensor.item<double>(); }

constexpr double kRate = 0.3;
const Json::Object kSettings{{"p", kRate}};

}  // namespace

TEST_CASE("dropouts are the identity in evaluation") {
  const Tensor x = torch::randn({3, 4, 5, 6, 2});
  for (const char* type : {"Dropout", "AlphaDropout", "FeatureAlphaDropout", "Dropout3d"}) {
    INFO(type);
    CHECK(torch::equal(built(type, kSettings, false).forward({{x}}).at(0), x));
  }
  CHECK(torch::equal(built("GaussianNoise", {{"stddev", kRate}}, false).forward({{x}}).at(0), x));
  CHECK(torch::equal(built("GaussianDropout", {{"rate", kRate}}, false).forward({{x}}).at(0), x));
}

TEST_CASE("Dropout zeroes a share of the elements and scales the others") {
  const Tensor y = trained("Dropout", kSettings, torch::ones({200, 500}));
  CHECK(number((y == 0).to(torch::kFloat64).mean()) == Approx(kRate).epsilon(0.02));
  CHECK(torch::allclose(y.masked_select(y != 0), torch::tensor(1 / (1 - kRate), torch::kFloat32)));
}

TEST_CASE("dropouts of channels zero whole ones") {
  for (std::int64_t axes = 1; axes <= 3; ++axes) {
    const std::string type = "Dropout" + std::to_string(axes) + "d";
    INFO(type);
    std::vector<std::int64_t> shape{100, 80};
    shape.insert(shape.end(), axes, 3);
    const Tensor first = trained(type, kSettings, torch::ones(shape)).flatten(2);
    CHECK(torch::equal(first, first.select(2, 0).unsqueeze(2).expand_as(first)));
    CHECK(number((first.select(2, 0) == 0).to(torch::kFloat64).mean()) == Approx(kRate).epsilon(0.05));

    // Keras's channels stand last.
    shape.insert(shape.end(), shape[1]);
    shape.erase(shape.begin() + 1);
    const Tensor last =
        trained(type, {{"p", kRate}, {"data_format", "channels_last"}}, torch::ones(shape)).flatten(1, -2);
    CHECK(torch::equal(last, last.select(1, 0).unsqueeze(1).expand_as(last)));
    CHECK(number((last.select(1, 0) == 0).to(torch::kFloat64).mean()) == Approx(kRate).epsilon(0.05));
  }
}

TEST_CASE("alpha dropouts keep mean and variance") {
  torch::manual_seed(2);
  const Tensor x = torch::randn({400, 500});
  for (const char* type : {"AlphaDropout", "FeatureAlphaDropout"}) {
    INFO(type);
    const Tensor y = trained(type, kSettings, x);
    CHECK(number(y.mean()) == Approx(0).margin(0.02));
    CHECK(number(y.var()) == Approx(1).epsilon(0.03));
    CHECK_FALSE(torch::equal(y, x));
  }
}

TEST_CASE("Gaussian noise is added, and Gaussian dropout multiplies") {
  const Tensor noise = trained("GaussianNoise", {{"stddev", kRate}}, torch::full({300, 400}, 5.0));
  CHECK(number(noise.mean()) == Approx(5).epsilon(0.001));
  CHECK(number(noise.std()) == Approx(kRate).epsilon(0.02));
  const Tensor scaled = trained("GaussianDropout", {{"rate", kRate}}, torch::full({300, 400}, 2.0));
  CHECK(number(scaled.mean()) == Approx(2).epsilon(0.01));
  CHECK(number(scaled.std()) == Approx(2 * std::sqrt(kRate / (1 - kRate))).epsilon(0.02));
}

TEST_CASE("Keras's noise_shape draws once for several elements") {
  const Tensor y =
      trained("Dropout", {{"p", kRate}, {"noise_shape", Json::Array{nullptr, 1, 7}}}, torch::ones({300, 5, 7}));
  CHECK(torch::equal(y, y.select(1, 0).unsqueeze(1).expand_as(y)));
  CHECK(number((y.select(1, 0) == 0).to(torch::kFloat64).mean()) == Approx(kRate).epsilon(0.05));
}

}  // namespace h5bridge::testing
