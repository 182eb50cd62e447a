// What the facets of this family share.
#pragma once

namespace h5bridge::rearrangement {

/// The attribute that says how the channels of blocks are counted.
inline constexpr const char* kBlocksFirst = "blocks_first";

}  // namespace h5bridge::rearrangement
