#include <algorithm>
#include <functional>

#include "convert/report.h"
#include "facets/spec/weight_rule.h"

namespace h5bridge {
namespace {

std::string times(std::size_t count, const char* thing) { return std::to_string(count) + " " + thing; }

struct StepText {
  std::string operator()(const PermuteAxes& step) const { return "axes " + to_string(Shape(step.axes)); }
  std::string operator()(const ChangeShape& step) const {
    return "shape " + to_string(step.torch) + " as " + to_string(step.keras);
  }
  std::string operator()(const Join& step) const { return "joined along axis " + std::to_string(step.axis); }
  std::string operator()(const Split& step) const {
    return "cut along axis " + std::to_string(step.axis) + " into parts of " + to_string(Shape(step.extents));
  }
  std::string operator()(const HeadsLast& step) const {
    Shape heads = step.heads;
    if (std::ranges::adjacent_find(heads, std::not_equal_to()) == heads.end()) heads.resize(1);
    const std::string counts = heads.size() == 1 ? std::to_string(heads[0]) : to_string(heads);
    return "the " + counts + " heads as axes of their own, last";
  }
  std::string operator()(const ReorderBlocks& step) const {
    return "blocks of axis " + std::to_string(step.axis) + " in the order " + to_string(Shape(step.order));
  }
  std::string operator()(const Sum& step) const { return times(step.count, "tensors added up"); }
  std::string operator()(const Product&) const { return "multiplied by another"; }
};

bool is_nothing(const WeightStep& step) {
  const auto* axes = std::get_if<PermuteAxes>(&step);
  if (!axes) return false;
  for (std::size_t i = 0; i < axes->axes.size(); ++i)
    if (axes->axes[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

}  // namespace

std::vector<std::string> texts_of(const std::vector<WeightStep>& steps) {
  std::vector<std::string> texts;
  for (const WeightStep& step : steps)
    if (!is_nothing(step)) texts.push_back(std::visit(StepText(), step));
  return texts;
}

}  // namespace h5bridge
