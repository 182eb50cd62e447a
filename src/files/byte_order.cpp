#include "files/byte_order.h"

#include <algorithm>
#include <utility>

#include "model/checked_bytes.h"

namespace h5bridge {
namespace {

class Reversed final : public ByteSource, public CheckedBytes {
 public:
  Reversed(ByteSourcePtr bytes, std::size_t size)
      : bytes_(std::move(bytes)), number_(size), whole_(bytes_->size() - bytes_->size() % size) {}
  std::uint64_t size() const override { return bytes_->size(); }
  void check_rest() const override { h5bridge::check_rest(*bytes_); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::uint64_t end = offset + into.size();
    if (offset % number_ == 0 && end % number_ == 0 && end <= whole_) {
      bytes_->read_at(offset, into);
      return reverse(into);
    }
    // Also what is cut at an end needs the number's other bytes.
    const std::uint64_t first = offset - offset % number_;
    const std::uint64_t last = std::min(size(), (end + number_ - 1) / number_ * number_);
    std::vector<std::byte> window(last - first);
    bytes_->read_at(first, window);
    reverse(std::span(window).first(std::min(last, std::max(first, whole_)) - first));
    std::copy_n(window.begin() + static_cast<std::ptrdiff_t>(offset - first), into.size(), into.begin());
  }

 private:
  void reverse(std::span<std::byte> numbers) const {
    for (std::size_t at = 0; at < numbers.size(); at += number_) std::ranges::reverse(numbers.subspan(at, number_));
  }

  ByteSourcePtr bytes_;
  std::size_t number_;
  std::uint64_t whole_;  // bytes up to the rest
};

}  // namespace

ByteSourcePtr with_reversed_numbers(ByteSourcePtr bytes, std::size_t size) {
  return size == 1 ? std::move(bytes) : std::make_shared<Reversed>(std::move(bytes), size);
}

}  // namespace h5bridge
