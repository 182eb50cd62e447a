#include "facets/aten/branch.h"

#include <set>

#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge::aten {

void refuse_changes_outside(const std::vector<Operation>& operations, std::size_t begin) {
  std::set<std::string> made;
  for (std::size_t i = begin; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    const auto* first = operation.arguments.empty() ? nullptr : std::get_if<std::string>(&operation.arguments[0].value);
    const bool is_of_its_own = first && made.contains(*first);
    if (is_in_place(operation.plain_name()) && !is_of_its_own)
      throw Unsupported("operator " + shortened(operation.target) +
                        ": changes a tensor in place in a branch that has not made it");
    const Row* row = find_row(operation.plain_name());
    const bool may_be_view = !row || row->is_view || row->type.empty();
    if (may_be_view && !is_of_its_own) continue;
    for (const auto& output : operation.outputs)
      if (output) made.insert(*output);
  }
}

}  // namespace h5bridge::aten
