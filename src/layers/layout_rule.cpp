#include "layers/layout_rule.h"

#include <algorithm>
#include <numeric>

#include "layers/layer_type.h"

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
            for (std::size_t i = 0; i < call.input_count(); ++i) call.require(i, Arrangement::original(call.input_shape(i).size()));
          }};
}

LayoutRule any_layout() {
  return {LayoutWish::PassesOn, [](LayoutCall& call) {
            // The first input that is not in the original layout decides, so that a residual branch costs no permute.
            Arrangement common = call.input(0);
            bool alike = true;
            for (std::size_t i = 0; i < call.input_count(); ++i) {
              alike = alike && call.input_shape(i).size() == common.axes.size() && call.input(i).flattened == call.input(0).flattened;
              if (common.is_original()) common = call.input(i);
            }
            if (!alike) return keeps_original_layout().apply(call);
            for (std::size_t i = 0; i < call.input_count(); ++i) call.require(i, common);
            call.set_output(0, common);
          }};
}

LayoutRule follows_data_format() {
  return {LayoutWish::ChannelsLast, [](LayoutCall& call) {
            const std::size_t rank = call.input_shape(0).size();
            const bool is_last = call.attributes().text("data_format") == "channels_last";
            const bool to_last = call.wants_channels_last();
            const Arrangement wanted = is_last == to_last ? Arrangement::original(rank) : channels_moved(rank, to_last);
            call.require(0, wanted);
            call.attributes().set("data_format", std::string(to_last ? "channels_last" : "channels_first"));
            // A layer that drops the spatial axes (global pooling) leaves nothing to arrange.
            const std::size_t out_rank = call.output_shape(0).size();
            if (out_rank == rank) call.set_output(0, wanted);
          }};
}

LayoutRule counts_axis(std::string attribute) {
  return {LayoutWish::PassesOn, [attribute](LayoutCall& call) {
            any_layout().apply(call);
            const Arrangement common = call.input(0);
            if (common.is_original()) return;
            const auto rank = static_cast<std::int64_t>(common.axes.size());
            const std::int64_t axis = resolve_axis(call.attributes().integer(attribute), rank);
            if (common.flattened && axis == rank - 1) {
              call.require(0, Arrangement::original(common.axes.size()));
              call.set_output(0, Arrangement::original(common.axes.size()));
              return;
            }
            call.attributes().set(attribute, common.stored_axis(axis));
          }};
}

}  // namespace h5bridge
