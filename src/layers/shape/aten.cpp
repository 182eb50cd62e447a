#include "facets/aten/row.h"

namespace h5bridge::shape {
namespace {

using aten::Call;
using aten::Row;
using aten::view;

void reversed(Call& call) {
  Json::Array order;
  for (std::int64_t axis = call.rank() - 1; axis >= 0; --axis) order.push_back(axis);
  call.attributes.set("dims", std::move(order));
}

void last_two(Call& call) {
  call.attributes.set("dim0", -2);
  call.attributes.set("dim1", -1);
}

void in_shape_of_result(Call& call) {
  call.operands.resize(1);
  Json::Array shape;
  for (const Size& size : call.output_shape()) shape.push_back(size.value() ? Json(*size.value()) : Json(size.str()));
  call.attributes.set("shape", std::move(shape));
}

}  // namespace

std::vector<Row> aten_rows() {
  return {
      view({.operators = {"flatten"}, .type = "Flatten", .defaults = {{"start_dim", 0}}}),
      view({.operators = {"ravel"}, .type = "Flatten", .defaults = {{"start_dim", 0}}}),
      view({.operators = {"unflatten"}, .type = "Unflatten", .renamed = {{"sizes", "unflattened_size"}}}),
      view({.operators = {"view", "_unsafe_view"}, .type = "view", .renamed = {{"size", "shape"}}}),
      view(aten::plain({"reshape"}, "reshape")),
      view({.operators = {"view_as", "reshape_as"}, .type = "reshape", .adjust = in_shape_of_result}),
      view(aten::plain({"squeeze"}, "squeeze")),
      view(aten::plain({"unsqueeze"}, "unsqueeze")),
      view(aten::plain({"permute"}, "permute")),
      view({.operators = {"transpose", "swapaxes", "swapdims"},
            .type = "transpose",
            .renamed = {{"axis0", "dim0"}, {"axis1", "dim1"}}}),
      view({.operators = {"t"}, .type = "transpose", .defaults = {{"dim0", 0}, {"dim1", 1}}}),
      view({.operators = {"numpy_T"}, .type = "permute", .adjust = reversed}),
      view({.operators = {"mT"}, .type = "transpose", .adjust = last_two}),
      view(aten::plain({"movedim", "moveaxis"}, "movedim")),
  };
}

}  // namespace h5bridge::shape
