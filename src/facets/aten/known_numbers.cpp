#include "facets/aten/known_numbers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "model/memory_order.h"
#include "model/numbers.h"

namespace h5bridge::aten {
namespace {

bool is_real(DType dtype) { return is_floating_point(dtype); }

// Beyond the range of its type PyTorch's result is not defined.
std::int64_t cut(double number) {
  constexpr double most = 9.2e18;
  return std::isfinite(number) && std::abs(number) < most ? static_cast<std::int64_t>(number) : 0;
}

template <typename T>
Tensor stored(DType dtype, const Shape& shape, const std::vector<Number>& numbers) {
  std::vector<T> elements;
  elements.reserve(numbers.size());
  for (const Number& number : numbers)
    elements.push_back(number.is_real ? static_cast<T>(number.real) : static_cast<T>(number.integer));
  return tensor_of(dtype, shape, elements);
}

}  // namespace

bool is_foldable(DType dtype) {
  return dtype == DType::Bool || dtype == DType::Int32 || dtype == DType::Int64 || dtype == DType::Float32 ||
         dtype == DType::Float64;
}

Number converted(const Number& number, DType dtype) {
  if (dtype == DType::Bool) return {false, number.is_true() ? 1 : 0, 0};
  if (dtype == DType::Float32) return {true, 0, static_cast<double>(static_cast<float>(number.as_real()))};
  if (is_real(dtype)) return {true, 0, number.as_real()};
  const std::int64_t whole = number.is_real ? cut(number.real) : number.integer;
  return {false, dtype == DType::Int32 ? static_cast<std::int32_t>(whole) : whole, 0};
}

KnownNumbers::KnownNumbers(DType dtype, Shape shape, std::size_t root)
    : dtype_(dtype),
      shape_(std::move(shape)),
      strides_(contiguous_strides(shape_)),
      block_(std::make_shared<NumberBlock>()) {
  const auto count = static_cast<std::size_t>(element_count(shape_));
  if (is_real(dtype_))
    block_->reals.resize(count);
  else
    block_->integers.resize(count);
  block_->root = root;
}

KnownNumbers KnownNumbers::of(const Tensor& tensor, std::size_t root) {
  KnownNumbers result(tensor.dtype(), tensor.shape(), root);
  if (is_real(tensor.dtype())) {
    result.block_->reals = as_doubles(tensor);
  } else if (tensor.dtype() == DType::Bool) {
    const auto truths = tensor.values<std::uint8_t>();
    result.block_->integers.assign(truths.begin(), truths.end());
  } else {
    result.block_->integers = cast(tensor, DType::Int64).values<std::int64_t>();
  }
  return result;
}

bool KnownNumbers::is_contiguous() const {
  std::int64_t expected = 1;
  for (std::size_t axis = shape_.size(); axis-- > 0;) {
    if (shape_[axis] != 1 && strides_[axis] != expected) return false;
    expected *= shape_[axis];
  }
  return true;
}

std::size_t KnownNumbers::memory_index(const std::vector<std::int64_t>& place) const {
  std::int64_t index = offset_;
  for (std::size_t axis = 0; axis < shape_.size(); ++axis) index += place[axis] * strides_[axis];
  return static_cast<std::size_t>(index);
}

Number KnownNumbers::at(const std::vector<std::int64_t>& place) const {
  const std::size_t index = memory_index(place);
  return is_real(dtype_) ? Number{true, 0, block_->reals.at(index)} : Number{false, block_->integers.at(index), 0};
}

void KnownNumbers::set(const std::vector<std::int64_t>& place, const Number& number) {
  const Number own = converted(number, dtype_);
  if (is_real(dtype_))
    block_->reals.at(memory_index(place)) = own.real;
  else
    block_->integers.at(memory_index(place)) = own.integer;
}

KnownNumbers KnownNumbers::as_view(Shape shape, std::vector<std::int64_t> strides, std::int64_t offset) const {
  KnownNumbers result(*this);
  result.shape_ = std::move(shape);
  result.strides_ = std::move(strides);
  result.offset_ = offset;
  return result;
}

std::optional<KnownNumbers> KnownNumbers::stretched(const Shape& shape) const {
  if (shape.size() < shape_.size()) return std::nullopt;
  const std::size_t more = shape.size() - shape_.size();
  std::vector<std::int64_t> strides(more, 0);
  for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
    if (shape_[axis] != shape[more + axis] && shape_[axis] != 1) return std::nullopt;
    strides.push_back(shape_[axis] == shape[more + axis] ? strides_[axis] : 0);
  }
  return as_view(shape, std::move(strides), offset_);
}

KnownNumbers KnownNumbers::copy(DType dtype, std::size_t root) const {
  KnownNumbers result(dtype, shape_, root);
  for_each_place(shape_, [&](const auto& place) { result.set(place, at(place)); });
  return result;
}

Tensor KnownNumbers::tensor() const {
  const auto order = memory_order(shape_, strides_);
  return order ? in_order().permute(*order).contiguous().permute(inverse_order(*order)) : in_order();
}

Tensor KnownNumbers::in_order() const {
  std::vector<Number> numbers;
  numbers.reserve(static_cast<std::size_t>(count()));
  for_each_place(shape_, [&](const auto& place) { numbers.push_back(at(place)); });
  switch (dtype_) {
    case DType::Float32: return stored<float>(dtype_, shape_, numbers);
    case DType::Float64: return stored<double>(dtype_, shape_, numbers);
    case DType::Int32: return stored<std::int32_t>(dtype_, shape_, numbers);
    case DType::Bool: return stored<std::uint8_t>(dtype_, shape_, numbers);
    default: return stored<std::int64_t>(dtype_, shape_, numbers);
  }
}

void for_each_place(const Shape& shape, const std::function<void(const std::vector<std::int64_t>&)>& visit) {
  if (element_count(shape) == 0) return;
  std::vector<std::int64_t> place(shape.size(), 0);
  while (true) {
    visit(place);
    std::size_t axis = shape.size();
    while (axis > 0 && ++place[axis - 1] == shape[axis - 1]) place[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace h5bridge::aten
