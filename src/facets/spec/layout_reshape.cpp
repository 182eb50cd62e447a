// A reshape under a change of layout: which axes it leaves alone, which it joins or takes apart.
#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/layout_rule.h"

namespace h5bridge {
namespace {

using Axes = std::vector<std::int64_t>;

// Axes of the input that together hold the elements of axes of the output. Those of size 1 are in no group.
struct Group {
  Axes input;
  Axes output;
};

Axes significant_axes(const SymbolicShape& shape) {
  Axes result;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != Size(1)) result.push_back(static_cast<std::int64_t>(i));
  return result;
}

bool divides(const Size& divisor, const Size& size) {
  return divisor != Size(0) && size.floor_divide(divisor) * divisor == size;
}

// The smallest groups; all that is left is one group where sizes are open and do not tell.
std::vector<Group> groups_of(const SymbolicShape& input, const SymbolicShape& output) {
  const Axes from = significant_axes(input);
  const Axes to = significant_axes(output);
  std::vector<Group> groups;
  for (auto in = from.begin(), out = to.begin(); in != from.end() || out != to.end();) {
    Group& group = groups.emplace_back();
    Size taken(1);
    Size given(1);
    const auto take = [&] { taken = taken * input[*in], group.input.push_back(*in++); };
    const auto give = [&] { given = given * output[*out], group.output.push_back(*out++); };
    if (in != from.end()) take();
    if (out != to.end()) give();
    while (taken != given && (in != from.end() || out != to.end())) {
      const bool numbers = taken.value() && given.value();
      const bool gives = numbers ? *taken.value() > *given.value() : divides(given, taken);
      if (out != to.end() && (gives || in == from.end()))
        give();
      else if (in != from.end())
        take();
      else
        give();
    }
  }
  return groups;
}

// `stored` with the axes of each group beside one another, in their own order; where they are not, from the first one's
// place on.
Axes gathered(Axes stored, const std::vector<Group>& groups) {
  for (const Group& group : groups) {
    const auto in_group = [&](std::int64_t axis) {
      return std::find(group.input.begin(), group.input.end(), axis) != group.input.end();
    };
    const auto first = std::find_if(stored.begin(), stored.end(), in_group);
    if (group.input.size() < 2) continue;
    const auto place = first - stored.begin();
    std::erase_if(stored, in_group);
    stored.insert(stored.begin() + place, group.input.begin(), group.input.end());
  }
  return stored;
}

Axes without_ones(const Axes& axes, const SymbolicShape& shape) {
  Axes result;
  std::copy_if(axes.begin(), axes.end(), std::back_inserter(result),
               [&](std::int64_t axis) { return shape[axis] != Size(1); });
  return result;
}

}  // namespace

LayoutRule reshapes(std::function<void(LayoutCall&, const SymbolicShape& stored)> rewrite) {
  return {LayoutWish::Neutral, [rewrite = std::move(rewrite)](LayoutCall& call) {
            const SymbolicShape& input = call.input_shape(0);
            const SymbolicShape& output = call.output_shape(0);
            if (call.input(0).flattened) return keeps_original_layout().apply(call);
            const std::vector<Group> groups = groups_of(input, output);
            Axes stored = call.input(0).axes;
            const Axes together = gathered(stored, groups);
            if (without_ones(together, input) != without_ones(stored, input)) stored = together;
            call.require(0, {stored, {}});

            Axes order;
            for (const std::int64_t axis : stored)
              for (const Group& group : groups)
                if (!group.input.empty() && group.input[0] == axis)
                  order.insert(order.end(), group.output.begin(), group.output.end());
            Arrangement arrangement = with_free_axes(order, output.size(), call, 0);
            if (!arrangement.is_original() || !call.input(0).is_original()) {
              SymbolicShape shape;
              for (const std::int64_t axis : arrangement.axes) shape.push_back(output[axis]);
              rewrite(call, shape);
            }
            call.set_output(0, std::move(arrangement));
          }};
}

}  // namespace h5bridge
