// A file that is there and is written at any place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace h5bridge {

/// Throws SystemFailure: `what` and why the system said no to the last call.
[[noreturn]] void throw_system(const std::string& what);

class OutputFile {
 public:
  /// Throws SystemFailure.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// For reading and writing.
  int descriptor() const { return descriptor_; }
  /// All of `bytes`, from `offset` on. Throws SystemFailure. May be called from several threads at once.
  void write(std::span<const std::byte> bytes, std::uint64_t offset) const;

 private:
  int descriptor_;
};

}  // namespace h5bridge
