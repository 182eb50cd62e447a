#include "facets/aten/row.h"

namespace h5bridge::joining {

std::vector<aten::Row> aten_rows() {
  return {aten::plain({"cat", "concat", "concatenate"}, "cat"),
          aten::plain({"stack"}, "stack"),
          aten::view({.operators = {"split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"},
                      .type = "split",
                      .renamed = {{"split_sizes", "split_size"}}}),
          aten::view(aten::plain({"chunk", "unsafe_chunk"}, "chunk")),
          aten::view(aten::plain({"tensor_split"}, "tensor_split")),
          aten::view(aten::plain({"unbind"}, "unbind"))};
}

}  // namespace h5bridge::joining
