#include "facets/spec/layout_rule.h"

#include <algorithm>
#include <numeric>

#include "facets/spec/axes.h"

namespace h5bridge {

Arrangement Arrangement::original(std::size_t rank) {
  Arrangement result;
  result.axes.resize(rank);
  std::iota(result.axes.begin(), result.axes.end(), 0);
  return result;
}

bool Arrangement::is_original() const { return *this == original(axes.size()); }

std::int64_t Arrangement::stored_axis(std::int64_t axis) const {
  return std::find(axes.begin(), axes.end(), axis) - axes.begin();
}

Arrangement channels_moved(std::size_t rank, bool to_last) {
  Arrangement result = Arrangement::original(rank);
  if (rank < 3) return result;
  if (to_last)
    std::rotate(result.axes.begin() + 1, result.axes.begin() + 2, result.axes.end());
  else
    std::rotate(result.axes.begin() + 1, result.axes.end() - 1, result.axes.end());
  return result;
}

LayoutRule keeps_original_layout() {
  return {LayoutWish::Neutral, [](LayoutCall& call) {
            for (std::size_t i = 0; i < call.input_count(); ++i)
              call.require(i, Arrangement::original(call.input_shape(i).size()));
          }};
}

namespace {

// What the last axes of `common` are for an input that has only so many; none if others stand among them.
std::optional<Arrangement> at_end_of(const Arrangement& common, std::size_t rank) {
  const std::size_t missing = common.axes.size() - rank;
  Arrangement result;
  for (auto axis = common.axes.begin() + missing; axis != common.axes.end(); ++axis) {
    if (*axis < static_cast<std::int64_t>(missing)) return std::nullopt;
    result.axes.push_back(*axis - static_cast<std::int64_t>(missing));
  }
  return result;
}

// The arrangement that an elementwise layer's inputs can share: the first one that is not original, so that a residual
// branch costs no permute; what is stretched is small, and moves. Those of the inputs go to `wanted`.
std::optional<Arrangement> shared_arrangement(const LayoutCall& call, std::vector<Arrangement>& wanted) {
  std::size_t rank = 0;
  for (std::size_t i = 0; i < call.input_count(); ++i) rank = std::max(rank, call.input_shape(i).size());
  const auto stretched = [&](std::size_t i) { return std::ranges::count(call.input_shape(i), Size(1)); };
  auto least = static_cast<std::ptrdiff_t>(rank);
  for (std::size_t i = 0; i < call.input_count(); ++i)
    if (call.input_shape(i).size() == rank) least = std::min(least, stretched(i));
  std::optional<Arrangement> common;
  for (std::size_t i = 0; i < call.input_count(); ++i)
    if (call.input_shape(i).size() == rank && stretched(i) == least && (!common || common->is_original()))
      common = call.input(i);
  for (std::size_t i = 0; i < call.input_count(); ++i) {
    const SymbolicShape& shape = call.input_shape(i);
    std::optional<Arrangement> own = at_end_of(*common, shape.size());
    if (!own) return std::nullopt;
    own->flattened = call.input(i).flattened;
    const bool stretches = shape.empty() || shape.back() == Size(1);  // one element for all in whatever order
    if (own->flattened != common->flattened && !(stretches && !own->flattened)) return std::nullopt;
    wanted.push_back(std::move(*own));
  }
  return common;
}

bool is_aligned_at_batch(LayoutCall& call) {
  const Attributes& a = call.attributes();
  return a.contains("aligned_at_batch") && a.boolean("aligned_at_batch");
}

}  // namespace

LayoutRule any_layout() {
  return {LayoutWish::PassesOn, [](LayoutCall& call) {
            std::vector<Arrangement> wanted;
            const std::optional<Arrangement> common =
                is_aligned_at_batch(call) ? std::nullopt : shared_arrangement(call, wanted);
            if (!common) return keeps_original_layout().apply(call);
            for (std::size_t i = 0; i < call.input_count(); ++i) call.require(i, wanted[i]);
            for (std::size_t i = 0; i < call.output_count(); ++i) call.set_output(i, *common);
          }};
}

LayoutRule follows_data_format() {
  return {LayoutWish::ChannelsLast, [](LayoutCall& call) {
            const std::size_t rank = call.input_shape(0).size();
            const bool is_last = call.attributes().text("data_format") == "channels_last";
            const bool to_last = call.wants_channels_last();
            const Arrangement wanted = is_last == to_last ? Arrangement::original(rank) : channels_moved(rank, to_last);
            for (std::size_t i = 0; i < call.input_count(); ++i) call.require(i, wanted);
            Attributes& attributes = call.attributes();
            attributes.set("data_format", std::string(to_last ? "channels_last" : "channels_first"));
            if (attributes.contains("activation_axis") && call.activation_works_along_axis()) {
              const std::int64_t axis = wanted.stored_axis(
                  resolve_axis(attributes.integer("activation_axis"), static_cast<std::int64_t>(rank)));
              attributes.set("activation_axis", axis + 1 == static_cast<std::int64_t>(rank) ? -1 : axis);
            }
            // A layer that drops the spatial axes (global pooling) leaves nothing to arrange.
            const std::size_t out_rank = call.output_shape(0).size();
            if (out_rank != rank) return;
            for (std::size_t i = 0; i < call.output_count(); ++i) call.set_output(i, wanted);
          }};
}

LayoutRule counts_axis(std::string attribute) {
  return {LayoutWish::PassesOn, [attribute](LayoutCall& call) {
            if (call.attributes().is_none(attribute))
              return keeps_original_layout().apply(call);  // all elements in a row
            any_layout().apply(call);
            const Arrangement common = call.input(0);
            if (common.is_original()) return;
            const auto rank = static_cast<std::int64_t>(common.axes.size());
            std::vector<std::int64_t> axes = axes_in(call.attributes(), attribute, rank);
            const bool meets_reordered =
                common.flattened && std::find(axes.begin(), axes.end(), rank - 1) != axes.end();
            if (meets_reordered) {
              keeps_original_layout().apply(call);
              for (std::size_t i = 0; i < call.output_count(); ++i)
                call.set_output(i, Arrangement::original(call.output_shape(i).size()));
              return;
            }
            for (std::int64_t& axis : axes) axis = common.stored_axis(axis);
            set_axes(call.attributes(), attribute, axes);
          }};
}

namespace {

// `input` without some of its axes.
Arrangement without(const Arrangement& input, const std::vector<std::int64_t>& dropped) {
  const auto is_dropped = [&](std::int64_t axis) {
    return std::find(dropped.begin(), dropped.end(), axis) != dropped.end();
  };
  Arrangement result;
  for (const std::int64_t axis : input.axes)
    if (!is_dropped(axis))
      result.axes.push_back(
          axis - std::count_if(dropped.begin(), dropped.end(), [&](std::int64_t other) { return other < axis; }));
  if (!is_dropped(static_cast<std::int64_t>(input.axes.size()) - 1)) result.flattened = input.flattened;
  return result;
}

std::vector<std::int64_t> stored_axes(const Arrangement& arrangement, const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> result;
  for (const std::int64_t axis : axes) result.push_back(arrangement.stored_axis(axis));
  return result;
}

}  // namespace

LayoutRule reduces_axes(bool counts_elements) {
  return {LayoutWish::Neutral, [counts_elements](LayoutCall& call) {
            const Arrangement input = call.input(0);
            if (input.is_original()) return;
            const auto rank = static_cast<std::int64_t>(input.axes.size());
            const std::vector<std::int64_t> axes = axes_in(call.attributes(), "dim", rank);
            const bool meets_reordered = input.flattened && std::find(axes.begin(), axes.end(), rank - 1) != axes.end();
            const bool meets_all = call.attributes().is_none("dim");
            if (counts_elements && (meets_reordered || meets_all)) return keeps_original_layout().apply(call);
            Arrangement output = without(input, axes);
            if (call.attributes().boolean("keepdim")) {
              output = input;
              if (meets_reordered) output.flattened.reset();
            }
            set_axes(call.attributes(), "dim", stored_axes(input, axes));
            for (std::size_t i = 0; i < call.output_count(); ++i) call.set_output(i, output);
          }};
}

LayoutRule drops_axis(std::string attribute) {
  return {LayoutWish::Neutral, [attribute](LayoutCall& call) {
            const Arrangement input = call.input(0);
            if (input.is_original()) return;
            const auto rank = static_cast<std::int64_t>(input.axes.size());
            const std::int64_t axis = resolve_axis(call.attributes().integer(attribute), rank);
            if (input.flattened && axis == rank - 1) return keeps_original_layout().apply(call);
            call.attributes().set(attribute, input.stored_axis(axis));
            for (std::size_t i = 0; i < call.output_count(); ++i) call.set_output(i, without(input, {axis}));
          }};
}

LayoutRule adds_axis(std::string attribute) {
  return {LayoutWish::PassesAlong, [attribute](LayoutCall& call) {
            any_layout().apply(call);
            const Arrangement input = call.input(0);
            const std::size_t rank = input.axes.size() + 1;
            const std::int64_t added =
                resolve_axis(call.attributes().integer(attribute), static_cast<std::int64_t>(rank));
            call.set_output(0, Arrangement::original(rank));
            if (input.flattened && added == static_cast<std::int64_t>(rank) - 1)
              return keeps_original_layout().apply(call);
            std::vector<std::int64_t> order = input.axes;
            for (std::int64_t& axis : order) axis += axis >= added;
            Arrangement output = with_free_axes(order, rank, call, 0);
            output.flattened = input.flattened;
            if (output.flattened && output.axes.back() != static_cast<std::int64_t>(rank) - 1)
              return keeps_original_layout().apply(call);
            if (!output.is_original()) call.attributes().set(attribute, output.stored_axis(added));
            call.set_output(0, output);
          }};
}

Arrangement with_free_axes(const std::vector<std::int64_t>& fixed, std::size_t rank, const LayoutCall& call,
                           std::size_t i) {
  const auto is_fixed = [&](std::int64_t axis) { return std::find(fixed.begin(), fixed.end(), axis) != fixed.end(); };
  const Arrangement moved = channels_moved(rank, call.wants_channels_last());
  const Arrangement original = Arrangement::original(rank);
  for (const Arrangement& candidate : call.is_wished(i) ? std::vector{moved, original} : std::vector{original, moved}) {
    std::vector<std::int64_t> order;
    std::copy_if(candidate.axes.begin(), candidate.axes.end(), std::back_inserter(order), is_fixed);
    if (order == fixed) return candidate;
  }
  Arrangement result{fixed, {}};
  for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(rank); ++axis)
    if (!is_fixed(axis))
      result.axes.insert(
          axis == 0 ? result.axes.begin() : std::find(result.axes.begin(), result.axes.end(), axis - 1) + 1, axis);
  return result;
}

}  // namespace h5bridge
