// Tensors on their way into one stream: while some are written, a thread reads the next and puts them in order.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// The packed row-major bytes of tensors, one tensor after the other.
class ReadAhead {
 public:
  explicit ReadAhead(std::vector<Tensor> tensors);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  using Sink = std::function<void(std::span<const std::byte>)>;
  /// Hands the next `size` bytes to `sink`, in pieces. Throws what reading a tensor throws, and std::logic_error where
  /// fewer bytes are left.
  void pass(std::uint64_t size, const Sink& sink);

 private:
  using Block = std::vector<std::byte>;

  void read_all_blocks();
  /// Waits until the block before is taken; false if nobody wants more.
  bool offer(Block& block);
  void take_block();

  std::vector<Tensor> tensors_;
  Block block_;  // of which the bytes before begin_ are passed on
  std::size_t begin_ = 0;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::optional<Block> ready_;
  bool is_ended_ = false;
  bool is_unwanted_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace h5bridge
