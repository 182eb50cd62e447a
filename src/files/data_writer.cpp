#include "files/data_writer.h"

#include "files/blocks.h"

namespace h5bridge {
namespace {

constexpr std::uint64_t kBatchSize = std::uint64_t{1} << 20;

}  // namespace

DataWriter::DataWriter(const std::string& path, std::uint64_t offset) : file_(path), offset_(offset) {}

DataWriter::~DataWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  if (helper_) helper_->join();
}

void DataWriter::write(const Tensor& tensor, std::uint64_t place) {
  for_each_part(readable_in_parts(tensor), kBlockSize, [&](const Tensor& part) {
    gathered_.push_back({part, place});
    place += part.byte_count();
    gathered_bytes_ += part.byte_count();
    if (gathered_bytes_ >= kBatchSize) hand_over();
  });
}

void DataWriter::finish() {
  if (!gathered_.empty()) hand_over();
  std::unique_lock lock(mutex_);
  std::vector<std::byte> block;
  while (!waiting_.empty()) work(lock, block);
  is_stopped_ = true;
  lock.unlock();
  changed_.notify_all();
  if (helper_) helper_->join();
  helper_.reset();
  if (error_) std::rethrow_exception(error_);
}

void DataWriter::hand_over() {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(gathered_));
    // The first batch may be all there is, and a file system lets only one write into a file at a time: two threads are
    // enough, this one with what is left at the end.
    if (waiting_.size() > 1 && !helper_) helper_.emplace([this] { work_until_stopped(); });
  }
  gathered_.clear();
  gathered_bytes_ = 0;
  changed_.notify_one();
}

void DataWriter::work_until_stopped() {
  std::vector<std::byte> block;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return is_stopped_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    work(lock, block);
  }
}

/// Takes a batch and writes it without the lock.
void DataWriter::work(std::unique_lock<std::mutex>& lock, std::vector<std::byte>& block) {
  const Batch batch = std::move(waiting_.front());
  waiting_.pop_front();
  lock.unlock();
  std::exception_ptr error;
  try {
    for (const Part& part : batch) write_now(part, block);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  if (!error) return;
  if (!error_) error_ = error;
  waiting_.clear();
}

void DataWriter::write_now(const Part& part, std::vector<std::byte>& block) const {
  block.resize(part.tensor.byte_count());
  part.tensor.read(block);
  file_.write(block, offset_ + part.place);
}

}  // namespace h5bridge
