#include "facets/spec/weight_rule.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "facets/spec/product.h"
#include "h5bridge/error.h"
#include "model/checked.h"

namespace h5bridge {
namespace {

using Tensors = std::vector<Tensor>;

std::vector<std::int64_t> inverse(const std::vector<std::int64_t>& permutation) {
  std::vector<std::int64_t> result(permutation.size());
  for (std::size_t i = 0; i < permutation.size(); ++i) result[permutation[i]] = static_cast<std::int64_t>(i);
  return result;
}

Tensor expect_shape(const Tensor& tensor, const Shape& expected) {
  if (tensor.shape() != expected)
    throw MalformedFile("has shape " + to_string(tensor.shape()) + ", expected " + to_string(expected));
  return tensor;
}

Tensor reordered(const Tensor& tensor, std::int64_t axis, const std::vector<std::int64_t>& order) {
  const auto blocks = static_cast<std::int64_t>(order.size());
  const std::int64_t extent = tensor.shape().at(axis);
  if (extent % blocks != 0)
    throw MalformedFile("axis " + std::to_string(axis) + " of " + to_string(tensor.shape()) + " has no " +
                        std::to_string(blocks) + " equal blocks");
  const std::int64_t length = extent / blocks;
  Tensors parts;
  for (const std::int64_t block : order) parts.push_back(tensor.slice(axis, block * length, (block + 1) * length));
  return concatenate(parts, axis);
}

template <typename Change>
Tensors each(const Tensors& tensors, Change&& change) {
  Tensors result;
  for (const Tensor& tensor : tensors) result.push_back(change(tensor));
  return result;
}

// One overload a step and direction; what each does is in the header.
Tensors forward(const PermuteAxes& step, const Tensors& tensors) {
  return each(tensors, [&](const Tensor& t) { return t.permute(step.axes); });
}
Tensors backward(const PermuteAxes& step, const Tensors& tensors) {
  return each(tensors, [&](const Tensor& t) { return t.permute(inverse(step.axes)); });
}

Tensors forward(const ChangeShape& step, const Tensors& tensors) {
  return each(tensors, [&](const Tensor& t) { return expect_shape(t, step.torch).reshape(step.keras); });
}
Tensors backward(const ChangeShape& step, const Tensors& tensors) {
  return each(tensors, [&](const Tensor& t) { return expect_shape(t, step.keras).reshape(step.torch); });
}

Tensors forward(const Join& step, const Tensors& tensors) { return {concatenate(tensors, step.axis)}; }
Tensors backward(const Join& step, const Tensors& tensors) {
  Tensors parts;
  std::int64_t start = 0;
  for (const std::int64_t extent : step.extents) {
    parts.push_back(tensors.at(0).slice(step.axis, start, start + extent));
    start += extent;
  }
  return parts;
}

Tensors forward(const Split& step, const Tensors& tensors) {
  const std::size_t whole = step.first_is_cut ? step.extents.size() : 0;
  Tensors parts;
  std::int64_t start = 0;
  for (std::size_t part = 0; part < step.extents.size(); ++part) {
    const std::int64_t end = start + step.extents[part];
    if (whole > 0) parts.push_back(tensors.at(part));
    for (std::size_t i = whole; i < tensors.size(); ++i) parts.push_back(tensors[i].slice(step.axis, start, end));
    start = end;
  }
  return parts;
}
Tensors backward(const Split& step, const Tensors& tensors) {
  const std::size_t count = tensors.size() / step.extents.size();
  Tensors result;
  for (std::size_t i = 0; i < count; ++i) {
    Tensors parts;
    for (std::size_t part = 0; part < step.extents.size(); ++part) parts.push_back(tensors.at(part * count + i));
    if (i == 0 && step.first_is_cut)
      result = std::move(parts);
    else
      result.push_back(concatenate(parts, step.axis));
  }
  return result;
}

std::vector<std::int64_t> first_axes_last(std::int64_t rank, std::int64_t count) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back((axis + count) % rank);
  return axes;
}
Tensors forward(const HeadsLast& step, const Tensors& tensors) {
  return each(tensors, [&, next = std::size_t{0}](const Tensor& t) mutable {
    const std::int64_t heads = step.of(next++);
    Shape shape = t.shape();
    if (shape.at(0) % heads != 0)
      throw MalformedFile("has shape " + to_string(shape) + ", expected " + std::to_string(heads) +
                          " equal blocks on its first axis");
    shape.at(0) /= heads;
    shape.insert(shape.begin(), heads);
    return t.reshape(shape).permute(first_axes_last(static_cast<std::int64_t>(shape.size()), 2));
  });
}
Tensors backward(const HeadsLast& step, const Tensors& tensors) {
  return each(tensors, [&, next = std::size_t{0}](const Tensor& t) mutable {
    const std::int64_t rank = t.rank(), heads = step.of(next++);
    if (rank < 2 || t.shape().at(static_cast<std::size_t>(rank) - 2) != heads)
      throw MalformedFile("has shape " + to_string(t.shape()) + ", expected " + std::to_string(heads) +
                          " as the last size but one");
    const Tensor first = t.permute(first_axes_last(rank, rank - 2));
    Shape shape = first.shape();
    shape.erase(shape.begin());
    shape.at(0) *= heads;
    return first.reshape(shape);
  });
}

Tensors forward(const ReorderBlocks& step, const Tensors& tensors) {
  return each(tensors, [&](const Tensor& t) { return reordered(t, step.axis, step.order); });
}
Tensors backward(const ReorderBlocks& step, const Tensors& tensors) {
  return each(tensors, [&](const Tensor& t) { return reordered(t, step.axis, inverse(step.order)); });
}

template <typename T>
Tensor added(const Tensor& a, const Tensor& b) {
  std::vector<T> sum = a.values<T>();
  const std::vector<T> other = b.values<T>();
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
  return tensor_of(a.dtype(), a.shape(), sum);
}

// As PyTorch adds: half precision is added in single and rounded.
Tensor added(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype())
    throw MalformedFile("has shape " + to_string(b.shape()) + ", expected " + to_string(a.shape()) +
                        ", that of the tensor it is added to, and its dtype");
  if (a.dtype() == DType::Float64) return added<double>(a, b);
  if (a.dtype() == DType::Float32) return added<float>(a, b);
  return cast(added<float>(cast(a, DType::Float32), cast(b, DType::Float32)), a.dtype());
}

Tensors forward(const Sum&, const Tensors& tensors) {
  Tensor total = tensors.at(0);
  for (std::size_t i = 1; i < tensors.size(); ++i) total = added(total, tensors[i]);
  return {total};
}
Tensors backward(const Sum& step, const Tensors& tensors) {
  Tensors result{tensors.at(0)};
  result.resize(step.count, zeros(result[0].dtype(), result[0].shape()));
  return result;
}

using Given = std::span<const Tensor>;

Tensors forward(const Product&, const Tensors& tensors, Given given) {
  return {tensors.empty() ? product(given[0], given[1]) : product(tensors[0], given[0])};
}
Tensors backward(const Product&, const Tensors& tensors, Given given) {
  std::optional<Tensor> factor;
  if (given.size() == 1) factor = left_factor(tensors.at(0), given[0]);
  if (!factor && (given.size() == 1 || !equal_but_for_rounding(tensors.at(0), product(given[0], given[1]))))
    throw Unsupported("is not their product any more, as after training in Keras, and PyTorch's layer cannot say that");
  return factor ? Tensors{*factor} : Tensors{};
}

// The other steps take nothing but their tensors.
template <typename Step>
Tensors forward(const Step& step, const Tensors& tensors, Given) {
  return forward(step, tensors);
}
template <typename Step>
Tensors backward(const Step& step, const Tensors& tensors, Given) {
  return backward(step, tensors);
}

template <typename Step>
bool holds(std::span<const WeightStep> steps) {
  return std::ranges::any_of(steps, [](const WeightStep& step) { return std::holds_alternative<Step>(step); });
}

WeightStep undoing(const PermuteAxes& step) { return PermuteAxes{inverse(step.axes)}; }
WeightStep undoing(const ChangeShape& step) { return ChangeShape{step.keras, step.torch}; }
WeightStep undoing(const ReorderBlocks& step) { return ReorderBlocks{step.axis, inverse(step.order)}; }
WeightStep undoing(const Sum&) { throw std::logic_error("a sum is not undone by a single step"); }
WeightStep undoing(const Product&) { throw std::logic_error("a product is not undone by a single step"); }
WeightStep undoing(const Split&) { throw std::logic_error("a split is not undone by a single step"); }
WeightStep undoing(const HeadsLast&) { throw std::logic_error("heads are not undone by a single step"); }
WeightStep undoing(const Join&) { throw std::logic_error("a join is not undone by a single step"); }

}  // namespace

bool is_lossy(std::span<const WeightStep> steps) { return holds<Sum>(steps) || holds<Product>(steps); }

bool has_product(std::span<const WeightStep> steps) { return holds<Product>(steps); }

std::vector<WeightStep> without_sums(std::span<const WeightStep> steps) {
  std::vector<WeightStep> result;
  std::ranges::copy_if(steps, std::back_inserter(result),
                       [](const WeightStep& step) { return !std::holds_alternative<Sum>(step); });
  return result;
}

std::vector<WeightStep> inverse(std::span<const WeightStep> steps) {
  std::vector<WeightStep> result;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step)
    result.push_back(std::visit([](const auto& s) { return undoing(s); }, *step));
  return result;
}

std::vector<Tensor> to_keras(std::span<const WeightStep> steps, std::vector<Tensor> tensors,
                             std::span<const Tensor> given) {
  return as_file_says([&] {
    for (const WeightStep& step : steps)
      tensors = std::visit([&](const auto& s) { return forward(s, tensors, given); }, step);
    return std::move(tensors);
  });
}

std::vector<Tensor> to_torch(std::span<const WeightStep> steps, std::vector<Tensor> tensors,
                             std::span<const Tensor> given) {
  return as_file_says([&] {
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
      tensors = std::visit([&](const auto& s) { return backward(s, tensors, given); }, *step);
    return std::move(tensors);
  });
}

}  // namespace h5bridge
