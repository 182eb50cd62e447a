// Where the channels of a normalisation stand: the attribute data_format says, unless the attribute axis does, as
// Keras's layers may.
#pragma once

#include "facets/spec/layer_type.h"

namespace h5bridge {

/// The attribute `axis`, which is None for all but Keras's layers.
AttributeSpec axis_of_channels();
bool has_axis(const Attributes& attributes);
std::int64_t normalised_axis(const Attributes& attributes, std::int64_t rank);
/// Sets data_format and axis for an axis that Keras gives.
void set_normalised_axis(Attributes& attributes, std::int64_t axis, std::int64_t rank);
/// What a Keras configuration calls that axis.
Json axis_config(const Attributes& attributes, std::int64_t rank);
/// The layout rule of a call whose attribute axis is set: it takes its input as it comes, without a flattened axis.
void keep_axis(LayoutCall& call);

}  // namespace h5bridge
