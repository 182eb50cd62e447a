#include <algorithm>
#include <limits>

#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::indexing {
namespace {

using aten::Call;
using aten::Given;
using aten::Row;

// Ends that are none, and a slice that is the whole.
void settle_slice(Call& call) {
  const auto is = [&](const char* name, std::int64_t wanted) {
    const Json* value = call.attribute(name);
    return value && *value == Json(wanted);
  };
  if (is("start", 0)) call.take("start");
  if (is("end", std::numeric_limits<std::int64_t>::max())) call.take("end");
  if (is("step", 1)) call.take("step");
  call.is_same_value = !call.attribute("start") && !call.attribute("end") && !call.attribute("step");
}

// x[:, index]: rows of a table where the index has several axes.
void by_tensor(Call& call) {
  const Given* indices = call.find("indices");
  const aten::Names found = indices ? indices->tensors : aten::Names{};
  const auto given = std::ranges::find_if(found, [](const auto& name) { return name.has_value(); });
  if (given == found.end() || std::count_if(given, found.end(), [](const auto& name) { return name.has_value(); }) > 1)
    throw Unsupported("indexes several axes together");
  const std::int64_t axis = given - found.begin();
  call.drop("indices");
  const std::int64_t rank = call.rank();
  call.operands.push_back({"index", {*given}, false});
  const std::size_t axes = call.shape("index").size();
  if (call.operand_dtype("index") == DType::Bool) throw Unsupported("indexes by truth values");
  if (axes == 1) {
    call.attributes.set("dim", axis);
  } else if (axis == 0 && rank == 2) {
    call.type = "embedding";
    call.operands = {{"input", {*given}, false}, {"weight", call.operands[0].tensors, false}};
  } else {
    throw Unsupported("indexes by a tensor of " + std::to_string(axes) + " axes");
  }
}

}  // namespace

std::vector<Row> aten_rows() {
  return {aten::view({.operators = {"slice"}, .type = "slice", .adjust = settle_slice}),
          aten::view(aten::plain({"select"}, "select")),
          aten::view(aten::plain({"narrow"}, "narrow")),
          aten::plain({"index_select"}, "index_select"),
          {.operators = {"gather"}, .type = "gather", .ignored = {"sparse_grad"}},
          aten::plain({"take_along_dim"}, "take_along_dim"),
          {.operators = {"index"}, .type = "index_select", .adjust = by_tensor}};
}

}  // namespace h5bridge::indexing
