#include "convert/name_prefix.h"

#include <algorithm>

namespace h5bridge {
namespace {

constexpr int kMostWrappers = 8;
constexpr const char* kAveragesCounter = "n_averaged";  // torch/optim/swa_utils.py

// What all names begin with.
std::string common_beginning(const std::vector<std::string>& names) {
  std::string common = names.empty() ? "" : names.front();
  for (const std::string& name : names) common.erase(std::ranges::mismatch(common, name).in1, common.end());
  return common;
}

}  // namespace

std::string wrapper_prefix(const std::vector<std::string>& names, const std::set<std::string>& known) {
  const std::string common = common_beginning(names);
  const auto count_known = [&](std::size_t length) {
    return std::ranges::count_if(names, [&](const std::string& name) { return known.contains(name.substr(length)); });
  };
  std::size_t best = 0;
  auto most = count_known(0);
  std::size_t dot = 0;
  for (int i = 0; i < kMostWrappers && (dot = common.find('.', dot)) != std::string::npos; ++i) {
    if (const auto count = count_known(++dot); count > most) {
      best = dot;
      most = count;
    }
  }
  return common.substr(0, best);
}

// The counter of a model within another wrapper has that one's prefix.
bool is_averages_counter(const std::string& name) {
  return ('.' + name).ends_with(std::string(".") + kAveragesCounter);
}

}  // namespace h5bridge
