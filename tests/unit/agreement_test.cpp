#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "convert/tensor_agreement.h"

using namespace h5bridge;

namespace {

Tensor doubles(const std::vector<double>& values) {
  return tensor_of(DType::Float64, {static_cast<std::int64_t>(values.size())}, values);
}

bool agree(double found, double expected, const Tolerance& tolerance = {}) {
  return compare_tensors(doubles({found}), doubles({expected}), tolerance).agrees();
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("agreement: numpy's allclose") {
  const Tolerance tolerance{.absolute = 0.5, .relative = 0.25};
  CHECK(agree(3.5, 4.0, tolerance));
  CHECK(agree(5.5, 4.0, tolerance));
  CHECK_FALSE(agree(5.51, 4.0, tolerance));
  // The tolerance is relative to what is expected.
  CHECK_FALSE(agree(4.0, 2.0, tolerance));
  CHECK(agree(2.5, 4.0, tolerance));
  CHECK_FALSE(agree(1.0 + 1.2e-4, 1.0));
  CHECK(agree(1.0 + 1.0e-4, 1.0));
  CHECK(agree(kInfinity, kInfinity));
  CHECK_FALSE(agree(kInfinity, -kInfinity));
  CHECK_FALSE(agree(1.0, kInfinity));
  CHECK_FALSE(agree(kInfinity, 1.0));
  CHECK_FALSE(agree(kNaN, kNaN));
  CHECK_FALSE(agree(kNaN, 0.0, {.absolute = kInfinity}));
  CHECK(agree(kNaN, kNaN, {.equal_nan = true}));
  CHECK_FALSE(agree(kNaN, 0.0, {.absolute = kInfinity, .equal_nan = true}));
  CHECK_FALSE(agree(0.0, kNaN, {.absolute = kInfinity, .equal_nan = true}));
}

TEST_CASE("agreement: the first mismatch and the largest errors") {
  const Tensor expected = tensor_of<float>(DType::Float32, {2, 3}, {1, 2, 4, 0, 5, 6});
  const Tensor found = tensor_of<float>(DType::Float32, {2, 3}, {1, 2, 5, 0.5, 5, 4});
  const Agreement agreement = compare_tensors(found, expected, {});
  CHECK(agreement.mismatches == 3);
  CHECK(agreement.elements == 6);
  CHECK(agreement.first->index == Shape{0, 2});
  CHECK(agreement.first->found == 5);
  CHECK(agreement.first->expected == 4);
  CHECK(agreement.largest_absolute == 2);
  CHECK(agreement.largest_relative.value() == Approx(1.0 / 3));
  CHECK(
      describe(agreement) ==
      "largest absolute error 2, relative 0.333333; 3 of 6 elements differ, the first at (0, 2): found 5, expected 4");
}

TEST_CASE("agreement: where all that is expected is zero, no error is relative") {
  const Agreement agreement = compare_tensors(doubles({0, 3}), doubles({0, 0}), {});
  CHECK(agreement.mismatches == 1);
  CHECK_FALSE(agreement.largest_relative);
  CHECK(to_json(agreement).at("largest_relative").is_null());
  CHECK(describe(agreement) ==
        "largest absolute error 3; 1 of 2 elements differ, the first at (1,): found 3, expected 0");
}

TEST_CASE("agreement: of one element no count is told") {
  CHECK(describe(compare_tensors(doubles({3}), doubles({1}), {})) ==
        "largest absolute error 2, relative 2; its one element differs: found 3, expected 1");
  CHECK(describe(compare_tensors(doubles({kNaN}), doubles({kNaN}), {.equal_nan = true})) ==
        "largest absolute error 0; its one element is NaN on both sides");
}

TEST_CASE("agreement: a NaN shows in the largest error") {
  const Agreement agreement = compare_tensors(doubles({1, kNaN, 3}), doubles({1, 2, 5}), {});
  CHECK(std::isnan(agreement.largest_absolute));
  CHECK(agreement.first->index == Shape{1});
}

TEST_CASE("agreement: NaN on both sides is told") {
  const Tensor found = doubles({1, kNaN, 3}), expected = doubles({1, kNaN, 3.5});
  const Agreement strict = compare_tensors(found, expected, {});
  CHECK(strict.mismatches == 2);
  CHECK_THAT(describe(strict),
             Catch::EndsWith("; 1 of 3 elements are NaN on both sides, which agree with Tolerance::equal_nan"));
  CHECK(short_number(-std::numeric_limits<double>::quiet_NaN()) == "nan");
  const Agreement equal = compare_tensors(found, expected, {.equal_nan = true});
  CHECK(equal.mismatches == 1);
  CHECK(equal.nans == 1);
  CHECK(equal.largest_absolute == 0.5);
  CHECK(to_json(equal).at("nans") == Json(1));
}

TEST_CASE("agreement: shapes and types") {
  const Tensor integers = tensor_of<std::int64_t>(DType::Int64, {2}, {1, 2});
  CHECK(compare_tensors(integers, doubles({1, 2}), {}).agrees());
  CHECK(compare_tensors(tensor_of<std::uint64_t>(DType::UInt64, {1}, {~std::uint64_t{0}}),
                        doubles({18446744073709551615.0}), {})
            .agrees());
  CHECK(compare_tensors(tensor_of<std::uint8_t>(DType::Bool, {2}, {0, 1}), doubles({0, 1}), {}).agrees());
  CHECK(compare_tensors(zeros(DType::Float32, {0, 3}), zeros(DType::Float32, {0, 3}), {}).agrees());
  const Tensor complex = tensor_of<float>(DType::Complex64, {1}, {1, 2});
  const Tensor other = tensor_of<float>(DType::Complex64, {1}, {1, 3});
  CHECK(compare_tensors(complex, complex, {}).agrees());
  CHECK(compare_tensors(complex, other, {}).first->index == Shape{0, 1});
  const Agreement misshapen = compare_tensors(integers, zeros(DType::Int64, {2, 1}), {});
  CHECK_FALSE(misshapen.agrees());
  CHECK(misshapen.problem == "has shape (2,), expected (2, 1)");
}
