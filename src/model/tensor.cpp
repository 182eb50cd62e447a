#include "h5bridge/tensor.h"

#include <algorithm>
#include <optional>

#include "h5bridge/error.h"
#include "model/checked.h"
#include "model/gather.h"
#include "model/tensor_view.h"

namespace h5bridge {
namespace {

constexpr std::uint64_t kMostRepeated = std::uint64_t{1} << 30;

class Zeros final : public ByteSource {
 public:
  explicit Zeros(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const override { return size_; }

 protected:
  void read_range(std::uint64_t, std::span<std::byte> into) const override { std::ranges::fill(into, std::byte{0}); }

 private:
  std::uint64_t size_;
};

std::string described(DType dtype, const Shape& shape) {
  return "a " + std::string(name_of(dtype)) + " tensor of shape " + to_string(shape);
}

/// The bytes of a packed tensor of this shape; throws if they do not fit 64 bits.
std::int64_t packed_bytes(DType dtype, const Shape& shape) {
  return checked_multiply<UsageError>(element_count(shape), static_cast<std::int64_t>(size_of(dtype)),
                                      "the size of a tensor");
}

void require_bytes(const ByteSourcePtr& bytes) {
  if (!bytes) throw UsageError("a tensor is made of a null pointer, expected a source of bytes");
}

ByteSourcePtr exactly(DType dtype, const Shape& shape, ByteSourcePtr bytes) {
  require_bytes(bytes);
  const std::int64_t wanted = packed_bytes(dtype, shape);
  if (bytes->size() != static_cast<std::uint64_t>(wanted))
    throw UsageError(described(dtype, shape) + " takes " + std::to_string(wanted) + " bytes, found " +
                     std::to_string(bytes->size()));
  return bytes;
}

std::int64_t checked_axis(std::int64_t axis, std::int64_t rank) {
  if (axis < 0 || axis >= rank)
    throw UsageError("axis " + std::to_string(axis) + " is out of range for a tensor of " + std::to_string(rank) +
                     " axes");
  return axis;
}

/// Strides that make a view of `shape` under the other shape `wanted`, of as many elements; nothing if there are none.
std::optional<std::vector<std::int64_t>> strides_of_view(std::span<const Axis> axes, const Shape& wanted) {
  // `axes` are merged as far as strides allow, so each must be the product of a run of wanted extents.
  std::vector<std::int64_t> strides(wanted.size(), 1);
  std::size_t next = wanted.size();
  for (std::size_t i = axes.size(); i-- > 0;) {
    std::int64_t covered = 1;
    while (covered < axes[i].extent) {
      // As many elements on both sides: an extent is left.
      --next;
      strides[next] = axes[i].from_stride * covered;
      covered *= wanted[next];
    }
    if (covered != axes[i].extent) return std::nullopt;
  }
  return strides;
}

Tensor joined(std::span<const Tensor> tensors, std::int64_t axis) {
  if (tensors.empty()) throw UsageError("no tensors to concatenate");
  const Tensor& first = tensors.front();
  const auto along = static_cast<std::size_t>(checked_axis(axis, first.rank()));
  Shape shape = first.shape();
  shape[along] = 0;
  for (const Tensor& tensor : tensors) {
    Shape expected = first.shape();
    if (tensor.rank() == first.rank()) expected[along] = tensor.shape()[along];
    if (tensor.dtype() != first.dtype() || tensor.shape() != expected)
      throw UsageError(described(tensor.dtype(), tensor.shape()) + " cannot be joined along axis " +
                       std::to_string(axis) + " to " + described(first.dtype(), first.shape()));
    shape[along] = checked_add<UsageError>(shape[along], expected[along], "the size of a tensor");
  }

  std::vector<std::byte> bytes(static_cast<std::size_t>(packed_bytes(first.dtype(), shape)));
  const std::int64_t rows = element_count(Shape(shape.begin(), shape.begin() + axis));
  const std::size_t row_bytes = rows == 0 ? 0 : bytes.size() / static_cast<std::size_t>(rows);
  std::size_t column = 0;
  for (const Tensor& tensor : tensors) {
    const std::vector<std::byte> part = tensor.read();
    if (part.empty()) continue;
    const std::size_t part_bytes = part.size() / static_cast<std::size_t>(rows);
    for (std::size_t from = 0, to = column; from < part.size(); from += part_bytes, to += row_bytes)
      std::copy_n(part.data() + from, part_bytes, bytes.data() + to);
    column += part_bytes;
  }
  return Tensor(first.dtype(), std::move(shape), bytes_in_memory(std::move(bytes)));
}

}  // namespace

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw UsageError("the shape " + to_string(shape) + " has a negative extent");
    // Zeros count only at the end, so that the strides of an empty tensor cannot overflow either.
    count = checked_multiply<UsageError>(count, std::max<std::int64_t>(extent, 1), "the size of a tensor");
  }
  return std::ranges::count(shape, 0) > 0 ? 0 : count;
}

std::vector<std::int64_t> contiguous_strides(const Shape& shape) {
  element_count(shape);
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

Tensor::Tensor(DType dtype, Shape shape, ByteSourcePtr bytes)
    : dtype_(dtype),
      shape_(std::move(shape)),
      strides_(contiguous_strides(shape_)),
      bytes_(exactly(dtype, shape_, std::move(bytes))) {}

Tensor::Tensor(DType dtype, Shape shape, std::vector<std::int64_t> strides, std::int64_t offset, ByteSourcePtr bytes)
    : dtype_(dtype), shape_(std::move(shape)), strides_(std::move(strides)), offset_(offset), bytes_(std::move(bytes)) {
  require_bytes(bytes_);
  const auto fail = [this](const std::string& reason) {
    const std::string place = " with strides " + to_string(strides_) + " and offset " + std::to_string(offset_) + " ";
    throw UsageError(described(dtype_, shape_) + place + reason);
  };
  if (strides_.size() != shape_.size()) fail("has not one stride for each axis");
  if (offset_ < 0 || std::ranges::any_of(strides_, [](std::int64_t stride) { return stride < 0; }))
    fail("goes backwards");
  const std::int64_t bytes_viewed = packed_bytes(dtype_, shape_);
  if (bytes_viewed == 0) {
    // Whatever a file says here means nothing, and is not to be calculated with.
    strides_ = contiguous_strides(shape_);
    offset_ = 0;
    return;
  }

  std::int64_t last = offset_;
  for (std::size_t i = 0; i < shape_.size(); ++i)
    last = checked_add<UsageError>(
        last, checked_multiply<UsageError>(shape_[i] - 1, strides_[i], "the extent of a view"), "the extent of a view");
  const std::uint64_t elements = bytes_->size() / size_of(dtype_);
  if (static_cast<std::uint64_t>(last) >= elements)
    fail("reaches element " + std::to_string(last) + " of a storage of " + std::to_string(elements));
  if (static_cast<std::uint64_t>(bytes_viewed) > std::max(bytes_->size(), kMostRepeated))
    fail("repeats " + std::to_string(bytes_->size()) + " bytes to " + std::to_string(bytes_viewed));
}

bool Tensor::is_contiguous() const {
  const std::vector<Axis> axes = merged_axes(shape_, strides_);
  return axes.empty() || element_count() == 0 || (axes.size() == 1 && axes[0].from_stride == 1);
}

Tensor Tensor::permute(std::span<const std::int64_t> axes) const {
  Shape shape;
  std::vector<std::int64_t> strides;
  std::vector<bool> seen(shape_.size());
  for (const std::int64_t axis : axes) {
    const auto i = static_cast<std::size_t>(checked_axis(axis, rank()));
    if (seen[i]) throw UsageError("axis " + std::to_string(axis) + " is permuted twice");
    seen[i] = true;
    shape.push_back(shape_[i]);
    strides.push_back(strides_[i]);
  }
  if (axes.size() != shape_.size())
    throw UsageError("a tensor of " + std::to_string(rank()) + " axes is permuted by " + std::to_string(axes.size()));
  return Tensor(dtype_, std::move(shape), std::move(strides), offset_, bytes_);
}

Tensor Tensor::reshape(Shape shape) const {
  if (h5bridge::element_count(shape) != element_count())
    throw UsageError("a tensor of shape " + to_string(shape_) + " cannot be reshaped to " + to_string(shape));
  if (element_count() == 0) return Tensor(dtype_, shape, contiguous_strides(shape), 0, bytes_);
  if (auto strides = strides_of_view(merged_axes(shape_, strides_), shape))
    return Tensor(dtype_, std::move(shape), *std::move(strides), offset_, bytes_);
  return Tensor(dtype_, std::move(shape), bytes_in_memory(read()));
}

Tensor Tensor::slice(std::int64_t axis, std::int64_t start, std::int64_t stop) const {
  const auto i = static_cast<std::size_t>(checked_axis(axis, rank()));
  if (start < 0 || stop < start || stop > shape_[i])
    throw UsageError("elements " + std::to_string(start) + " to " + std::to_string(stop) + " of axis " +
                     std::to_string(axis) + " do not exist in a tensor of shape " + to_string(shape_));
  Shape shape = shape_;
  shape[i] = stop - start;
  // An empty slice may begin where no element is; its offset means nothing.
  const std::int64_t offset = stop == start ? offset_ : offset_ + start * strides_[i];
  return Tensor(dtype_, std::move(shape), strides_, offset, bytes_);
}

void Tensor::read(std::span<std::byte> into) const {
  if (into.size() != byte_count())
    throw UsageError(described(dtype_, shape_) + " takes a buffer of " + std::to_string(byte_count()) +
                     " bytes, not one of " + std::to_string(into.size()));
  if (into.empty()) return;
  with_errors([&] { gather(*bytes_, merged_axes(shape_, strides_), offset_, size_of(dtype_), into); });
}

std::vector<std::byte> Tensor::read() const {
  return with_errors([&] {
    std::vector<std::byte> bytes(byte_count());
    read(bytes);
    return bytes;
  });
}

void Tensor::require_element_size(std::size_t size) const {
  if (size != size_of(dtype_))
    throw UsageError("elements of " + std::string(name_of(dtype_)) + " take " + std::to_string(size_of(dtype_)) +
                     " bytes each, and cannot be had as values of " + std::to_string(size));
}

Tensor Tensor::contiguous() const { return Tensor(dtype_, shape_, bytes_in_memory(read())); }

Tensor zeros(DType dtype, Shape shape) {
  auto bytes = std::make_shared<Zeros>(static_cast<std::uint64_t>(packed_bytes(dtype, shape)));
  return Tensor(dtype, std::move(shape), std::move(bytes));
}

Tensor concatenate(std::span<const Tensor> tensors, std::int64_t axis) {
  return with_errors([&] { return joined(tensors, axis); });
}

bool bit_equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  if (view_of(a) == view_of(b)) return true;
  constexpr std::uint64_t kMostAtOnce = std::uint64_t{1} << 24;
  const auto divisible = std::ranges::find_if(a.shape(), [](std::int64_t extent) { return extent > 1; });
  if (a.byte_count() <= kMostAtOnce || divisible == a.shape().end()) return a.read() == b.read();
  const std::int64_t axis = divisible - a.shape().begin();
  const std::int64_t half = *divisible / 2;
  const auto equal_between = [&](std::int64_t start, std::int64_t stop) {
    return bit_equal(a.slice(axis, start, stop), b.slice(axis, start, stop));
  };
  return equal_between(0, half) && equal_between(half, *divisible);
}

}  // namespace h5bridge
