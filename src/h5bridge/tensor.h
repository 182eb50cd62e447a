// Tensors as views: a dtype, a shape and strides over bytes that may still be on disk. Moving axes about changes
// strides; bytes move once, when somebody reads them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "h5bridge/byte_source.h"
#include "h5bridge/dtype.h"
#include "h5bridge/error.h"

namespace h5bridge {

using Shape = std::vector<std::int64_t>;

/// "(2, 3)", "(5,)", "()": as Python prints a tuple.
std::string to_string(const Shape& shape);

/// The product of `shape`; throws UsageError on a negative extent or an overflow (of the extents that are not zero).
std::int64_t element_count(const Shape& shape);

/// Strides, in elements, of a row-major array.
std::vector<std::int64_t> contiguous_strides(const Shape& shape);

class Tensor {
 public:
  Tensor() : Tensor(DType::Float32, {0}, bytes_in_memory({})) {}
  /// A row-major tensor over all of `bytes`. Whatever is asked of a tensor that it cannot do is a UsageError: here,
  /// sizes that do not fit, and a null pointer.
  Tensor(DType dtype, Shape shape, ByteSourcePtr bytes);
  /// A view: strides and offset in elements. Throws UsageError if any element lies outside of `bytes`, a stride is
  /// negative, or the view repeats elements to more than 1 GiB (a few bytes in a file must not claim all memory).
  Tensor(DType dtype, Shape shape, std::vector<std::int64_t> strides, std::int64_t offset, ByteSourcePtr bytes);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape_.size()); }
  std::int64_t element_count() const { return h5bridge::element_count(shape_); }
  std::uint64_t byte_count() const { return static_cast<std::uint64_t>(element_count()) * size_of(dtype_); }
  const std::vector<std::int64_t>& strides() const { return strides_; }
  std::int64_t offset() const { return offset_; }
  const ByteSourcePtr& source() const { return bytes_; }
  bool is_contiguous() const;

  /// Axis i of the result is axis axes[i] of this one (numpy.transpose). Throws UsageError unless each is there once.
  Tensor permute(std::span<const std::int64_t> axes) const;
  /// Elements in row-major order under another shape of the same count (or a UsageError); copied only where they must.
  Tensor reshape(Shape shape) const;
  /// Elements start <= i < stop of one axis. Throws UsageError where there are none such.
  Tensor slice(std::int64_t axis, std::int64_t start, std::int64_t stop) const;

  /// The elements in row-major order, packed. Throws UsageError unless `into` has byte_count() bytes, SystemFailure
  /// where memory does not suffice or the file cannot be read, MalformedFile where that has become shorter.
  void read(std::span<std::byte> into) const;
  std::vector<std::byte> read() const;
  /// The elements as T; throws UsageError unless a T is as large as an element.
  template <typename T>
  std::vector<T> values() const;
  /// The same elements, row-major and in memory.
  Tensor contiguous() const;

 private:
  void require_element_size(std::size_t size) const;

  DType dtype_;
  Shape shape_;
  std::vector<std::int64_t> strides_;
  std::int64_t offset_ = 0;
  ByteSourcePtr bytes_;
};

/// A tensor over a copy of `values`.
template <typename T>
Tensor tensor_of(DType dtype, Shape shape, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return Tensor(dtype, std::move(shape), bytes_in_memory({bytes.begin(), bytes.end()}));
}

/// A tensor of zeros; takes no memory until it is read.
Tensor zeros(DType dtype, Shape shape);

/// Joins tensors of equal dtype and other extents along `axis`. Throws UsageError for others, and for none.
Tensor concatenate(std::span<const Tensor> tensors, std::int64_t axis);

/// Equal dtype, shape and bytes (so NaN equals itself, and 0.0 is not -0.0).
bool bit_equal(const Tensor& a, const Tensor& b);
inline bool operator==(const Tensor& a, const Tensor& b) { return bit_equal(a, b); }

/// The elements converted to another dtype, rounded to nearest, ties to even; throws Unsupported for pairs without a
/// conversion.
Tensor cast(const Tensor& tensor, DType dtype);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

template <typename T>
std::vector<T> Tensor::values() const {
  require_element_size(sizeof(T));
  return with_errors([&] {
    std::vector<T> result(static_cast<std::size_t>(element_count()));
    read(std::as_writable_bytes(std::span(result)));
    return result;
  });
}

}  // namespace h5bridge
