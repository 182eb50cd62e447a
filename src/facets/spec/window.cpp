#include "facets/spec/window.h"

#include <algorithm>
#include <limits>

#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge {

std::optional<Window> OpenWindow::known() const {
  if (!kernel.value() || !stride.value() || !dilation.value()) return std::nullopt;
  return Window{*kernel.value(), *stride.value(), *dilation.value()};
}

std::vector<Window> windows_of(const Attributes& attributes) {
  const auto& kernel = attributes.integers("kernel_size");
  const auto& stride = attributes.is_none("stride") ? kernel : attributes.integers("stride");
  std::vector<Window> result;
  for (std::size_t i = 0; i < kernel.size(); ++i)
    result.push_back({kernel[i], stride[i], attributes.contains("dilation") ? attributes.integers("dilation")[i] : 1});
  return result;
}

std::vector<OpenWindow> open_windows_of(const Attributes& attributes) {
  const SymbolicShape kernel = attributes.open_integers("kernel_size");
  const bool has_stride = attributes.contains("stride") && !attributes.is_none("stride");
  const SymbolicShape stride = has_stride ? attributes.open_integers("stride") : kernel;
  const SymbolicShape dilation =
      attributes.contains("dilation") ? attributes.open_integers("dilation") : SymbolicShape(kernel.size(), 1);
  std::vector<OpenWindow> result;
  for (std::size_t i = 0; i < kernel.size(); ++i) result.push_back({kernel[i], stride[i], dilation[i]});
  return result;
}

Margins same_margins(const Window& window, std::int64_t size) {
  const std::int64_t outputs = (size + window.stride - 1) / window.stride;
  const std::int64_t total = std::max<std::int64_t>(0, (outputs - 1) * window.stride + window.extent() - size);
  return {total / 2, total - total / 2};
}

Margins with_ceil(const Window& window, Margins margins) {
  margins.after = std::min(margins.after + window.stride - 1, window.extent() - 1);
  return margins;
}

Size windows_in(const Size& size, const Window& window, const Margins& margins, bool ceil_mode) {
  const Margins around = ceil_mode ? with_ceil(window, margins) : margins;
  const Size span = size + Size(around.before + around.after - window.extent());
  if (const auto known = span.value(); known && *known < 0)
    throw MalformedFile("its window of " + std::to_string(window.extent()) + " does not fit into " + size.str() +
                        " elements and their padding");
  return span.floor_divide(window.stride) + Size(1);
}

Size windows_in_same(const Size& size, const Window& window) {
  return (size + Size(window.stride - 1)).floor_divide(window.stride);
}

namespace {

// What padding adds at both ends together.
SymbolicShape added_by_padding(const Attributes& attributes, const std::vector<OpenWindow>& windows) {
  SymbolicShape result(windows.size(), 0);
  if (!attributes.contains("padding") || has_padding_word(attributes, "valid")) return result;
  if (has_padding_word(attributes, "causal")) {
    for (std::size_t i = 0; i < windows.size(); ++i) result[i] = windows[i].extent() - Size(1);
    return result;
  }
  result = attributes.open_integers("padding");
  for (Size& size : result) size = size * Size(2);
  return result;
}

Size open_windows_in(const Size& size, const OpenWindow& window, const Size& added, bool ceil_mode) {
  const Size span = size + added - window.extent();
  if (ceil_mode && span != Size(0))
    throw Unsupported("how many windows of " + window.kernel.str() + " fit into " + size.str() +
                      " elements with ceil_mode is not known; LoadOptions::fix_sizes may help");
  return span.floor_divide(window.stride) + Size(1);
}

}  // namespace

SymbolicShape window_counts(const Attributes& attributes, const SymbolicShape& spatial, bool ceil_mode) {
  const std::vector<OpenWindow> windows = open_windows_of(attributes);
  const bool same = has_padding_word(attributes, "same");
  const bool padding_is_open =
      attributes.contains("padding") && std::holds_alternative<SymbolicShape>(attributes.at("padding"));
  const SymbolicShape added = same ? SymbolicShape{} : added_by_padding(attributes, windows);
  SymbolicShape result = spatial;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const OpenWindow& window = windows[i];
    const auto known = window.known();
    if (same)
      result[i] = (spatial[i] + window.stride - Size(1)).floor_divide(window.stride);
    else if (known && !padding_is_open)
      result[i] = windows_in(spatial[i], *known, margins_of(attributes)[i], ceil_mode);
    else
      result[i] = open_windows_in(spatial[i], window, added[i], ceil_mode);
  }
  return result;
}

bool has_padding_word(const Attributes& attributes, const std::string& word) {
  if (!attributes.contains("padding")) return false;
  const auto* given = std::get_if<std::string>(&attributes.at("padding"));
  return given && *given == word;
}

std::vector<Margins> margins_of(const Attributes& attributes) {
  std::vector<Margins> result;
  if (!attributes.contains("padding") || has_padding_word(attributes, "valid")) {
    result.assign(attributes.open_integers("kernel_size").size(), {0, 0});
  } else if (has_padding_word(attributes, "causal")) {
    for (const Window& window : windows_of(attributes)) result.push_back({window.extent() - 1, 0});
  } else {
    for (const std::int64_t padding : attributes.integers("padding")) result.push_back({padding, padding});
  }
  return result;
}

std::vector<Margins> margins_from(const std::vector<std::int64_t>& flat) {
  std::vector<Margins> result;
  for (std::size_t i = flat.size(); i >= 2; i -= 2) result.push_back({flat[i - 2], flat[i - 1]});
  return result;
}

std::vector<std::int64_t> flat_from(const std::vector<Margins>& margins) {
  std::vector<std::int64_t> result;
  for (auto axis = margins.rbegin(); axis != margins.rend(); ++axis)
    result.insert(result.end(), {axis->before, axis->after});
  return result;
}

SymbolicShape spatial_sizes(const Attributes& attributes, const SymbolicShape& input, std::size_t axes) {
  if (input.size() != axes + 2)
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(axes + 2) + " axes");
  SymbolicShape result(input.begin() + 1, input.end());
  result.erase(result.begin() + (channel_axis(attributes, static_cast<std::int64_t>(input.size())) - 1));
  return result;
}

SymbolicShape with_channels(const Attributes& attributes, const Size& batch, const Size& channels,
                            const SymbolicShape& spatial) {
  SymbolicShape result{batch};
  result.insert(result.end(), spatial.begin(), spatial.end());
  result.insert(result.begin() + channel_axis(attributes, static_cast<std::int64_t>(spatial.size()) + 2), channels);
  return result;
}

void check_at_least(const Attributes& attributes, const std::string& attribute, std::int64_t least) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const AttributeValue& value = attributes.at(attribute);  // what is open is checked where it is a number
  const auto check = [&](std::int64_t element) {
    if (element < least)
      throw MalformedFile("\"" + attribute + "\" is " + std::to_string(element) + ", expected at least " +
                          std::to_string(least));
    if (element > kMost)
      throw MalformedFile("\"" + attribute + "\" is " + std::to_string(element) + ", expected at most " +
                          std::to_string(kMost));
  };
  if (const auto* one = std::get_if<std::int64_t>(&value)) check(*one);
  if (const auto* several = std::get_if<std::vector<std::int64_t>>(&value))
    std::for_each(several->begin(), several->end(), check);
}

std::string torch_suffix(std::size_t axes) { return std::to_string(axes) + "d"; }
std::string keras_suffix(std::size_t axes) { return std::to_string(axes) + "D"; }

}  // namespace h5bridge
