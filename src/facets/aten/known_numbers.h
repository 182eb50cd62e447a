// Tensors whose elements are known when a graph is read, as views of memory that others may share: what operations on
// constants are carried out with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "h5bridge/dtype.h"
#include "h5bridge/tensor.h"

namespace h5bridge::aten {

/// Whether elements are of a type whose arithmetic is done here: bool, int32, int64, float32 and float64.
bool is_foldable(DType dtype);

/// What views share. Integers and truth values stand in `integers`, all else in `reals`.
struct NumberBlock {
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::size_t root = 0;  // who made it
  bool is_read = false;  // by what is not carried out here
};

/// One number, in the way in which its type has it.
struct Number {
  bool is_real = false;
  std::int64_t integer = 0;
  double real = 0;
  double as_real() const { return is_real ? real : static_cast<double>(integer); }
  bool is_true() const { return is_real ? real != 0 : integer != 0; }
};

/// As an element of `dtype`, rounded or cut as PyTorch does.
Number converted(const Number& number, DType dtype);

class KnownNumbers {
 public:
  /// Zeros in memory of its own.
  KnownNumbers(DType dtype, Shape shape, std::size_t root);
  static KnownNumbers of(const Tensor& tensor, std::size_t root);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape_.size()); }
  std::int64_t count() const { return element_count(shape_); }
  NumberBlock& block() const { return *block_; }
  bool is_contiguous() const;

  Number at(const std::vector<std::int64_t>& place) const;
  void set(const std::vector<std::int64_t>& place, const Number& number);

  /// The same memory otherwise.
  KnownNumbers as_view(Shape shape, std::vector<std::int64_t> strides, std::int64_t offset) const;
  const std::vector<std::int64_t>& strides() const { return strides_; }
  std::int64_t offset() const { return offset_; }
  /// Stretched to a shape, as PyTorch broadcasts; nothing where that does not fit.
  std::optional<KnownNumbers> stretched(const Shape& shape) const;

  /// In memory of its own, with elements of `dtype`.
  KnownNumbers copy(DType dtype, std::size_t root) const;
  /// With the axes in memory in the order that they have here.
  Tensor tensor() const;

 private:
  Tensor in_order() const;
  KnownNumbers() = default;
  std::size_t memory_index(const std::vector<std::int64_t>& place) const;

  DType dtype_ = DType::Float32;
  Shape shape_;
  std::vector<std::int64_t> strides_;
  std::int64_t offset_ = 0;
  std::shared_ptr<NumberBlock> block_;
};

/// Every place of a shape, in row-major order.
void for_each_place(const Shape& shape, const std::function<void(const std::vector<std::int64_t>&)>& visit);

}  // namespace h5bridge::aten
