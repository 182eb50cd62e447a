#include "model/gather.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

namespace h5bridge {
namespace {

constexpr std::uint64_t kLargestBlock = std::uint64_t{1} << 22;  // bytes read at once and kept in memory
constexpr std::uint64_t kSmallBlock = std::uint64_t{1} << 16;    // bytes that cost little more to read than one
constexpr std::uint64_t kSmallGap = std::uint64_t{1} << 12;      // bytes that are read sooner than passed over

/// Not cleared: a source fills it.
struct Buffer {
  std::unique_ptr<std::byte[]> bytes;
  std::uint64_t size = 0;
};

// One is kept for the next tensor, as fresh pages for each would take as long as to read it. A thread that finds none,
// or a source that gathers itself, has its own. No thread_local: that of a thread's first use waits for a dlopen.
Buffer exchange_kept(Buffer buffer) {
  static std::mutex mutex;
  static Buffer kept;
  const std::scoped_lock lock(mutex);
  return std::exchange(kept, std::move(buffer));
}

/// Cuts a view into pieces that are runs in file and memory, or that fit a buffer, and reads each.
class Gatherer {
 public:
  Gatherer(const ByteSource& source, std::size_t element_size, std::span<std::byte> into)
      : source_(source), element_size_(element_size), into_(into), buffer_(exchange_kept({})) {}
  ~Gatherer() {
    if (buffer_.size > 0) exchange_kept(std::move(buffer_));
  }
  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;

  // As deep as the extents' logarithms, which add up to less than 64.
  void gather(std::vector<Axis> axes, std::int64_t from, std::int64_t to) {
    std::erase_if(axes, [](const Axis& axis) { return axis.extent == 1; });
    const bool is_run = axes.empty() || (axes.size() == 1 && axes[0].from_stride == 1 && axes[0].to_stride == 1);
    if (is_run) return source_.read_at(bytes(from), into_.subspan(bytes(to), bytes(axes.empty() ? 1 : axes[0].extent)));

    std::ranges::sort(axes, {}, &Axis::from_stride);
    const auto [dense, span] = dense_axes(axes);
    std::int64_t blocks = 1;
    for (std::size_t i = dense; i < axes.size(); ++i) blocks *= axes[i].extent;
    // Reading what is between two blocks may take less time than asking for each.
    const bool is_near = dense < axes.size() && bytes(axes[dense].from_stride) < kSmallGap + bytes(span);
    if (is_near || bytes(span) > kLargestBlock || static_cast<std::uint64_t>(blocks) > kLargestBlock / bytes(span))
      return gather_halves(std::move(axes), from, to);
    const std::span<std::byte> buffer = buffer_of(bytes(span * blocks));
    read_blocks(std::span(axes).subspan(dense), from, buffer);
    // In the buffer the blocks lie one behind the other.
    std::int64_t stride = span;
    for (std::size_t i = dense; i < axes.size(); ++i) {
      axes[i].from_stride = stride;
      stride *= axes[i].extent;
    }
    strided_copy(axes, element_size_, buffer.data(), into_.data() + bytes(to));
  }

 private:
  struct Dense {
    std::size_t axes;
    std::int64_t span;  // in elements, of what they reach
  };

  std::uint64_t bytes(std::int64_t elements) const { return static_cast<std::uint64_t>(elements) * element_size_; }

  /// How many of the nearest axes are read as one block, because most of it is wanted or because it is small.
  Dense dense_axes(std::span<const Axis> axes) const {
    Dense result{0, 1};
    std::int64_t count = 1;
    for (const Axis& axis : axes) {
      const std::int64_t span = result.span + (axis.extent - 1) * axis.from_stride;
      count *= axis.extent;
      if (bytes(span) > kSmallBlock && span / 4 > count) break;
      result = {result.axes + 1, span};
    }
    return result;
  }

  /// The blocks of the axes from the last one on, which is the slowest.
  void read_blocks(std::span<const Axis> axes, std::int64_t from, std::span<std::byte> into) const {
    if (axes.empty()) return source_.read_at(bytes(from), into);
    const auto count = static_cast<std::size_t>(axes.back().extent);
    for (std::size_t i = 0; i < count; ++i)
      read_blocks(axes.first(axes.size() - 1), from + static_cast<std::int64_t>(i) * axes.back().from_stride,
                  into.subspan(i * (into.size() / count), into.size() / count));
  }

  void gather_halves(std::vector<Axis> axes, std::int64_t from, std::int64_t to) {
    Axis& widest = *std::ranges::max_element(axes, {}, &Axis::from_stride);
    const Axis whole = widest;
    const std::int64_t half = whole.extent / 2;
    widest.extent = half;
    gather(axes, from, to);
    widest.extent = whole.extent - half;
    gather(std::move(axes), from + half * whole.from_stride, to + half * whole.to_stride);
  }

  std::span<std::byte> buffer_of(std::uint64_t size) {
    if (size > buffer_.size) {
      buffer_ = {};
      buffer_ = {std::make_unique_for_overwrite<std::byte[]>(size), size};
    }
    return {buffer_.bytes.get(), size};
  }

  const ByteSource& source_;
  std::uint64_t element_size_;
  std::span<std::byte> into_;
  Buffer buffer_;
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
