#include "facets/aten/row.h"

namespace h5bridge::local_normalization {
namespace {

using aten::ModuleForm;
using aten::ModuleGroup;
using aten::Operation;

// x / (k + alpha mean of x^2 over a window of channels)^beta, the mean by a pooling.
std::optional<ModuleForm> response(const ModuleGroup& group) {
  std::vector<const Operation*> pools = group.all("avg_pool2d");
  for (const Operation* pool : group.all("avg_pool3d")) pools.push_back(pool);
  const std::vector<const Operation*> products = group.all("mul"), sums = group.all("add"), powers = group.all("pow");
  const std::vector<std::string> given = group.given(), results = group.results();
  if (pools.size() != 1 || products.size() != 2 || sums.size() != 1 || powers.size() != 1 || given.size() != 1 ||
      results.size() != 1)
    return {};
  const Json window = aten::value_of(*pools[0], "kernel_size");
  const Json alpha = aten::value_of(*products[1], "other"), beta = aten::value_of(*powers[0], "exponent"),
             k = aten::value_of(*sums[0], "other");
  if (!window.is_array() || window.as_array().empty() || alpha.is_null() || beta.is_null() || k.is_null()) return {};
  return ModuleForm{"LocalResponseNorm",
                    {{"size", window.as_array()[0]}, {"alpha", alpha}, {"beta", beta}, {"k", k}},
                    {{"input", {given[0]}, false}},
                    {results[0]}};
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {aten::whole_module("LocalResponseNorm", response), aten::plain({"normalize"}, "normalize")};
}

}  // namespace h5bridge::local_normalization
