#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <utility>

#include "cli/summary.h"
#include "convert/temporaries.h"

namespace h5bridge::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kPause = std::chrono::milliseconds(200);
constexpr const char* kErase = "\r\x1b[K";

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

Progress* current = nullptr;

}  // namespace

Progress::Progress(std::string doing, bool is_quiet) : doing_(std::move(doing)) {
  if (is_quiet || ::isatty(STDERR_FILENO) != 1) return;
  thread_ = std::thread([this] { show(); });
  current = this;
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  current = nullptr;
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Progress::expect(std::uint64_t bytes) {
  if (current) current->expected_ = bytes;
}

void Progress::erase() {
  if (!current) return;
  const std::lock_guard lock(current->mutex_);
  if (std::exchange(current->is_shown_, false)) std::cerr << kErase << std::flush;
}

void Progress::show() {
  const Clock::time_point begin = Clock::now();
  std::unique_lock lock(mutex_);
  for (auto pause = std::chrono::milliseconds(kPatience); !changed_.wait_for(lock, pause, [&] { return is_over_; });
       pause = kPause) {
    std::cerr << kErase << line(seconds_since(begin)) << std::flush;
    is_shown_ = true;
  }
  if (is_shown_) std::cerr << kErase << std::flush;
}

std::string Progress::line(double seconds) const {
  const std::string plain = doing_ + ", " + std::to_string(std::lround(seconds)) + " s";
  const std::uint64_t written = bytes_in_temporaries();
  const std::uint64_t expected = expected_;
  if (written == 0) return plain;
  const double rate = static_cast<double>(written) / seconds;
  std::string text = plain + ", " + bytes_text(written) + " at " + bytes_text(static_cast<std::uint64_t>(rate)) + "/s";
  if (expected > written)
    text += ", " + std::to_string(100 * written / expected) + " %, about " +
            std::to_string(std::lround(static_cast<double>(expected - written) / rate)) + " s left";
  return text;
}

}  // namespace h5bridge::cli
