#include "files/read_ahead.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "files/blocks.h"

namespace h5bridge {
namespace {

// Small tensors share a block, since handing one over costs as much as copying some thousand bytes.
constexpr std::size_t kLeastBlock = std::size_t{1} << 20;

}  // namespace

ReadAhead::ReadAhead(std::vector<Tensor> tensors)
    : tensors_(std::move(tensors)), thread_([this] { read_all_blocks(); }) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    is_unwanted_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAhead::pass(std::uint64_t size, const Sink& sink) {
  while (size > 0) {
    if (begin_ == block_.size()) take_block();
    const std::size_t some = std::min<std::uint64_t>(size, block_.size() - begin_);
    sink(std::span(block_).subspan(begin_, some));
    begin_ += some;
    size -= some;
  }
}

void ReadAhead::take_block() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_ || is_ended_; });
  if (!ready_ && error_) std::rethrow_exception(error_);
  if (!ready_) throw std::logic_error("more bytes are wanted than the tensors have");
  block_ = *std::exchange(ready_, std::nullopt);
  begin_ = 0;
  lock.unlock();
  changed_.notify_all();
}

bool ReadAhead::offer(Block& block) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_ || is_unwanted_; });
  if (is_unwanted_) return false;
  ready_ = std::exchange(block, {});
  lock.unlock();
  changed_.notify_all();
  return true;
}

void ReadAhead::read_all_blocks() {
  std::exception_ptr error;
  try {
    Block block;
    bool is_wanted = true;
    for (const Tensor& tensor : tensors_)
      for_each_part(readable_in_parts(tensor), kBlockSize, [&](const Tensor& part) {
        if (!is_wanted) return;
        const std::size_t before = block.size();
        block.resize(before + part.byte_count());
        part.read(std::span(block).subspan(before));
        if (block.size() >= kLeastBlock) is_wanted = offer(block);
      });
    if (is_wanted && !block.empty()) offer(block);
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  error_ = error;
  is_ended_ = true;
  changed_.notify_all();
}

}  // namespace h5bridge
