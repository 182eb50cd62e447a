#include "files/crc_checked.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <vector>

#include "files/inflate.h"
#include "h5bridge/error.h"
#include "model/checked_bytes.h"

namespace h5bridge {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
// Who reads here and there more often than so is not followed.
constexpr std::size_t kMostRuns = 1 << 16;

// Polynomials over two elements, modulo that of CRC-32: bit 31 is the coefficient of 1, bit 30 that of x.
constexpr std::uint32_t kOne = std::uint32_t{1} << 31;
constexpr std::uint32_t kByte = kOne >> 8;  // x^8

std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t result = 0;
  for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) result ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? 0xEDB88320U : 0);  // times x
  }
  return result;
}

// The CRC-32 of what has `first`, followed by `size` bytes that have `second`: to append bytes is to multiply by x^8
// for each, and to add.
std::uint32_t joined_checksum(std::uint32_t first, std::uint32_t second, std::uint64_t size) {
  std::uint32_t factor = kOne;
  for (std::uint32_t power = kByte; size > 0; size >>= 1, power = product(power, power))
    if ((size & 1) != 0) factor = product(factor, power);
  return product(factor, first) ^ second;
}

class Checksummed final : public ByteSource, public CheckedBytes {
 public:
  Checksummed(ByteSourcePtr bytes, std::uint32_t crc32, std::string name)
      : bytes_(std::move(bytes)), crc32_(crc32), name_(std::move(name)) {}
  std::uint64_t size() const override { return bytes_->size(); }

  void check_rest() const override {
    {
      const std::lock_guard lock(guard_);
      if (runs_.size() >= kMostRuns) runs_.clear();
    }
    std::vector<std::byte> block;
    for (Unread next = next_unread(); next.size > 0; next = next_unread()) {
      block.resize(std::min<std::uint64_t>(next.size, kBlock));
      read_at(next.begin, block);
    }
  }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    bytes_->read_at(offset, into);
    const std::lock_guard lock(guard_);
    refuse_if_wrong();
    if (runs_.size() < kMostRuns) note(offset, into);
  }

 private:
  // Of bytes that have been read, by where they begin.
  struct Run {
    std::uint64_t end;
    std::uint32_t crc32;
  };
  using Runs = std::map<std::uint64_t, Run>;

  struct Unread {
    std::uint64_t begin;
    std::uint64_t size;
  };

  void refuse_if_wrong() const {
    if (is_wrong_) throw MalformedFile("the source's zip entry '" + name_ + "' is damaged: its checksum is wrong");
  }

  // The first bytes that nobody has read, up to others.
  Unread next_unread() const {
    const std::lock_guard lock(guard_);
    refuse_if_wrong();
    const auto first = runs_.begin();
    const std::uint64_t begin = first != runs_.end() && first->first == 0 ? first->second.end : 0;
    const auto behind = runs_.upper_bound(begin);
    return {begin, (behind == runs_.end() ? size() : behind->first) - begin};
  }

  void note(std::uint64_t offset, std::span<const std::byte> read) const {
    const std::uint64_t end = offset + read.size();
    for (std::uint64_t at = offset; at < end;) {
      const auto behind = runs_.upper_bound(at);
      if (behind != runs_.begin())
        if (const Run& before = std::prev(behind)->second; before.end > at) {
          at = std::min(end, before.end);
          continue;
        }
      const std::uint64_t until = behind == runs_.end() ? end : std::min(end, behind->first);
      add(at, read.subspan(at - offset, until - at), behind);
      at = until;
    }
    if (const auto first = runs_.begin(); first->first == 0 && first->second.end == size()) {
      is_wrong_ = first->second.crc32 != crc32_;
      refuse_if_wrong();
    }
  }

  // New bytes, before the run `behind`.
  void add(std::uint64_t begin, std::span<const std::byte> bytes, Runs::iterator behind) const {
    auto run = behind == runs_.begin() ? runs_.end() : std::prev(behind);
    if (run != runs_.end() && run->second.end == begin)
      run->second = {begin + bytes.size(), checksum(bytes, run->second.crc32)};
    else
      run = runs_.emplace_hint(behind, begin, Run{begin + bytes.size(), checksum(bytes)});
    if (behind == runs_.end() || run->second.end != behind->first) return;
    const std::uint64_t length = behind->second.end - behind->first;
    run->second = {behind->second.end, joined_checksum(run->second.crc32, behind->second.crc32, length)};
    runs_.erase(behind);
  }

  ByteSourcePtr bytes_;
  std::uint32_t crc32_;
  std::string name_;
  mutable std::mutex guard_;  // of what follows
  mutable Runs runs_;
  mutable bool is_wrong_ = false;
};

}  // namespace

ByteSourcePtr with_checksum(ByteSourcePtr bytes, std::uint32_t crc32, std::string name) {
  return std::make_shared<Checksummed>(std::move(bytes), crc32, std::move(name));
}

}  // namespace h5bridge
