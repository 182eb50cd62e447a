#include "pytorch/assembled.h"

#include <catch2/catch.hpp>

#include "h5bridge/error.h"

using namespace h5bridge;
using Catch::Matchers::Contains;

namespace {

/// A whole of int16 0, 1, 2, ... and boxes of it.
struct Whole {
  Shape shape;
  int opened = 0;

  Tensor tensor() const {
    std::vector<std::int16_t> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int16_t>(i);
    return tensor_of(DType::Int16, shape, values);
  }
  TensorPart part(Shape offsets, Shape sizes) {
    Tensor box = tensor();
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      if (sizes[axis] > 0) box = box.slice(static_cast<std::int64_t>(axis), offsets[axis], offsets[axis] + sizes[axis]);
    std::vector<std::byte> bytes = element_count(sizes) == 0 ? std::vector<std::byte>() : box.read();
    return {std::move(offsets), std::move(sizes), [this, bytes] {
              ++opened;
              return bytes_in_memory(bytes);
            }};
  }
};

void check_every_range(const ByteSource& source, const std::vector<std::byte>& expected) {
  REQUIRE(source.size() == expected.size());
  for (std::size_t from = 0; from < expected.size(); ++from)
    for (std::size_t to = from + 1; to <= expected.size(); ++to) {
      std::vector<std::byte> found(to - from);
      source.read_at(from, found);
      CHECK(std::equal(found.begin(), found.end(), expected.begin() + static_cast<std::ptrdiff_t>(from)));
    }
}

}  // namespace

TEST_CASE("assembled: boxes of a tensor are the whole, wherever reading begins and ends", "[assembled]") {
  Whole whole{{5, 4}};
  std::vector<TensorPart> parts;
  SECTION("rows, one of them none") {
    for (auto& [from, count] : std::vector<std::pair<std::int64_t, std::int64_t>>{{2, 2}, {0, 2}, {4, 1}, {5, 0}})
      parts.push_back(whole.part({from, 0}, {count, 4}));
  }
  SECTION("columns") {
    parts.push_back(whole.part({0, 0}, {5, 3}));
    parts.push_back(whole.part({0, 3}, {5, 1}));
  }
  SECTION("both") {
    parts.push_back(whole.part({0, 0}, {2, 4}));
    parts.push_back(whole.part({2, 0}, {3, 1}));
    parts.push_back(whole.part({2, 1}, {3, 3}));
  }
  const ByteSourcePtr source = assembled(whole.shape, 2, std::move(parts));
  CHECK(whole.opened == 0);
  check_every_range(*source, whole.tensor().read());
}

TEST_CASE("assembled: tensors of three axes, of one element and of none", "[assembled]") {
  Whole whole{{2, 3, 2}};
  std::vector<TensorPart> parts;
  parts.push_back(whole.part({0, 0, 0}, {2, 1, 2}));
  parts.push_back(whole.part({0, 1, 0}, {2, 2, 2}));
  check_every_range(*assembled(whole.shape, 2, std::move(parts)), whole.tensor().read());

  Whole scalar{{}};
  std::vector<TensorPart> one;
  one.push_back(scalar.part({}, {}));
  check_every_range(*assembled({}, 2, std::move(one)), scalar.tensor().read());
  CHECK(assembled({0, 3}, 2, {})->size() == 0);
}

TEST_CASE("assembled: parts that are not the whole are refused", "[assembled]") {
  Whole whole{{4}};
  const auto refused = [&](std::vector<std::pair<std::int64_t, std::int64_t>> boxes, const std::string& words) {
    INFO(words);
    std::vector<TensorPart> parts;
    for (const auto& [from, count] : boxes) parts.push_back({{from}, {count}, [] { return bytes_in_memory({}); }});
    CHECK_THROWS_WITH(assembled(whole.shape, 2, std::move(parts)), Contains(words));
  };
  refused({{0, 2}}, "its parts have 4 bytes, expected 8");
  refused({{0, 2}, {1, 2}}, "two parts have the same elements");
  refused({{0, 4}, {1, 2}}, "two parts have the same elements");
  refused({{2, 3}}, "leaves the tensor");
  refused({{-1, 4}}, "leaves the tensor");
  std::vector<TensorPart> other;
  other.push_back({{0, 0}, {2, 2}, [] { return bytes_in_memory({}); }});
  CHECK_THROWS_WITH(assembled(whole.shape, 2, std::move(other)), Contains("a part has 2 axes, and the tensor 1"));

  std::vector<TensorPart> shorter;
  shorter.push_back({{0}, {4}, [] { return bytes_in_memory(std::vector<std::byte>(6)); }});
  const ByteSourcePtr source = assembled(whole.shape, 2, std::move(shorter));
  std::vector<std::byte> bytes(8);
  CHECK_THROWS_WITH(source->read_at(0, bytes), Contains("has 6 bytes, expected 8"));
}
