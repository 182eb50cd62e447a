#include "facets/aten/row.h"

namespace h5bridge::memory_format {
namespace {

// Whether elements come to lie in the order of the axes that did not before.
bool puts_in_order(const aten::Call& call) {
  const Json wanted = aten::value_of(call.operation(), "memory_format");
  constexpr int kContiguous = 1;  // torch/_export/serde/schema.py, MemoryFormat
  const bool is_asked = wanted.is_null() ? call.operation().plain_name() == "contiguous" : wanted == Json(kContiguous);
  return is_asked && !call.is_contiguous("self");
}

void settle(aten::Call& call) { call.is_same_value = !puts_in_order(call); }

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {aten::view({.operators = {"contiguous"}, .type = "contiguous", .adjust = settle}),
          {.operators = {"clone"}, .type = "contiguous", .adjust = settle}};
}

}  // namespace h5bridge::memory_format
