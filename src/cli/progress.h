// How far a command is, on a terminal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace h5bridge::cli {

/// A line on standard error, if that is a terminal, for as long as this is there and from the second on that it takes:
/// what is done, how much of it and how fast, and about how long it still takes.
class Progress {
 public:
  Progress(std::string doing, bool is_quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Of the one that there is: what is written in all, once it is known.
  static void expect(std::uint64_t bytes);
  /// Of the one that there is: makes room for a line of output, behind which it goes on.
  static void erase();

 private:
  void show();
  std::string line(double seconds) const;

  std::string doing_;
  std::atomic<std::uint64_t> expected_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  bool is_shown_ = false;
  std::thread thread_;
};

}  // namespace h5bridge::cli
