#include <limits>

#include "facets/aten/row.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::indexing {
namespace {

using aten::Call;
using aten::Given;
using aten::Row;

// Whether a slice ends where the axis does, of whatever size that is.
bool ends_with_axis(const Call& call) {
  const Json* end = call.attribute("end");
  const std::int64_t axis = resolve_axis(call.integer("dim", 0), static_cast<std::int64_t>(call.shape().size()));
  const Size& size = call.shape()[static_cast<std::size_t>(axis)];
  return end && end->is_string() && end->as_string() == size.str();
}

// Ends that are none, and a slice that is the whole.
void settle_slice(Call& call) {
  const auto is = [&](const char* name, std::int64_t wanted) {
    const Json* value = call.attribute(name);
    return value && *value == Json(wanted);
  };
  if (is("start", 0)) call.take("start");
  if (is("end", std::numeric_limits<std::int64_t>::max()) || ends_with_axis(call)) call.take("end");
  if (is("step", 1)) call.take("step");
  call.is_same_value = !call.attribute("start") && !call.attribute("end") && !call.attribute("step");
}

// The numbers of an index that is a constant: of x[:, [0, 2]].
std::optional<Json::Array> constant_numbers(const Call& call, const std::string& index) {
  const aten::KnownNumbers* elements = call.elements(index);
  if (!elements || elements->rank() != 1 || elements->count() == 0) return {};
  Json::Array result;
  for (std::int64_t i = 0; i < elements->count(); ++i) result.emplace_back(elements->at({i}).integer);
  return result;
}

// x[:, index], and x[i, j] of several axes together, whose numbers broadcast.
void by_tensors(Call& call) {
  const Given* indices = call.find("indices");
  const aten::Names found = indices ? indices->tensors : aten::Names{};
  call.drop("indices");
  Json::Array axes;
  Given given{"indices", {}, true};
  for (std::size_t axis = 0; axis < found.size(); ++axis) {
    if (!found[axis]) continue;
    axes.emplace_back(static_cast<std::int64_t>(axis));
    given.tensors.push_back(found[axis]);
  }
  for (const auto& index : given.tensors) {
    call.operands.push_back({"index", {index}, false});
    if (call.operand_dtype("index") == DType::Bool) throw Unsupported("indexes by truth values");
    call.drop("index");
  }
  call.operands.push_back(given);
  if (axes.empty()) throw MalformedFile("indexes no axis");
  if (axes.size() == 1 && call.shape("indices").size() == 1) {
    call.operands.back() = {"index", given.tensors, false};
    call.attributes.set("dim", axes[0]);
    if (std::optional<Json::Array> numbers = constant_numbers(call, *given.tensors[0])) {
      call.drop("index");
      call.attributes.set("index", std::move(*numbers));
    }
  } else {
    call.type = "index_by_tensors";
    call.attributes.set("dims", std::move(axes));
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
          {.operators = {"index"}, .type = "index_select", .adjust = by_tensors}};
}

}  // namespace h5bridge::indexing
