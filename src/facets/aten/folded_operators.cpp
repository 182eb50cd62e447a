#include "facets/aten/folded_operators.h"

#include "facets/aten/folded_call.h"

namespace h5bridge::aten {
namespace {

folding::Operators all_operators() {
  folding::Operators result = folding::elementwise_operators();
  for (folding::Operators more :
       {folding::creation_operators(), folding::view_operators(), folding::placing_operators()})
    result.merge(more);
  return result;
}

}  // namespace

const FoldedOperator* find_folded_operator(std::string_view name) {
  static const folding::Operators known = all_operators();
  if (name.ends_with('_') && !name.ends_with("__")) name.remove_suffix(1);
  const auto found = known.find(name);
  return found == known.end() ? nullptr : &found->second;
}

}  // namespace h5bridge::aten
