// Tensors' bytes on their way to their places in a file, several at once: while one is read and put in order, another
// is written.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "files/output_file.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

class DataWriter {
 public:
  /// Into the file at `path`, which is there; places are counted from `offset` on. Throws SystemFailure.
  DataWriter(const std::string& path, std::uint64_t offset);
  /// Leaves undone what is not begun.
  ~DataWriter();
  DataWriter(const DataWriter&) = delete;
  DataWriter& operator=(const DataWriter&) = delete;

  /// Will write the packed row-major bytes of `tensor` at `place`. Returns before that is done.
  void write(const Tensor& tensor, std::uint64_t place);
  /// Waits until all is written, and throws what went wrong with the first that could not be: what reading it throws,
  /// or SystemFailure. Nothing may be written afterwards.
  void finish();

 private:
  struct Part {
    Tensor tensor;
    std::uint64_t place;
  };
  using Batch = std::vector<Part>;

  void hand_over();
  void work(std::unique_lock<std::mutex>& lock, std::vector<std::byte>& block);
  void write_now(const Part& part, std::vector<std::byte>& block) const;
  void work_until_stopped();

  OutputFile file_;
  std::uint64_t offset_;
  Batch gathered_;  // too little so far to be worth a thread's waking up
  std::uint64_t gathered_bytes_ = 0;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  bool is_stopped_ = false;
  std::exception_ptr error_;
  std::optional<std::thread> helper_;
};

}  // namespace h5bridge
