// Views against a naive oracle, hostile shapes and strides.
#include "h5bridge/tensor.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <complex>
#include <limits>
#include <numeric>
#include <random>

#include "h5bridge/error.h"

using namespace h5bridge;
using Catch::Matchers::Message;

namespace {

std::mt19937 random_engine(20240607);

std::int64_t random_between(std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random_engine);
}

/// A tensor as a list of elements in row-major order, changed one element at a time.
struct Oracle {
  Shape shape;
  std::vector<std::int64_t> elements;

  /// The result of shape `result_shape` whose element at an index is this one's element at source_index(index).
  template <typename SourceIndex>
  Oracle gathered(const Shape& result_shape, SourceIndex&& source_index) const {
    Oracle result{result_shape, {}};
    const std::vector<std::int64_t> strides = contiguous_strides(shape);
    for (std::int64_t flat = 0; flat < element_count(result_shape); ++flat) {
      Shape index(result_shape.size());
      std::int64_t rest = flat;
      for (std::size_t i = index.size(); i-- > 0;) {
        index[i] = rest % result_shape[i];
        rest /= result_shape[i];
      }
      const Shape source = source_index(index);
      const std::int64_t from = std::inner_product(source.begin(), source.end(), strides.begin(), std::int64_t{0});
      result.elements.push_back(elements[static_cast<std::size_t>(from)]);
    }
    return result;
  }
};

Oracle counting(const Shape& shape) {
  Oracle oracle{shape, std::vector<std::int64_t>(static_cast<std::size_t>(element_count(shape)))};
  std::iota(oracle.elements.begin(), oracle.elements.end(), 1000);
  return oracle;
}

Shape random_shape(std::int64_t most_axes, std::int64_t most_extent) {
  Shape shape(static_cast<std::size_t>(random_between(0, most_axes)));
  for (std::int64_t& extent : shape) extent = random_between(1, most_extent);
  return shape;
}

/// A random shape of `count` elements.
Shape random_factors(std::int64_t count) {
  Shape shape;
  while (count > 1) {
    std::int64_t factor = random_between(2, count);
    while (count % factor != 0) ++factor;
    shape.push_back(factor);
    count /= factor;
  }
  if (random_between(0, 1)) shape.insert(shape.begin() + random_between(0, static_cast<std::int64_t>(shape.size())), 1);
  return shape;
}

void random_step(Tensor& tensor, Oracle& oracle) {
  const std::int64_t rank = tensor.rank();
  switch (random_between(0, 2)) {
    case 0: {
      Shape axes(static_cast<std::size_t>(rank));
      std::iota(axes.begin(), axes.end(), 0);
      std::shuffle(axes.begin(), axes.end(), random_engine);
      Shape shape;
      for (const std::int64_t axis : axes) shape.push_back(oracle.shape[static_cast<std::size_t>(axis)]);
      tensor = tensor.permute(axes);
      oracle = oracle.gathered(shape, [&](const Shape& index) {
        Shape source(index.size());
        for (std::size_t i = 0; i < index.size(); ++i) source[static_cast<std::size_t>(axes[i])] = index[i];
        return source;
      });
      break;
    }
    case 1: {
      if (rank == 0) return;
      const auto axis = static_cast<std::size_t>(random_between(0, rank - 1));
      const std::int64_t start = random_between(0, oracle.shape[axis] - 1);
      const std::int64_t stop = random_between(start + 1, oracle.shape[axis]);
      tensor = tensor.slice(static_cast<std::int64_t>(axis), start, stop);
      Shape shape = oracle.shape;
      shape[axis] = stop - start;
      oracle = oracle.gathered(shape, [&](Shape index) {
        index[axis] += start;
        return index;
      });
      break;
    }
    default: oracle.shape = random_factors(tensor.element_count()); tensor = tensor.reshape(oracle.shape);
  }
}

template <typename T>
void check_random_views(DType dtype, int repeats = 300, std::int64_t most_axes = 5, std::int64_t most_extent = 7) {
  for (int repeat = 0; repeat < repeats; ++repeat) {
    Oracle oracle = counting(random_shape(most_axes, most_extent));
    Tensor tensor = tensor_of(dtype, oracle.shape, std::vector<T>(oracle.elements.begin(), oracle.elements.end()));
    for (int step = 0; step < 6; ++step) {
      random_step(tensor, oracle);
      REQUIRE(tensor.shape() == oracle.shape);
      REQUIRE(tensor.values<T>() == std::vector<T>(oracle.elements.begin(), oracle.elements.end()));
    }
  }
}

Tensor floats(Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), 0.0F);
  return tensor_of(DType::Float32, std::move(shape), values);
}

/// Counts what is read of it.
class Watched final : public ByteSource {
 public:
  explicit Watched(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const override { return size_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t largest_read() const { return largest_read_; }

 protected:
  // Element i, of four bytes, is i.
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    bytes_read_ += into.size();
    largest_read_ = std::max<std::uint64_t>(largest_read_, into.size());
    for (std::size_t i = 0; i < into.size(); ++i)
      into[i] = static_cast<std::byte>((offset + i) / 4 >> ((offset + i) % 4 * 8));
  }

 private:
  std::uint64_t size_;
  mutable std::uint64_t bytes_read_ = 0;
  mutable std::uint64_t largest_read_ = 0;
};

/// What another tensor's elements are, in row-major order, read when they are wanted.
class Elements final : public ByteSource {
 public:
  explicit Elements(Tensor tensor) : tensor_(std::move(tensor)) {}
  std::uint64_t size() const override { return tensor_.byte_count(); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::vector<std::byte> all = tensor_.read();
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
  }

 private:
  Tensor tensor_;
};

}  // namespace

TEST_CASE("views agree with a naive oracle for every element size", "[tensor]") {
  check_random_views<std::uint8_t>(DType::UInt8);
  check_random_views<std::int16_t>(DType::Int16);
  check_random_views<float>(DType::Float32);
  check_random_views<std::int64_t>(DType::Int64);
  check_random_views<std::complex<double>>(DType::Complex128);
}

TEST_CASE("reshape is a view wherever strides can say it", "[tensor]") {
  const Tensor tensor = floats({4, 6, 5});
  CHECK(tensor.reshape({2, 2, 30}).source() == tensor.source());
  CHECK(tensor.slice(0, 1, 3).reshape({60}).source() == tensor.source());
  // Axes 1 and 2 stay neighbours, so they merge.
  const Tensor turned = tensor.permute(Shape{1, 2, 0});
  CHECK(turned.reshape({30, 4}).strides() == Shape{1, 30});
  CHECK(turned.reshape({3, 2, 5, 2, 2}).strides() == Shape{10, 5, 1, 60, 30});
  const Tensor copied = turned.reshape({120});
  CHECK(copied.source() != tensor.source());
  CHECK(copied.values<float>() == turned.values<float>());
  CHECK_THROWS_MATCHES(tensor.reshape({4, 6, 4}), UsageError,
                       Message("a tensor of shape (4, 6, 5) cannot be reshaped to (4, 6, 4)"));
}

TEST_CASE("a tensor knows whether it is contiguous", "[tensor]") {
  CHECK(floats({2, 3}).is_contiguous());
  CHECK(floats({}).is_contiguous());
  CHECK(floats({0, 3}).is_contiguous());
  CHECK(floats({4, 3}).slice(0, 1, 2).is_contiguous());
  CHECK(floats({4, 1, 3}).permute(Shape{1, 0, 2}).is_contiguous());
  CHECK_FALSE(floats({2, 3}).permute(Shape{1, 0}).is_contiguous());
  CHECK_FALSE(floats({4, 3}).slice(1, 0, 2).is_contiguous());
  CHECK(floats({2, 3}).permute(Shape{1, 0}).contiguous().is_contiguous());
}

TEST_CASE("empty tensors and scalars", "[tensor]") {
  CHECK(Tensor().element_count() == 0);
  CHECK(floats({}).values<float>() == std::vector<float>{0});
  CHECK(floats({3, 0}).permute(Shape{1, 0}).shape() == Shape{0, 3});
  CHECK(floats({3}).slice(0, 3, 3).values<float>().empty());
  CHECK(floats({3, 0}).reshape({0, 7}).shape() == Shape{0, 7});
  // The strides of an empty view are not calculated with.
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK(Tensor(DType::Int8, {4, 0}, {huge, huge}, huge, bytes_in_memory({})).slice(0, 3, 4).shape() == Shape{1, 0});
}

TEST_CASE("repeated elements", "[tensor]") {
  const Tensor row = tensor_of<std::int32_t>(DType::Int32, {3}, {7, 8, 9});
  const Tensor repeated(DType::Int32, {2, 3, 2}, {0, 1, 0}, 0, row.source());
  CHECK(repeated.values<std::int32_t>() == std::vector<std::int32_t>{7, 7, 8, 8, 9, 9, 7, 7, 8, 8, 9, 9});
  CHECK_FALSE(repeated.is_contiguous());
  CHECK_THROWS_MATCHES(Tensor(DType::Int32, {std::int64_t{1} << 40}, {0}, 0, row.source()), UsageError,
                       Message("a int32 tensor of shape (1099511627776,) with strides (0,) and offset 0 "
                               "repeats 12 bytes to 4398046511104"));
}

TEST_CASE("views of many elements agree with a naive oracle for every element size", "[tensor]") {
  check_random_views<std::uint8_t>(DType::UInt8, 40, 3, 60);
  check_random_views<std::int16_t>(DType::Int16, 40, 3, 60);
  check_random_views<float>(DType::Float32, 40, 3, 60);
  check_random_views<std::int64_t>(DType::Int64, 40, 3, 60);
  check_random_views<std::complex<double>>(DType::Complex128, 40, 3, 60);
}

TEST_CASE("a large transposed tensor is read once, in bounded blocks", "[tensor]") {
  const std::int64_t rows = 3001;
  const std::int64_t columns = 2503;
  const auto source = std::make_shared<Watched>(rows * columns * 4);
  const Tensor tensor = Tensor(DType::Int32, {rows, columns}, source).permute(Shape{1, 0});
  const std::vector<std::int32_t> values = tensor.values<std::int32_t>();
  CHECK(source->bytes_read() == source->size());
  CHECK(source->largest_read() <= 1 << 24);
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < rows; ++j) wrong += values[static_cast<std::size_t>(i * rows + j)] != j * columns + i;
  CHECK(wrong == 0);
}

TEST_CASE("a large convolution kernel changes its axes", "[tensor]") {
  const Shape shape{3, 3, 256, 2048};
  const auto source = std::make_shared<Watched>(static_cast<std::uint64_t>(element_count(shape)) * 4);
  const std::vector<std::int32_t> values =
      Tensor(DType::Int32, shape, source).permute(Shape{3, 2, 0, 1}).values<std::int32_t>();
  CHECK(source->bytes_read() == source->size());
  std::int64_t wrong = 0;
  std::size_t at = 0;
  for (std::int64_t out = 0; out < shape[3]; ++out)
    for (std::int64_t in = 0; in < shape[2]; ++in)
      for (std::int64_t place = 0; place < 9; ++place)
        wrong += values[at++] != (place * shape[2] + in) * shape[3] + out;
  CHECK(wrong == 0);
}

TEST_CASE("a view is read of a source that reads a view itself", "[tensor]") {
  const std::vector<std::int64_t> swapped{1, 0};
  const Tensor inner = floats({30, 50}).permute(swapped);
  const Tensor outer = Tensor(DType::Float32, {50, 30}, std::make_shared<Elements>(inner)).permute(swapped);
  CHECK(bit_equal(outer.contiguous(), floats({30, 50})));
}

TEST_CASE("columns of a large matrix are read by rows' parts", "[tensor]") {
  const std::int64_t rows = 5003;
  const std::int64_t columns = 8192;
  const auto source = std::make_shared<Watched>(rows * columns * 4);
  const Tensor some = Tensor(DType::Int32, {rows, columns}, source).permute(Shape{1, 0}).slice(0, 4000, 4257);
  const std::vector<std::int32_t> values = some.values<std::int32_t>();
  CHECK(source->bytes_read() == some.byte_count());
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < 257; ++i)
    for (std::int64_t j = 0; j < rows; ++j)
      wrong += values[static_cast<std::size_t>(i * rows + j)] != j * columns + 4000 + i;
  CHECK(wrong == 0);
}

TEST_CASE("a sparse view reads little of a huge source", "[tensor]") {
  const auto source = std::make_shared<Watched>(std::uint64_t{1} << 40);
  const Tensor column(DType::Int32, {100, 2}, {1 << 28, 1000}, 5, source);
  const std::vector<std::int32_t> values = column.values<std::int32_t>();
  CHECK(source->bytes_read() < 1 << 20);
  for (std::int64_t i = 0; i < 100; ++i) {
    CHECK(values[static_cast<std::size_t>(2 * i)] == static_cast<std::int32_t>(5 + i * (1 << 28)));
    CHECK(values[static_cast<std::size_t>(2 * i + 1)] == static_cast<std::int32_t>(1005 + i * (1 << 28)));
  }
}

TEST_CASE("hostile shapes and strides", "[tensor]") {
  const std::int64_t huge = std::int64_t{1} << 62;
  const ByteSourcePtr bytes = bytes_in_memory(std::vector<std::byte>(24));
  const auto view = [&](Shape shape, Shape strides, std::int64_t offset) {
    return Tensor(DType::Float32, shape, strides, offset, bytes);
  };
  CHECK_NOTHROW(view({2, 3}, {3, 1}, 0));
  CHECK_THROWS_MATCHES(
      view({2, 3}, {3, 1}, 1), UsageError,
      Message("a float32 tensor of shape (2, 3) with strides (3, 1) and offset 1 reaches element 6 of a storage of 6"));
  CHECK_THROWS_MATCHES(view({2}, {-1}, 3), UsageError,
                       Message("a float32 tensor of shape (2,) with strides (-1,) and offset 3 goes backwards"));
  CHECK_THROWS_MATCHES(view({2}, {1}, -1), UsageError,
                       Message("a float32 tensor of shape (2,) with strides (1,) and offset -1 goes backwards"));
  CHECK_THROWS_MATCHES(
      view({2}, {}, 0), UsageError,
      Message("a float32 tensor of shape (2,) with strides () and offset 0 has not one stride for each axis"));
  CHECK_THROWS_MATCHES(view({3}, {huge}, 0), UsageError, Message("the extent of a view overflows 64 bits"));
  CHECK_THROWS_MATCHES(view({2}, {huge}, huge), UsageError, Message("the extent of a view overflows 64 bits"));
  CHECK_THROWS_MATCHES(view({huge, 4}, {0, 0}, 0), UsageError, Message("the size of a tensor overflows 64 bits"));
  CHECK_THROWS_MATCHES(view({huge}, {0}, 0), UsageError, Message("the size of a tensor overflows 64 bits"));
  CHECK_THROWS_MATCHES(view({2, -3}, {1, 1}, 0), UsageError, Message("the shape (2, -3) has a negative extent"));
  CHECK_THROWS_MATCHES(element_count({0, huge, huge}), UsageError, Message("the size of a tensor overflows 64 bits"));
  CHECK_THROWS_MATCHES(Tensor(DType::Float32, {5}, bytes), UsageError,
                       Message("a float32 tensor of shape (5,) takes 20 bytes, found 24"));
}

TEST_CASE("axes that do not exist", "[tensor]") {
  const Tensor tensor = floats({2, 3});
  CHECK_THROWS_MATCHES(tensor.permute(Shape{0, 2}), UsageError,
                       Message("axis 2 is out of range for a tensor of 2 axes"));
  CHECK_THROWS_MATCHES(tensor.permute(Shape{1, 1}), UsageError, Message("axis 1 is permuted twice"));
  CHECK_THROWS_MATCHES(tensor.permute(Shape{1}), UsageError, Message("a tensor of 2 axes is permuted by 1"));
  CHECK_THROWS_MATCHES(tensor.slice(-1, 0, 1), UsageError, Message("axis -1 is out of range for a tensor of 2 axes"));
  CHECK_THROWS_MATCHES(tensor.slice(1, 1, 4), UsageError,
                       Message("elements 1 to 4 of axis 1 do not exist in a tensor of shape (2, 3)"));
  CHECK_THROWS_MATCHES(tensor.slice(1, 2, 1), UsageError,
                       Message("elements 2 to 1 of axis 1 do not exist in a tensor of shape (2, 3)"));
}

TEST_CASE("zeros take no memory", "[tensor]") {
  CHECK(zeros(DType::Float32, {2, 2}).values<float>() == std::vector<float>(4));
  const Tensor vast = zeros(DType::Float64, {1 << 20, 1 << 20});
  CHECK(vast.slice(0, 5, 6).slice(1, 0, 3).values<double>() == std::vector<double>(3));
}

TEST_CASE("concatenate undoes slices", "[tensor]") {
  for (int repeat = 0; repeat < 100; ++repeat) {
    Oracle oracle = counting(random_shape(4, 6));
    if (oracle.shape.empty()) continue;
    const Tensor whole = tensor_of(DType::Int64, oracle.shape, oracle.elements);
    const std::int64_t axis = random_between(0, whole.rank() - 1);
    std::vector<Tensor> parts;
    for (std::int64_t at = 0, extent = whole.shape()[static_cast<std::size_t>(axis)]; at < extent;) {
      const std::int64_t stop = random_between(at, extent);
      parts.push_back(whole.slice(axis, at, stop));
      at = stop;
    }
    CHECK(bit_equal(concatenate(parts, axis), whole));
  }
  const std::vector<Tensor> uneven{floats({2, 3}), floats({2, 4})};
  CHECK(concatenate(uneven, 1).shape() == Shape{2, 7});
  CHECK_THROWS_MATCHES(
      concatenate(uneven, 0), UsageError,
      Message("a float32 tensor of shape (2, 4) cannot be joined along axis 0 to a float32 tensor of shape (2, 3)"));
  CHECK_THROWS_MATCHES(concatenate(std::vector<Tensor>{}, 0), UsageError, Message("no tensors to concatenate"));
}

TEST_CASE("bit_equal compares bits", "[tensor]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(bit_equal(tensor_of<float>(DType::Float32, {2}, {nan, 1}), tensor_of<float>(DType::Float32, {2}, {nan, 1})));
  CHECK_FALSE(bit_equal(tensor_of<float>(DType::Float32, {1}, {0.0F}), tensor_of<float>(DType::Float32, {1}, {-0.0F})));
  CHECK_FALSE(bit_equal(floats({2, 3}), floats({3, 2})));
  CHECK_FALSE(bit_equal(floats({1}), tensor_of<std::int32_t>(DType::Int32, {1}, {0})));
  CHECK(bit_equal(floats({2, 3}), floats({2, 3}).permute(Shape{1, 0}).contiguous().permute(Shape{1, 0})));
  // Larger than what is compared at once, with a difference in the last element.
  std::vector<std::uint8_t> bytes(40'000'003);
  const Tensor same = tensor_of(DType::UInt8, {1, 40'000'003}, bytes);
  CHECK(bit_equal(same, zeros(DType::UInt8, {1, 40'000'003})));
  bytes.back() = 1;
  CHECK_FALSE(bit_equal(same, tensor_of(DType::UInt8, {1, 40'000'003}, bytes)));
}
