#include "facets/aten/row.h"

namespace h5bridge::repetition {
namespace {

void whole(aten::Call& call) {
  if (const Json* dims = call.attribute("dims"); dims && dims->is_array() && dims->as_array().empty())
    call.take("dims");
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {aten::view(aten::plain({"expand"}, "expand")),
          aten::view(aten::plain({"broadcast_to"}, "broadcast_to")),
          aten::view(aten::plain({"expand_as"}, "expand_as")),
          aten::plain({"repeat"}, "repeat"),
          aten::plain({"tile"}, "tile"),
          {.operators = {"repeat_interleave"}, .type = "repeat_interleave", .ignored = {"output_size"}},
          aten::plain({"flip"}, "flip"),
          {.operators = {"fliplr"}, .type = "flip", .defaults = {{"dims", Json::Array{1}}}},
          {.operators = {"flipud"}, .type = "flip", .defaults = {{"dims", Json::Array{0}}}},
          {.operators = {"roll"}, .type = "roll", .adjust = whole},
          aten::plain({"tril"}, "tril"),
          aten::plain({"triu"}, "triu")};
}

}  // namespace h5bridge::repetition
