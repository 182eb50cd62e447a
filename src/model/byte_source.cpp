#include "h5bridge/byte_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "h5bridge/error.h"
#include "model/checked_bytes.h"
#include "model/mapped_file.h"
#include "model/regular_file.h"

namespace h5bridge {

namespace {

class File final : public ByteSource {
 public:
  explicit File(const std::string& path) : file_(path) {}

  std::uint64_t size() const override { return file_.size(); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    check_unchanged();
    while (!into.empty()) {
      const ssize_t got = ::pread(file_.descriptor(), into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw SystemFailure(file_.path() + ": reading failed: " + std::strerror(errno));
      if (got == 0) throw MalformedFile(file_.path() + ": the file became shorter while it was read");
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
  }

 private:
  // Tensors are read when they are used, and somebody may have saved another model under the name since. That may be
  // long after, when another file is being written, so that it is this one that is to be named.
  void check_unchanged() const {
    struct stat now{};
    if (::fstat(file_.descriptor(), &now) != 0)
      throw SystemFailure(file_.path() + ": reading failed: " + std::strerror(errno));
    const timespec& before = file_.written();
    if (now.st_mtim.tv_sec != before.tv_sec || now.st_mtim.tv_nsec != before.tv_nsec ||
        static_cast<std::uint64_t>(now.st_size) != file_.size())
      throw MalformedFile(file_.path() + ": the file was written again since it was opened; load it anew");
  }

  RegularFile file_;
};

class Memory final : public ByteSource {
 public:
  explicit Memory(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
  }

 private:
  std::vector<std::byte> bytes_;
};

class Part final : public ByteSource, public CheckedBytes {
 public:
  Part(ByteSourcePtr whole, std::uint64_t offset, std::uint64_t size)
      : whole_(std::move(whole)), offset_(offset), size_(size) {}
  std::uint64_t size() const override { return size_; }
  void check_rest() const override { h5bridge::check_rest(*whole_); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    whole_->read_at(offset_ + offset, into);
  }

 private:
  ByteSourcePtr whole_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

void check_range(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  if (offset > size || length > size - offset)
    throw MalformedFile("truncated: " + std::to_string(length) + " bytes wanted at offset " + std::to_string(offset) +
                        ", but there are " + std::to_string(size) + " in all");
}

}  // namespace

void ByteSource::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  check_range(offset, into.size(), size());
  if (!into.empty()) read_range(offset, into);
}

ByteSourcePtr open_file(const std::string& path) { return std::make_shared<File>(path); }

ByteSourcePtr bytes_in_memory(std::vector<std::byte> bytes) { return std::make_shared<Memory>(std::move(bytes)); }

ByteSourcePtr part_of(ByteSourcePtr whole, std::uint64_t offset, std::uint64_t size) {
  if (!whole) throw UsageError("a part of a null pointer, expected a source of bytes");
  check_range(offset, size, whole->size());
  if (const auto* mapped = dynamic_cast<const MappedBytes*>(whole.get())) return mapped->part(offset, size);
  return std::make_shared<Part>(std::move(whole), offset, size);
}

std::vector<std::byte> read_all(const ByteSource& source) {
  return with_errors([&] {
    std::vector<std::byte> bytes(source.size());
    source.read_at(0, bytes);
    return bytes;
  });
}

}  // namespace h5bridge
