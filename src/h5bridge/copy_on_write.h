// A value that its copies share until one of them is written to.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace h5bridge {

/// Settings and configurations are copied with each layer, each tree and each plan, and are seldom changed there: a
/// copy costs a pointer, and only what is changed is a copy of its own. Copies may be used by several threads, each by
/// one.
template <typename T>
class CopyOnWrite {
 public:
  CopyOnWrite() = default;
  CopyOnWrite(T value) : value_(std::make_shared<T>(std::move(value))) {}

  const T& read() const {
    static const T none{};
    return value_ ? *value_ : none;
  }

  /// To be written to. What `read` and `write` gave before of this copy may be gone afterwards.
  T& write() {
    if (!value_)
      value_ = std::make_shared<T>();
    else if (value_.use_count() > 1)
      value_ = std::make_shared<T>(*value_);
    else
      std::atomic_thread_fence(std::memory_order_acquire);  // after the reads of the one that shared it last
    return *value_;
  }

  bool shares_with(const CopyOnWrite& other) const { return value_ == other.value_; }
  bool operator==(const CopyOnWrite& other) const { return shares_with(other) || read() == other.read(); }

 private:
  std::shared_ptr<T> value_;
};

}  // namespace h5bridge
