#include "layers/resizing/interpolation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "h5bridge/error.h"

namespace h5bridge::resizing {
namespace {

// A size of the input times a scale, rounded down; of an open size only for scales that are fractions of a power of
// two.
Size scaled(const Size& size, double scale) {
  if (const auto known = size.value()) {
    const double result = std::floor(static_cast<double>(*known) * scale);
    if (!(result >= 1 && result < 1e15))
      throw MalformedFile("its output would have " + std::to_string(result) + " elements");
    return static_cast<std::int64_t>(result);
  }
  for (std::int64_t denominator = 1; denominator <= 1 << 20; denominator *= 2)
    if (const double numerator = scale * static_cast<double>(denominator);
        numerator == std::floor(numerator) && numerator < 1e9)
      return (size * Size(static_cast<std::int64_t>(numerator))).floor_divide(denominator);
  throw Unsupported("an open size (" + size.str() + ") times " + std::to_string(scale) +
                    " is no expression of it; LoadOptions::fix_sizes may help");
}

template <typename T>
const T& of_axis(const std::vector<T>& values, std::size_t axis, std::size_t axes) {
  if (values.size() != 1 && values.size() != axes)
    throw MalformedFile("has " + std::to_string(values.size()) + " sizes or scales, expected " + std::to_string(axes));
  return values[values.size() == 1 ? 0 : axis];
}

// One axis; computed in floats, as PyTorch does for them.
struct Axis {
  std::int64_t input;
  std::int64_t output;
  float scale;  // elements of the input for one of the output
  bool aligned;

  Axis(std::int64_t in, std::int64_t out, bool align_corners, std::optional<double> stated)
      : input(in), output(out), aligned(align_corners) {
    if (align_corners)
      scale = out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0.0F;
    else
      scale = stated ? static_cast<float>(1.0 / *stated) : static_cast<float>(in) / static_cast<float>(out);
  }
  // Where output `o` lies between the input's elements.
  float position(std::int64_t o) const {
    const auto place = static_cast<float>(o);
    return aligned ? scale * place : scale * (place + 0.5F) - 0.5F;
  }
  std::int64_t clamped(std::int64_t index) const { return std::clamp<std::int64_t>(index, 0, input - 1); }
};

class TapsMaker {
 public:
  TapsMaker(const Axis& axis, std::size_t count) : axis_(axis) { taps_.count = count; }
  void add(std::int64_t index, float weight) {
    taps_.indices.push_back(axis_.clamped(index));
    taps_.weights.push_back(weight);
  }
  Taps done() { return std::move(taps_); }

 private:
  const Axis& axis_;
  Taps taps_;
};

Taps nearest(const Axis& axis, float offset) {
  TapsMaker taps(axis, 1);
  for (std::int64_t o = 0; o < axis.output; ++o)
    taps.add(static_cast<std::int64_t>(std::floor((static_cast<float>(o) + offset) * axis.scale)), 1);
  return taps.done();
}

Taps linear(const Axis& axis) {
  TapsMaker taps(axis, 2);
  for (std::int64_t o = 0; o < axis.output; ++o) {
    const float position = std::max(axis.position(o), 0.0F);
    const std::int64_t index = axis.clamped(static_cast<std::int64_t>(std::floor(position)));
    const float second = std::clamp(position - static_cast<float>(index), 0.0F, 1.0F);
    taps.add(index, 1 - second);
    taps.add(index + 1, second);
  }
  return taps.done();
}

// The two pieces of Keys's cubic with the parameter `a`: up to a distance of 1, and from there to 2.
float cubic_inside(float x, float a) { return ((a + 2) * x - (a + 3)) * x * x + 1; }
float cubic_outside(float x, float a) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; }

Taps cubic(const Axis& axis) {
  constexpr float a = -0.75F;
  TapsMaker taps(axis, 4);
  for (std::int64_t o = 0; o < axis.output; ++o) {
    const float position = axis.position(o);
    const float below = std::floor(position);
    const float t = position - below;
    const auto index = static_cast<std::int64_t>(below);
    taps.add(index - 1, cubic_outside(t + 1, a));
    taps.add(index, cubic_inside(t, a));
    taps.add(index + 1, cubic_inside(1 - t, a));
    taps.add(index + 2, cubic_outside(2 - t, a));
  }
  return taps.done();
}

// A filter that may widen with the scale, so that every element of the input counts.
struct Filter {
  float width;  // of its support, at scale 1
  std::function<float(float)> value;
};

float lanczos(float x) {
  const auto sinc = [](float y) {
    const float angle = y * std::numbers::pi_v<float>;
    return y == 0 ? 1.0F : std::sin(angle) / angle;
  };
  return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0.0F;
}

Filter filter_of(const std::string& mode) {
  if (mode == "lanczos") return {6, lanczos};
  if (mode == "bicubic" || mode == "cubic")
    return {4, [](float x) {
              x = std::abs(x);
              return x < 1 ? cubic_inside(x, -0.5F) : x < 2 ? cubic_outside(x, -0.5F) : 0.0F;
            }};
  return {2, [](float x) { return std::max(0.0F, 1 - std::abs(x)); }};
}

// A range of the input for each output, filled up to the longest with weights of 0.
Taps ranges(const Axis& axis, const std::function<std::pair<std::int64_t, std::vector<float>>(std::int64_t)>& range) {
  std::vector<std::pair<std::int64_t, std::vector<float>>> all;
  std::size_t longest = 0;
  for (std::int64_t o = 0; o < axis.output; ++o) {
    all.push_back(range(o));
    longest = std::max(longest, all.back().second.size());
  }
  TapsMaker taps(axis, longest);
  for (const auto& [first, weights] : all)
    for (std::size_t t = 0; t < longest; ++t)
      taps.add(first + static_cast<std::int64_t>(t), t < weights.size() ? weights[t] : 0.0F);
  return taps.done();
}

Taps filtered(const Axis& axis, const Filter& filter, bool antialias) {
  const float widening = antialias ? std::max(axis.scale, 1.0F) : 1.0F;
  const float support = filter.width * 0.5F * widening;
  return ranges(axis, [&](std::int64_t o) {
    const float centre = axis.scale * (static_cast<float>(o) + 0.5F);
    const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5F), 0);
    const std::int64_t last = std::min(static_cast<std::int64_t>(centre + support + 0.5F), axis.input);
    std::vector<float> weights;
    float total = 0;
    for (std::int64_t i = first; i < last; ++i) {
      weights.push_back(filter.value((static_cast<float>(i) - centre + 0.5F) / widening));
      total += weights.back();
    }
    for (float& weight : weights) weight = total == 0 ? weight : weight / total;
    return std::pair(first, weights);
  });
}

// Means, as adaptive average pooling takes them.
Taps area(const Axis& axis) {
  return ranges(axis, [&](std::int64_t o) {
    const std::int64_t first = o * axis.input / axis.output;
    const std::int64_t count = ((o + 1) * axis.input + axis.output - 1) / axis.output - first;
    return std::pair(first, std::vector<float>(count, 1.0F / static_cast<float>(count)));
  });
}

bool recomputes(const Attributes& a) {
  return a.text("mode") == "area" || a.text("mode") == "cubic" ||
         (a.contains("recompute_scale_factor") && !a.is_none("recompute_scale_factor") &&
          a.boolean("recompute_scale_factor"));
}

}  // namespace

SymbolicShape resized(const Attributes& a, const SymbolicShape& spatial) {
  SymbolicShape result;
  for (std::size_t i = 0; i < spatial.size(); ++i)
    result.push_back(a.is_none("size") ? scaled(spatial[i], of_axis(a.numbers("scale_factor"), i, spatial.size()))
                                       : of_axis(a.sizes("size"), i, spatial.size()));
  return result;
}

std::optional<double> stated_scale(const Attributes& a, std::size_t i) {
  if (a.is_none("scale_factor") || recomputes(a)) return std::nullopt;
  const auto& scales = a.numbers("scale_factor");
  return scales[scales.size() == 1 ? 0 : i];
}

bool Taps::is_identity(std::int64_t size) const {
  if (static_cast<std::int64_t>(indices.size()) != size * static_cast<std::int64_t>(count)) return false;
  for (std::size_t i = 0; i < indices.size(); ++i)
    if (weights[i] != 0 && (weights[i] != 1 || indices[i] != static_cast<std::int64_t>(i / count))) return false;
  return true;
}

bool is_antialiased(const Attributes& a) { return a.contains("antialias") && a.boolean("antialias"); }

bool aligns_corners(const Attributes& a) { return !a.is_none("align_corners") && a.boolean("align_corners"); }

Shortcuts shortcuts_of(const Attributes& a, const SymbolicShape& output) {
  const std::string& mode = a.text("mode");
  if (mode.ends_with("linear") || is_antialiased(a)) return {.equal = true};
  if (mode != "nearest" || output.size() != 2) return {};
  const Size sum = output[0] + output[1];
  if (!sum.value()) return {.equal = true, .doubled = true, .few = sum};
  const bool few = *sum.value() <= Shortcuts::kFew;
  return {.equal = few, .doubled = few};
}

Taps taps_of(const Attributes& a, const SymbolicShape& inputs, const SymbolicShape& outputs, std::size_t i) {
  const std::string& mode = a.text("mode");
  const std::int64_t input = *inputs[i].value(), output = *outputs[i].value();
  const Shortcuts shortcuts = shortcuts_of(a, outputs);
  const bool by_sizes = (shortcuts.equal && output == input) || (shortcuts.doubled && output == 2 * input);
  const Axis axis(input, output, aligns_corners(a), by_sizes ? std::nullopt : stated_scale(a, i));
  const bool antialias = is_antialiased(a);
  if (antialias || mode == "cubic") return filtered(axis, filter_of(mode), antialias);
  if (mode == "nearest") return nearest(axis, 0);
  if (mode == "nearest-exact") return nearest(axis, 0.5F);
  if (mode == "area") return area(axis);
  return mode == "bicubic" ? cubic(axis) : linear(axis);
}

}  // namespace h5bridge::resizing
