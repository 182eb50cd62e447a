#include "layers/torch_padding.h"

#include <algorithm>

namespace h5bridge {

torch::Tensor pad_same(const torch::Tensor& input, const std::vector<Window>& windows, std::string_view mode, double value) {
  std::vector<std::int64_t> padding;  // of the last axis first
  for (std::size_t i = windows.size(); i-- > 0;) {
    const Margins margins = same_margins(windows[i], input.size(static_cast<std::int64_t>(i) + 2));
    padding.insert(padding.end(), {margins.before, margins.after});
  }
  if (std::ranges::all_of(padding, [](std::int64_t margin) { return margin == 0; })) return input;
  const bool constant = mode == "constant";
  return at::pad(input, padding, {mode.data(), mode.size()}, constant ? std::optional(value) : std::nullopt);
}

}  // namespace h5bridge
