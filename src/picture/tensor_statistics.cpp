#include "picture/tensor_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/numbers.h"

namespace h5bridge {
namespace {

constexpr std::int64_t kPart = std::int64_t{1} << 20;  // elements in memory at once
constexpr std::size_t kBins = 40;

/// Calls `use` with the elements, some rows after the others.
template <typename Use>
void for_each_part(const Tensor& tensor, Use&& use) {
  const std::int64_t count = tensor.element_count();
  if (count == 0) return;
  if (count <= kPart || tensor.rank() == 0) return use(as_doubles(tensor));
  const std::int64_t rows = tensor.shape()[0];
  const std::int64_t step = std::max<std::int64_t>(1, kPart / (count / rows));
  for (std::int64_t row = 0; row < rows; row += step) use(as_doubles(tensor.slice(0, row, std::min(row + step, rows))));
}

}  // namespace

TensorStatistics statistics_of(const Tensor& tensor) {
  TensorStatistics result;
  double sum = 0, squares = 0;
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for_each_part(tensor, [&](const std::vector<double>& values) {
    result.elements += static_cast<std::int64_t>(values.size());
    for (const double value : values) {
      if (!std::isfinite(value)) {
        ++result.not_finite;
        continue;
      }
      result.zeros += value == 0;
      sum += value;
      squares += value * value;
      least = std::min(least, value);
      most = std::max(most, value);
    }
  });
  const std::int64_t finite = result.elements - result.not_finite;
  if (finite == 0) return result;
  result.least = least;
  result.most = most;
  result.mean = sum / static_cast<double>(finite);
  result.norm = std::sqrt(squares);
  result.histogram.resize(kBins);
  // Halves, since the whole may be beyond what a double holds.
  const double width = most / 2 - least / 2;
  double spread = 0;
  for_each_part(tensor, [&](const std::vector<double>& values) {
    for (const double value : values) {
      if (!std::isfinite(value)) continue;
      spread += (value - result.mean) * (value - result.mean);
      const double place = width > 0 ? (value / 2 - least / 2) / width : 0.5;
      ++result.histogram[std::min(static_cast<std::size_t>(place * kBins), kBins - 1)];
    }
  });
  result.deviation = std::sqrt(spread / static_cast<double>(finite));
  return result;
}

Json::Object to_json(const TensorStatistics& statistics) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  return Json::Object{{"not_finite", statistics.not_finite}, {"zeros", statistics.zeros},
                      {"least", number(statistics.least)},   {"most", number(statistics.most)},
                      {"mean", number(statistics.mean)},     {"deviation", number(statistics.deviation)},
                      {"norm", number(statistics.norm)},     {"histogram", Json::array(statistics.histogram)}};
}

}  // namespace h5bridge
