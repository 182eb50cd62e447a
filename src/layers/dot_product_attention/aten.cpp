#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::dot_product_attention {
namespace {

void without_dropout(aten::Call& call) {
  if (const Json share = call.take("dropout_p"); !share.is_null() && share.as_float() != 0)
    throw Unsupported("drops scores in evaluation, too (dropout_p)");
  if (call.is_used(1)) throw Unsupported("its sums of exponentials, the second result, are used");
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {{.operators = {"scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu"},
           .type = "scaled_dot_product_attention",
           .adjust = without_dropout}};
}

}  // namespace h5bridge::dot_product_attention
