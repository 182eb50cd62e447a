#include "pytorch/assembled.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "h5bridge/error.h"
#include "model/checked.h"

namespace h5bridge {
namespace {

std::int64_t bytes_in(const Shape& extents) {
  std::int64_t count = 1;
  for (const std::int64_t extent : extents) count = checked_multiply(count, extent, "a tensor's size");
  return count;
}

/// A part whose bytes are its last axis.
class Part {
 public:
  Part(TensorPart part, std::int64_t element_size)
      : offsets_(std::move(part.offsets)), sizes_(std::move(part.sizes)), open_(std::move(part.open)) {
    offsets_.push_back(0);
    sizes_.push_back(element_size);
  }

  const Shape& offsets() const { return offsets_; }
  const Shape& sizes() const { return sizes_; }
  std::int64_t end(std::size_t axis) const { return offsets_[axis] + sizes_[axis]; }

  bool holds(const Shape& place) const {
    for (std::size_t axis = 0; axis < place.size(); ++axis)
      if (place[axis] < offsets_[axis] || place[axis] >= end(axis)) return false;
    return true;
  }
  bool overlaps(const Part& other) const {
    for (std::size_t axis = 0; axis < sizes_.size(); ++axis)
      if (end(axis) <= other.offsets_[axis] || other.end(axis) <= offsets_[axis]) return false;
    return true;
  }

  void read(const Shape& place, std::span<std::byte> into) const {
    std::call_once(opened_, [&] {
      ByteSourcePtr bytes = open_();
      if (bytes->size() != static_cast<std::uint64_t>(bytes_in(sizes_)))
        throw MalformedFile("a part of a tensor has " + std::to_string(bytes->size()) + " bytes, expected " +
                            std::to_string(bytes_in(sizes_)));
      bytes_ = std::move(bytes);
    });
    std::int64_t position = 0;
    for (std::size_t axis = 0; axis < sizes_.size(); ++axis)
      position = position * sizes_[axis] + place[axis] - offsets_[axis];
    bytes_->read_at(static_cast<std::uint64_t>(position), into);
  }

 private:
  Shape offsets_;
  Shape sizes_;
  std::function<ByteSourcePtr()> open_;
  mutable std::once_flag opened_;
  mutable ByteSourcePtr bytes_;
};

using Parts = std::vector<std::unique_ptr<Part>>;

/// Boxes within the whole that do not overlap and are as large together are the whole.
void check_parts(const Shape& whole, const Parts& parts) {
  std::int64_t covered = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = *parts[i];
    if (part.sizes().size() != whole.size() || part.offsets().size() != whole.size())
      throw MalformedFile("a part has " + std::to_string(part.sizes().size() - 1) + " axes, and the tensor " +
                          std::to_string(whole.size() - 1));
    for (std::size_t axis = 0; axis < whole.size(); ++axis)
      if (part.offsets()[axis] < 0 || part.sizes()[axis] < 0 ||
          checked_add(part.offsets()[axis], part.sizes()[axis], "a part's end") > whole[axis])
        throw MalformedFile("a part leaves the tensor");
    const bool is_empty = bytes_in(part.sizes()) == 0;
    for (std::size_t other = 0; other < i && !is_empty; ++other)
      if (part.overlaps(*parts[other]) && bytes_in(parts[other]->sizes()) > 0)
        throw MalformedFile("two parts have the same elements");
    covered = checked_add(covered, bytes_in(part.sizes()), "the parts' size");
  }
  if (covered != bytes_in(whole))
    throw MalformedFile("its parts have " + std::to_string(covered) + " bytes, expected " +
                        std::to_string(bytes_in(whole)));
}

class Assembled final : public ByteSource {
 public:
  Assembled(Shape whole, Parts parts)
      : whole_(std::move(whole)), size_(static_cast<std::uint64_t>(bytes_in(whole_))), parts_(std::move(parts)) {}
  std::uint64_t size() const override { return size_; }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    while (!into.empty()) {
      const Shape place = place_of(static_cast<std::int64_t>(offset));
      const auto part = std::ranges::find_if(parts_, [&](const auto& candidate) { return candidate->holds(place); });
      const std::uint64_t length = std::min<std::uint64_t>(into.size(), run_in(**part, place, offset));
      (*part)->read(place, into.first(length));
      into = into.subspan(length);
      offset += length;
    }
  }

 private:
  Shape place_of(std::int64_t position) const {
    Shape place(whole_.size());
    for (std::size_t axis = whole_.size(); axis-- > 0; position /= whole_[axis]) place[axis] = position % whole_[axis];
    return place;
  }

  /// How many bytes from there on follow each other in the whole and in the part.
  std::uint64_t run_in(const Part& part, const Shape& place, std::uint64_t offset) const {
    std::int64_t tail = 1;  // of the axes behind, all of which the part has
    std::size_t axis = whole_.size();
    while (axis > 0 && part.sizes()[axis - 1] == whole_[axis - 1]) tail *= whole_[--axis];
    if (axis == 0) return size_ - offset;
    const std::int64_t within = static_cast<std::int64_t>(offset) % tail;
    return static_cast<std::uint64_t>((part.end(axis - 1) - place[axis - 1]) * tail - within);
  }

  Shape whole_;  // with an axis of bytes
  std::uint64_t size_;
  Parts parts_;
};

}  // namespace

ByteSourcePtr assembled(const Shape& shape, std::size_t element_size, std::vector<TensorPart> parts) {
  const auto width = static_cast<std::int64_t>(element_size);
  Shape whole = shape;
  whole.push_back(width);
  Parts checked;
  for (TensorPart& part : parts) checked.push_back(std::make_unique<Part>(std::move(part), width));
  check_parts(whole, checked);
  return std::make_shared<Assembled>(std::move(whole), std::move(checked));
}

}  // namespace h5bridge
