// Each step against what its contract says of every element, and its inverse.
#include "facets/spec/weight_rule.h"

#include <catch2/catch.hpp>

#include "h5bridge/error.h"
#include "unit/random_tensors.h"

namespace h5bridge::testing {
namespace {

std::vector<std::int32_t> elements(const Tensor& tensor) { return tensor.values<std::int32_t>(); }

void check_inverse(const std::vector<WeightStep>& steps, const std::vector<Tensor>& tensors) {
  const std::vector<Tensor> back = to_torch(steps, to_keras(steps, tensors));
  REQUIRE(back.size() == tensors.size());
  for (std::size_t i = 0; i < back.size(); ++i) CHECK(bit_equal(back[i], tensors[i]));
}

}  // namespace

TEST_CASE("PermuteAxes: axis i of the Keras side is axis axes[i] of the PyTorch side") {
  const std::vector<WeightStep> steps{PermuteAxes{{2, 0, 1}}};
  const Tensor torch = counting_tensor({2, 3, 4});
  const Tensor keras = to_keras(steps, {torch}).at(0);
  REQUIRE(keras.shape() == Shape{4, 2, 3});
  const auto values = elements(keras);
  for (int a = 0; a < 2; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 4; ++c) CHECK(values[(c * 2 + a) * 3 + b] == (a * 3 + b) * 4 + c);
  check_inverse(steps, {random_tensor(DType::Float32, {2, 3, 4}), random_tensor(DType::BFloat16, {5, 1, 2})});
}

TEST_CASE("ChangeShape keeps the elements in order") {
  const std::vector<WeightStep> steps{ChangeShape{{6}, {1, 2, 3}}};
  const Tensor keras = to_keras(steps, {counting_tensor({6})}).at(0);
  CHECK(keras.shape() == Shape{1, 2, 3});
  CHECK(elements(keras) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  check_inverse(steps, {random_tensor(DType::Float64, {6})});
}

TEST_CASE("ChangeShape refuses a tensor of another shape on either side") {
  const std::vector<WeightStep> steps{ChangeShape{{6}, {2, 3}}};
  CHECK_THROWS_AS(to_keras(steps, {counting_tensor({3, 2})}), MalformedFile);
  CHECK_THROWS_WITH(to_keras(steps, {counting_tensor({3, 2})}), "has shape (3, 2), expected (6,)");
  CHECK_THROWS_WITH(to_torch(steps, {counting_tensor({6})}), "has shape (6,), expected (2, 3)");
}

TEST_CASE("Join puts tensors one behind the other along an axis") {
  const std::vector<WeightStep> steps{Join{1, {1, 2}}};
  const Tensor one = tensor_of<std::int32_t>(DType::Int32, {2, 1}, {1, 2});
  const Tensor two = tensor_of<std::int32_t>(DType::Int32, {2, 2}, {3, 4, 5, 6});
  const auto keras = to_keras(steps, {one, two});
  REQUIRE(keras.size() == 1);
  CHECK(keras[0].shape() == Shape{2, 3});
  CHECK(elements(keras[0]) == std::vector<std::int32_t>{1, 3, 4, 2, 5, 6});
  check_inverse(steps, {random_tensor(DType::Float32, {2, 1}), random_tensor(DType::Float32, {2, 2})});
}

TEST_CASE("Split cuts every tensor, and the first parts of all stand first") {
  const std::vector<WeightStep> steps{Split{0, {1, 2}}};
  const Tensor matrix = tensor_of<std::int32_t>(DType::Int32, {3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor vector = tensor_of<std::int32_t>(DType::Int32, {3}, {7, 8, 9});
  const auto keras = to_keras(steps, {matrix, vector});
  REQUIRE(keras.size() == 4);
  CHECK(elements(keras[0]) == std::vector<std::int32_t>{1, 2});
  CHECK(elements(keras[1]) == std::vector<std::int32_t>{7});
  CHECK(elements(keras[2]) == std::vector<std::int32_t>{3, 4, 5, 6});
  CHECK(elements(keras[3]) == std::vector<std::int32_t>{8, 9});
  check_inverse(steps, {random_tensor(DType::Float32, {3, 2})});
  check_inverse(steps, {random_tensor(DType::Float32, {3, 2}), random_tensor(DType::Float32, {3})});
}

TEST_CASE("Split leaves the parts of a tensor that is cut already as they are") {
  const std::vector<WeightStep> steps{Split{0, {1, 2}, true}};
  const Tensor one = counting_tensor({1, 5}), two = counting_tensor({2, 4});
  const Tensor vector = tensor_of<std::int32_t>(DType::Int32, {3}, {7, 8, 9});
  const auto keras = to_keras(steps, {one, two, vector});
  REQUIRE(keras.size() == 4);
  CHECK(bit_equal(keras[0], one));
  CHECK(elements(keras[1]) == std::vector<std::int32_t>{7});
  CHECK(bit_equal(keras[2], two));
  CHECK(elements(keras[3]) == std::vector<std::int32_t>{8, 9});
  check_inverse(steps, {one, two, vector});
  check_inverse(steps, {one, two});
}

TEST_CASE("HeadsLast makes two last axes of the first one") {
  const std::vector<WeightStep> steps{HeadsLast{{2}}};
  const Tensor keras = to_keras(steps, {counting_tensor({6, 4})}).at(0);
  REQUIRE(keras.shape() == Shape{4, 2, 3});
  const auto values = elements(keras);
  for (int column = 0; column < 4; ++column)
    for (int head = 0; head < 2; ++head)
      for (int i = 0; i < 3; ++i) CHECK(values[(column * 2 + head) * 3 + i] == (head * 3 + i) * 4 + column);
  CHECK(to_keras(steps, {counting_tensor({6})}).at(0).shape() == Shape{2, 3});
  check_inverse(steps, {random_tensor(DType::Float32, {6, 4}), random_tensor(DType::Float32, {8})});
  CHECK_THROWS_WITH(to_keras(steps, {counting_tensor({5, 4})}),
                    "has shape (5, 4), expected 2 equal blocks on its first axis");
  CHECK_THROWS_WITH(to_torch(steps, {counting_tensor({4, 3, 2})}),
                    "has shape (4, 3, 2), expected 2 as the last size but one");
}

TEST_CASE("ReorderBlocks: block i of the Keras side is block order[i] of the PyTorch side") {
  const std::vector<WeightStep> steps{ReorderBlocks{0, {2, 0, 1}}};
  const Tensor keras = to_keras(steps, {counting_tensor({6})}).at(0);
  CHECK(elements(keras) == std::vector<std::int32_t>{4, 5, 0, 1, 2, 3});
  check_inverse(steps, {random_tensor(DType::Float16, {9, 2}), random_tensor(DType::Int64, {3})});
  CHECK_THROWS_AS(to_keras(steps, {counting_tensor({4})}), MalformedFile);
  CHECK_THROWS_WITH(to_keras(steps, {counting_tensor({4})}), "axis 0 of (4,) has no 3 equal blocks");
}

TEST_CASE("steps run in order to Keras and in the opposite order back") {
  const std::vector<WeightStep> steps{ReorderBlocks{0, {1, 0}}, Join{0, {4, 2}}, ChangeShape{{6, 2}, {3, 4}},
                                      PermuteAxes{{1, 0}}};
  const Tensor keras = to_keras(steps, {counting_tensor({4, 2}), counting_tensor({2, 2})}).at(0);
  CHECK(keras.shape() == Shape{4, 3});
  CHECK(elements(keras) == std::vector<std::int32_t>{4, 0, 2, 5, 1, 3, 6, 2, 0, 7, 3, 1});
  check_inverse(steps, {random_tensor(DType::Float32, {4, 2}), random_tensor(DType::Float32, {2, 2})});
}

TEST_CASE("Sum adds, and goes back to the sum and zeros") {
  const std::vector<WeightStep> steps{Sum{2}};
  CHECK(is_lossy(steps));
  CHECK_FALSE(is_lossy(std::vector<WeightStep>{Join{0, {1, 1}}}));
  const Tensor one = tensor_of<float>(DType::Float32, {3}, {1, 2, -3.5F});
  const Tensor two = tensor_of<float>(DType::Float32, {3}, {0.25F, 1e-8F, 3.5F});
  const auto keras = to_keras(steps, {one, two});
  REQUIRE(keras.size() == 1);
  CHECK(keras[0].values<float>() == std::vector<float>{1.25F, 2, 0});
  const auto torch = to_torch(steps, keras);
  REQUIRE(torch.size() == 2);
  CHECK(bit_equal(torch[0], keras[0]));
  CHECK(torch[1].values<float>() == std::vector<float>{0, 0, 0});
  const Tensor half = to_keras(steps, {cast(one, DType::BFloat16), cast(two, DType::BFloat16)}).at(0);
  CHECK(half.dtype() == DType::BFloat16);
  CHECK(cast(half, DType::Float32).values<float>() == std::vector<float>{1.25F, 2, 0});
  CHECK_THROWS_AS(to_keras(steps, {one, counting_tensor({3})}), MalformedFile);
}

TEST_CASE("no steps change nothing") { check_inverse({}, {random_tensor(DType::Complex64, {2, 2})}); }

}  // namespace h5bridge::testing
