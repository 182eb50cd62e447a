// A file that is opened for reading.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace h5bridge {

class RegularFile {
 public:
  /// Throws SystemFailure if it cannot be opened, with the name that may have been meant, or is no regular file.
  explicit RegularFile(const std::string& path);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  /// As they were when it was opened.
  std::uint64_t size() const { return static_cast<std::uint64_t>(status_.st_size); }
  const timespec& written() const { return status_.st_mtim; }

 private:
  std::string path_;
  int descriptor_;
  struct stat status_{};
};

}  // namespace h5bridge
