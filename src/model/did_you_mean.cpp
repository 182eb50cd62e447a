#include "model/did_you_mean.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::size_t kLongestName = 200;  // of what somebody typed
constexpr std::size_t kShortestBeginning = 4;
constexpr std::size_t kMostFiles = 10'000;

// The optimal string alignment distance: swapped neighbours are one mistake.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) rows[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  return rows[a.size()][b.size()];
}

const std::string* shortest_begun(const std::string& name, const std::vector<std::string>& known) {
  const std::string* result = nullptr;
  if (name.size() < kShortestBeginning) return result;
  for (const std::string& candidate : known)
    if (candidate.starts_with(name) && (!result || candidate.size() < result->size())) result = &candidate;
  return result;
}

}  // namespace

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
  if (name.size() > kLongestName) return "";
  std::size_t least = std::max<std::size_t>(name.size() / 3, 1) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& candidate : known) {
    const std::size_t longer = std::max(candidate.size(), name.size()) - std::min(candidate.size(), name.size());
    if (longer >= least) continue;
    if (const std::size_t letters = distance(name, candidate); letters < least) {
      least = letters;
      nearest = &candidate;
    }
  }
  if (!nearest) nearest = shortest_begun(name, known);
  return nearest ? "; did you mean " + shortened(*nearest) + "?" : "";
}

std::string did_you_mean_file(const std::string& path) {
  const std::filesystem::path wanted(path);
  const std::filesystem::path folder = wanted.parent_path();
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator file(folder.empty() ? "." : folder, error), end;
       !error && file != end && files.size() < kMostFiles; file.increment(error))
    files.push_back(file->path().filename().string());
  std::ranges::sort(files);  // of two that are as near, always the same
  return did_you_mean(wanted.filename().string(), files);
}

}  // namespace h5bridge
