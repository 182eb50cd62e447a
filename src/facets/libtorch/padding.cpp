#include "facets/libtorch/padding.h"

#include <algorithm>

namespace h5bridge {

torch::Tensor pad(const torch::Tensor& input, const std::vector<Margins>& margins, std::string_view mode,
                  double value) {
  std::vector<std::int64_t> padding;  // of the last axis first
  for (auto axis = margins.rbegin(); axis != margins.rend(); ++axis)
    padding.insert(padding.end(), {axis->before, axis->after});
  if (std::ranges::all_of(padding, [](std::int64_t margin) { return margin == 0; })) return input;
  const bool constant = mode == "constant";
  return at::pad(input, padding, {mode.data(), mode.size()}, constant ? std::optional(value) : std::nullopt);
}

torch::Tensor pad_same(const torch::Tensor& input, const std::vector<Window>& windows, std::string_view mode,
                       double value) {
  std::vector<Margins> margins;
  for (std::size_t i = 0; i < windows.size(); ++i)
    margins.push_back(same_margins(windows[i], input.size(static_cast<std::int64_t>(i) + 2)));
  return pad(input, margins, mode, value);
}

}  // namespace h5bridge
