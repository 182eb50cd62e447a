#include "facets/spec/product.h"

#include <catch2/catch.hpp>
#include <limits>
#include <random>

#include "facets/spec/weight_rule.h"
#include "h5bridge/error.h"

namespace h5bridge::testing {
namespace {

Tensor normal(const Shape& shape, DType dtype = DType::Float32) {
  static std::mt19937 engine(7);
  std::normal_distribution<double> distribution;
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (double& value : values) value = distribution(engine);
  return cast(tensor_of(DType::Float64, shape, values), dtype);
}

// `tensor` with `by` added to its first element.
Tensor nudged(const Tensor& tensor, float by) {
  std::vector<float> values = tensor.values<float>();
  values[0] += by;
  return tensor_of(DType::Float32, tensor.shape(), values);
}

}  // namespace

TEST_CASE("product multiplies matrices and rounds once") {
  const Tensor a = tensor_of<float>(DType::Float32, {2, 3}, {1, 2, 3, 1e8F, 1, -1e8F});
  const Tensor b = tensor_of<float>(DType::Float32, {3, 2}, {1, 4, 2, 5, 1, 6});
  const Tensor made = product(a, b);
  CHECK(made.shape() == Shape{2, 2});
  CHECK(made.values<float>() == std::vector<float>{8, 32, 2, -2e8F + 5});
  CHECK(product(cast(a, DType::BFloat16), cast(b, DType::BFloat16)).dtype() == DType::BFloat16);
}

TEST_CASE("product refuses matrices that do not fit") {
  CHECK_THROWS_AS(product(normal({2, 3}), normal({2, 3})), MalformedFile);
  CHECK_THROWS_AS(product(normal({2, 3}), normal({3})), MalformedFile);
  CHECK_THROWS_AS(product(normal({2, 3}), normal({3, 2}, DType::Float64)), MalformedFile);
}

TEST_CASE("left_factor finds what a product was made of, but for rounding") {
  for (const DType dtype : {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16}) {
    const Tensor a = normal({40, 7}, dtype), b = normal({7, 10}, dtype);
    const auto found = left_factor(product(a, b), b);
    REQUIRE(found);
    CHECK(found->dtype() == dtype);
    CHECK(found->shape() == a.shape());
    CHECK(equal_but_for_rounding(product(*found, b), product(a, b)));
    if (dtype == DType::Float64) CHECK(equal_but_for_rounding(*found, a));
  }
}

TEST_CASE("left_factor takes nothing of a row that others make up") {
  const Tensor b =
      tensor_of<float>(DType::Float32, {4, 5}, {1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 2, 4, 6, 8, 10, 1, 0, 0, 0, 1});
  const Tensor made = product(normal({6, 4}), b);
  const auto found = left_factor(made, b);
  REQUIRE(found);
  CHECK(equal_but_for_rounding(product(*found, b), made));
  for (std::size_t row = 0; row < 6; ++row) {
    CHECK(found->values<float>()[row * 4 + 1] == 0);
    CHECK(found->values<float>()[row * 4 + 2] == 0);
  }
}

TEST_CASE("left_factor finds nothing where there is no product") {
  const Tensor a = normal({8, 2}), b = normal({2, 4});
  CHECK_FALSE(left_factor(normal({8, 4}), b));
  CHECK_FALSE(left_factor(nudged(product(a, b), 1e-3F), b));
  CHECK_FALSE(left_factor(nudged(product(a, b), std::numeric_limits<float>::quiet_NaN()), b));
  CHECK_FALSE(left_factor(product(a, b), nudged(b, std::numeric_limits<float>::infinity())));
  CHECK_THROWS_AS(left_factor(product(a, b), normal({2, 5})), MalformedFile);
}

TEST_CASE("equal_but_for_rounding measures each row by its largest element") {
  const Tensor a = tensor_of<float>(DType::Float32, {2, 2}, {1, 1000, 1, 1});
  CHECK(equal_but_for_rounding(a, nudged(a, 1e-4F)));
  const Tensor b = tensor_of<float>(DType::Float32, {2, 2}, {1, 1, 1, 1000});
  CHECK_FALSE(equal_but_for_rounding(b, nudged(b, 1e-4F)));
  CHECK_FALSE(equal_but_for_rounding(b, normal({2, 3})));
}

TEST_CASE("Product multiplies by what is given, and goes back to a factor") {
  const std::vector<WeightStep> steps{Product{}, PermuteAxes{{1, 0}}};
  CHECK(is_lossy(steps));
  CHECK(has_product(steps));
  const std::vector<Tensor> first{normal({8, 2})}, second{normal({2, 4})}, both{first[0], second[0]};
  const std::vector<Tensor> keras = to_keras(steps, first, second);
  CHECK(bit_equal(keras.at(0), product(first[0], second[0]).permute(std::vector<std::int64_t>{1, 0})));
  const auto back = to_torch(steps, keras, second);
  REQUIRE(back.size() == 1);
  CHECK(equal_but_for_rounding(product(back[0], second[0]), product(first[0], second[0])));
  CHECK_THROWS_AS(to_torch(steps, {normal({4, 8})}, second), Unsupported);
  // With both factors given, there is nothing to find.
  CHECK(bit_equal(to_keras(steps, {}, both).at(0), keras[0]));
  CHECK(to_torch(steps, keras, both).empty());
  CHECK_THROWS_AS(to_torch(steps, {normal({4, 8})}, both), Unsupported);
}

}  // namespace h5bridge::testing
