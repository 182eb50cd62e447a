#include "facets/spec/named_axis.h"

#include "h5bridge/error.h"

namespace h5bridge {

AttributeSpec axis_of_channels() {
  return or_none(integer("axis", 1, "Keras's: the axis of the channels; None: as data_format says"));
}

bool has_axis(const Attributes& attributes) { return attributes.contains("axis") && !attributes.is_none("axis"); }

std::int64_t normalised_axis(const Attributes& attributes, std::int64_t rank) {
  return has_axis(attributes) ? resolve_axis(attributes.integer("axis"), rank) : channel_axis(attributes, rank);
}

void set_normalised_axis(Attributes& attributes, std::int64_t axis, std::int64_t rank) {
  if (axis == 0) throw Unsupported("its axis is that of the batch");
  if (rank > 2) attributes.set("data_format", std::string(axis == 1 ? "channels_first" : "channels_last"));
  if (axis != 1 && axis != rank - 1) attributes.set("axis", axis);
}

Json axis_config(const Attributes& attributes, std::int64_t rank) {
  const std::int64_t axis = normalised_axis(attributes, rank);
  return axis == rank - 1 ? -1 : axis;
}

void keep_axis(LayoutCall& call) {
  const Arrangement input = call.input(0);
  const auto rank = static_cast<std::int64_t>(input.axes.size());
  call.attributes().set("axis", input.stored_axis(normalised_axis(call.attributes(), rank)));
  call.attributes().set("data_format", std::string(call.wants_channels_last() ? "channels_last" : "channels_first"));
  call.set_output(0, input);
}

}  // namespace h5bridge
