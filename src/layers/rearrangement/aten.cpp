#include "facets/aten/row.h"

namespace h5bridge::rearrangement {

std::vector<aten::Row> aten_rows() {
  return {aten::plain({"pixel_shuffle"}, "PixelShuffle"),
          aten::plain({"pixel_unshuffle"}, "PixelUnshuffle"),
          aten::plain({"channel_shuffle", "native_channel_shuffle"}, "ChannelShuffle"),
          aten::view(aten::plain({"unfold"}, "unfold")),
          aten::view(aten::plain({"diagonal"}, "diagonal")),
          aten::view(aten::plain({"meshgrid"}, "meshgrid"))};
}

}  // namespace h5bridge::rearrangement
