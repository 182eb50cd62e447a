#include "model/gather.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

namespace h5bridge {
namespace {

constexpr std::uint64_t kLargestBlock = std::uint64_t{1} << 24;  // bytes read at once and kept in memory
constexpr std::uint64_t kSmallBlock = std::uint64_t{1} << 16;    // bytes that cost little more to read than one
constexpr std::int64_t kTile = 32;  // elements of a row that are copied before the next row's

/// Copies elements in memory; the inner two axes are the one along which reading is nearest and the one for writing.
template <std::size_t ElementSize>
class Copier {
 public:
  Copier(std::span<const Axis> axes, const std::byte* from, std::byte* to)
      : from_(from), to_(to), outer_(axes.begin(), axes.end()) {
    const auto near_from = std::ranges::min_element(outer_, {}, &Axis::from_stride);
    read_ = take(near_from);
    const auto near_to = std::ranges::min_element(outer_, {}, &Axis::to_stride);
    write_ = near_to != outer_.end() && near_to->to_stride < read_.to_stride ? take(near_to) : Axis{1, 0, 0};
  }

  void copy() {
    // Tiles keep the rows that are written in the cache until their next elements come.
    for (std::int64_t start = 0; start < read_.extent; start += kTile) {
      const std::int64_t extent = write_.extent == 1 ? read_.extent : std::min(kTile, read_.extent - start);
      copy_outer(0, {extent, read_.from_stride, read_.to_stride}, start * read_.from_stride, start * read_.to_stride);
      if (extent == read_.extent) break;
    }
  }

 private:
  Axis take(std::vector<Axis>::iterator axis) {
    const Axis taken = *axis;
    outer_.erase(axis);
    return taken;
  }

  // As deep as there are axes.
  void copy_outer(std::size_t depth, const Axis& row, std::int64_t from, std::int64_t to) const {
    if (depth == outer_.size()) return copy_tile(row, from, to);
    const Axis& axis = outer_[depth];
    for (std::int64_t i = 0; i < axis.extent; ++i)
      copy_outer(depth + 1, row, from + i * axis.from_stride, to + i * axis.to_stride);
  }

  void copy_tile(const Axis& row, std::int64_t from, std::int64_t to) const {
    for (std::int64_t start = 0; start < write_.extent; start += kTile) {
      const std::int64_t stop = std::min(start + kTile, write_.extent);
      for (std::int64_t i = start; i < stop; ++i)
        copy_row(row, from + i * write_.from_stride, to + i * write_.to_stride);
    }
  }

  void copy_row(const Axis& row, std::int64_t from, std::int64_t to) const {
    constexpr auto kSize = static_cast<std::int64_t>(ElementSize);
    const std::byte* source = from_ + from * kSize;
    std::byte* target = to_ + to * kSize;
    if (row.from_stride == 1 && row.to_stride == 1) {
      std::memcpy(target, source, static_cast<std::size_t>(row.extent) * ElementSize);
      return;
    }
    for (std::int64_t i = 0; i < row.extent; ++i) {
      std::memcpy(target, source, ElementSize);
      source += row.from_stride * kSize;
      target += row.to_stride * kSize;
    }
  }

  const std::byte* from_;
  std::byte* to_;
  std::vector<Axis> outer_;
  Axis read_;
  Axis write_;
};

using Copy = void (*)(std::span<const Axis> axes, const std::byte* from, std::byte* to);

template <std::size_t ElementSize>
void copy(std::span<const Axis> axes, const std::byte* from, std::byte* to) {
  Copier<ElementSize>(axes, from, to).copy();
}

Copy copy_for(std::size_t element_size) {
  switch (element_size) {
    case 1: return copy<1>;
    case 2: return copy<2>;
    case 4: return copy<4>;
    case 8: return copy<8>;
    case 16: return copy<16>;
    default: throw std::logic_error("no element type has " + std::to_string(element_size) + " bytes");
  }
}

/// Cuts a view into pieces that are runs in file and memory, or that fit a buffer, and reads each.
class Gatherer {
 public:
  Gatherer(const ByteSource& source, std::size_t element_size, std::span<std::byte> into)
      : source_(source), element_size_(element_size), copy_(copy_for(element_size)), into_(into) {}

  // As deep as the extents' logarithms, which add up to less than 64.
  void gather(std::vector<Axis> axes, std::int64_t from, std::int64_t to) {
    std::erase_if(axes, [](const Axis& axis) { return axis.extent == 1; });
    std::uint64_t count = 1;
    std::uint64_t span = 1;
    for (const Axis& axis : axes) {
      count *= static_cast<std::uint64_t>(axis.extent);
      span += static_cast<std::uint64_t>((axis.extent - 1) * axis.from_stride);
    }
    const std::uint64_t bytes = count * element_size_;
    const std::uint64_t block = span * element_size_;
    const bool is_run = axes.empty() || (axes.size() == 1 && axes[0].from_stride == 1 && axes[0].to_stride == 1);
    const bool is_dense = block <= kSmallBlock || block / 4 <= bytes;
    const std::uint64_t source_at = static_cast<std::uint64_t>(from) * element_size_;
    const std::uint64_t target_at = static_cast<std::uint64_t>(to) * element_size_;
    if (is_run) {
      source_.read_at(source_at, into_.subspan(target_at, bytes));
    } else if (is_dense && block <= kLargestBlock) {
      const std::span<std::byte> buffer = buffer_of(block);
      source_.read_at(source_at, buffer);
      copy_(axes, buffer.data(), into_.data() + target_at);
    } else {
      gather_halves(std::move(axes), from, to);
    }
  }

 private:
  void gather_halves(std::vector<Axis> axes, std::int64_t from, std::int64_t to) {
    Axis& widest = *std::ranges::max_element(axes, {}, &Axis::from_stride);
    const Axis whole = widest;
    const std::int64_t half = whole.extent / 2;
    widest.extent = half;
    gather(axes, from, to);
    widest.extent = whole.extent - half;
    gather(std::move(axes), from + half * whole.from_stride, to + half * whole.to_stride);
  }

  // Not cleared: the source fills it.
  std::span<std::byte> buffer_of(std::uint64_t size) {
    if (size > capacity_) buffer_ = std::make_unique_for_overwrite<std::byte[]>(capacity_ = size);
    return {buffer_.get(), size};
  }

  const ByteSource& source_;
  std::uint64_t element_size_;
  Copy copy_;
  std::span<std::byte> into_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t capacity_ = 0;
};

}  // namespace

std::vector<Axis> merged_axes(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  std::vector<Axis> axes;  // innermost first
  std::int64_t to_stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (!axes.empty() && strides[i] == axes.back().from_stride * axes.back().extent)
      axes.back().extent *= shape[i];
    else
      axes.push_back({shape[i], strides[i], to_stride});
    to_stride *= shape[i];
  }
  std::ranges::reverse(axes);
  return axes;
}

void gather(const ByteSource& source, std::vector<Axis> axes, std::int64_t offset, std::size_t element_size,
            std::span<std::byte> into) {
  Gatherer(source, element_size, into).gather(std::move(axes), offset, 0);
}

}  // namespace h5bridge
