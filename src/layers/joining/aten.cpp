#include "facets/aten/row.h"
#include "facets/aten/write_back.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::joining {
namespace {

using aten::Call;

// The parts before and behind what is written over, and that.
void written_over(Call& call) {
  const SymbolicShape shape = call.shape("self");
  const std::string base = call.name_of("self");
  std::string part = call.name_of("src");
  const std::int64_t dim = resolve_axis(call.integer("dim", 0), static_cast<std::int64_t>(shape.size()));
  if (call.integer("step", 1) != 1) throw Unsupported("writes over every other element");
  const bool is_one = call.operation().find("index") != nullptr;
  const Size start = aten::place_along(call.take(is_one ? "index" : "start"), shape.at(dim));
  const Size length = is_one ? Size(1) : call.shape("src").at(dim);
  if (is_one) part = call.step("unsqueeze", {{"dim", dim}}, {part});
  call.attributes = {};
  aten::write_over_part(call, base, shape, part, dim, start, length);
}

// Of the target's shape and type.
void copied(Call& call) {
  const bool is_cast = call.operand_dtype("src") != call.operand_dtype("self");
  const bool is_stretched = call.shape("src") != call.shape("self");
  const std::string target = call.name_of("self"), source = call.name_of("src");
  const Json::Object cast{{"dtype", std::string(name_of(call.operand_dtype("self")))}};
  call.attributes = {};
  if (is_stretched) {
    call.type = "expand_as";
    const std::string elements = is_cast ? call.step("to", cast, {source}) : source;
    call.operands = {{"input", {elements}, false}, {"other", {target}, false}};
  } else if (is_cast) {
    call.type = "to";
    call.attributes = cast;
    call.operands = {{"input", {source}, false}};
  } else {
    call.is_same_value = true;
    call.operands = {{"input", {source}, false}};
  }
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {aten::plain({"cat", "concat", "concatenate"}, "cat"),
          aten::plain({"stack"}, "stack"),
          {.operators = {"slice_scatter", "select_scatter"}, .type = "cat", .adjust = written_over},
          {.operators = {"copy"}, .type = "expand_as", .adjust = copied},
          aten::view({.operators = {"split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"},
                      .type = "split",
                      .renamed = {{"split_sizes", "split_size"}}}),
          aten::view(aten::plain({"chunk", "unsafe_chunk"}, "chunk")),
          aten::view(aten::plain({"tensor_split"}, "tensor_split")),
          aten::view(aten::plain({"unbind"}, "unbind"))};
}

}  // namespace h5bridge::joining
