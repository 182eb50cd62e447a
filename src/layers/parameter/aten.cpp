#include "facets/aten/row.h"

namespace h5bridge::parameter {

// What takes a tensor of the module's own or a constant finds it without an operator; these hand one on.
std::vector<aten::Row> aten_rows() {
  aten::Row copied = aten::same_value({"lift_fresh_copy"});
  copied.is_view = false;
  return {std::move(copied),
          aten::same_value({"alias", "lift_fresh", "lift", "positive", "resolve_conj", "resolve_neg"})};
}

}  // namespace h5bridge::parameter
