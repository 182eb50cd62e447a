#include "files/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;

/// zlib's stream, released on every way out.
class InflateStream {
 public:
  InflateStream() {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw SystemFailure("zlib cannot be initialised");
  }
  ~InflateStream() { inflateEnd(&stream_); }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;
  z_stream* operator->() { return &stream_; }
  int step() { return inflate(&stream_, Z_NO_FLUSH); }

 private:
  z_stream stream_{};
};

/// Whether `source` inflates to exactly as many bytes as `into` has.
bool inflate_exactly(const ByteSource& source, std::span<std::byte> into) {
  InflateStream stream;
  std::vector<std::byte> chunk(std::min<std::uint64_t>(kChunk, source.size()));
  std::array<Bytef, 1> beyond{};  // a place for a byte too many, so that it is noticed
  std::uint64_t consumed = 0;
  std::size_t produced = 0;
  while (true) {
    if (stream->avail_in == 0 && consumed < source.size()) {
      const auto piece = std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), source.size() - consumed));
      source.read_at(consumed, piece);
      consumed += piece.size();
      stream->next_in = reinterpret_cast<Bytef*>(piece.data());
      stream->avail_in = static_cast<uInt>(piece.size());
    }
    const bool full = produced == into.size();
    const std::size_t room =
        full ? beyond.size() : std::min<std::size_t>(into.size() - produced, std::numeric_limits<uInt>::max());
    stream->next_out = full ? beyond.data() : reinterpret_cast<Bytef*>(into.data() + produced);
    stream->avail_out = static_cast<uInt>(room);
    const int status = stream.step();
    const std::size_t made = room - stream->avail_out;
    if (full && made > 0) return false;
    produced += made;
    if (status == Z_STREAM_END) return produced == into.size() && stream->avail_in == 0 && consumed == source.size();
    if (status != Z_OK) return false;  // damaged, or no progress because the stream ends early
  }
}

class Inflated final : public ByteSource {
 public:
  Inflated(ByteSourcePtr deflated, std::uint64_t size, std::uint32_t crc32, std::string name)
      : deflated_(std::move(deflated)), size_(size), crc32_(crc32), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::lock_guard lock(mutex_);
    if (!content_) content_ = inflate_all();
    content_->read_at(offset, into);
  }

 private:
  ByteSourcePtr inflate_all() const {
    std::vector<std::byte> content(size_);
    if (!inflate_exactly(*deflated_, content))
      throw MalformedFile("zip: entry '" + name_ + "': its deflated content is damaged, or not the " +
                          std::to_string(size_) + " bytes declared");
    if (checksum(content) != crc32_)
      throw MalformedFile("zip: entry '" + name_ + "': its checksum is wrong (damaged?)");
    return bytes_in_memory(std::move(content));
  }

  ByteSourcePtr deflated_;
  std::uint64_t size_;
  std::uint32_t crc32_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable ByteSourcePtr content_;
};

}  // namespace

std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t before) {
  return static_cast<std::uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

ByteSourcePtr inflate_when_read(ByteSourcePtr deflated, std::uint64_t size, std::uint32_t crc32, std::string name) {
  return std::make_shared<Inflated>(std::move(deflated), size, crc32, std::move(name));
}

}  // namespace h5bridge
