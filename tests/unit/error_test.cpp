// What leaves the library is an h5bridge error, whatever was thrown below.
#include <catch2/catch.hpp>
#include <filesystem>
#include <limits>
#include <new>

#include "h5bridge/h5bridge.h"

using namespace h5bridge;

namespace {

template <typename Thrown>
std::string message_of(const Thrown& thrown) {
  try {
    with_errors([&] { throw thrown; });
  } catch (const SystemFailure& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("errors of the libraries below become ours", "[error]") {
  CHECK(message_of(std::bad_alloc()) == "not enough memory");
  CHECK(message_of(std::length_error("vector::reserve")) == "not enough memory");
  CHECK_THAT(message_of(std::filesystem::filesystem_error("cannot", "a.h5", std::make_error_code(std::errc::io_error))),
             Catch::Contains("a.h5"));
  CHECK(message_of(std::out_of_range("at")) == "internal error: at");
  CHECK(message_of(3) == "internal error: an exception of an unknown kind");
  CHECK_THROWS_AS(with_errors([] { throw Unsupported("that"); }), Unsupported);
  CHECK(with_errors([] { return 3; }) == 3);
}

TEST_CASE("attributes that no type declares", "[error]") {
  Attributes attributes;
  attributes.set("bias", true);
  CHECK_THROWS_AS(attributes.integer("units"), UsageError);
  CHECK_THROWS_WITH(attributes.at("units"), "no attribute 'units' is set");
  CHECK_THROWS_AS(attributes.integer("bias"), UsageError);
  CHECK_THROWS_WITH(attributes.integer("bias"), "attribute 'bias' is set with a value of another kind");
}

TEST_CASE("tensors that are read as what they are not", "[error]") {
  const Tensor tensor = tensor_of<float>(DType::Float32, {2}, {1, 2});
  std::vector<std::byte> small(4);
  CHECK_THROWS_AS(tensor.read(small), UsageError);
  CHECK_THROWS_WITH(tensor.read(small), "a float32 tensor of shape (2,) takes a buffer of 8 bytes, not one of 4");
  CHECK_THROWS_AS(tensor.values<double>(), UsageError);
  CHECK_THROWS_WITH(tensor.values<double>(), "elements of float32 take 4 bytes each, and cannot be had as values of 8");
  CHECK_THROWS_AS(Tensor(DType::Float32, {2}, nullptr), UsageError);
  CHECK_THROWS_AS(Tensor(DType::Float32, {2}, {1}, 0, nullptr), UsageError);
  CHECK_THROWS_AS(part_of(nullptr, 0, 1), UsageError);
}

#ifndef __SANITIZE_ADDRESS__  // which ends a program that asks for so much
TEST_CASE("more than any memory", "[error]") {
  const Tensor huge = zeros(DType::Float32, {std::numeric_limits<std::int64_t>::max() / 4});
  const Tensor large = zeros(DType::Float32, {std::int64_t{1} << 50});
  for (const Tensor& tensor : {huge, large}) {
    CHECK_THROWS_AS(tensor.read(), SystemFailure);
    CHECK_THROWS_AS(tensor.values<float>(), SystemFailure);
    CHECK_THROWS_AS(tensor.contiguous(), SystemFailure);
    CHECK_THROWS_AS(cast(tensor, DType::Float64), SystemFailure);
    CHECK_THROWS_AS(read_all(*tensor.source()), SystemFailure);
    CHECK_THROWS_WITH(tensor.read(), "not enough memory");
  }
  const Tensor halves[]{large, large};
  CHECK_THROWS_WITH(concatenate(halves, 0), "not enough memory");
}
#endif
