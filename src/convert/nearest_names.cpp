#include "convert/nearest_names.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>

#include "model/quoted.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostNames = 200;        // on either side: who has more has another network
constexpr std::size_t kLongestCompared = 200;  // of which the end tells most

std::string_view end_of(std::string_view name) {
  return name.size() <= kLongestCompared ? name : name.substr(name.size() - kLongestCompared);
}

/// How many letters are to be changed, put in or taken out to make one the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

void add_nearest_names(const Model& model, std::vector<WeightProblem>& problems) {
  std::map<std::string, Shape> wanted;
  for (const NamedParameter& parameter : parameters_of(*model.architecture))
    wanted.emplace(parameter.name, parameter.spec.shape);
  std::vector<const NamedTensor*> unexpected;
  std::map<std::string, const NamedTensor*> tensors;
  for (const NamedTensor& tensor : model.weights) tensors.emplace(tensor.name, &tensor);
  std::size_t missing = 0;
  for (const WeightProblem& problem : problems) {
    if (problem.kind == WeightProblem::Kind::Missing) ++missing;
    if (problem.kind == WeightProblem::Kind::Unexpected) unexpected.push_back(tensors.at(problem.tensor));
  }
  if (missing > kMostNames || unexpected.size() > kMostNames) return;
  for (WeightProblem& problem : problems) {
    const auto shape = wanted.find(problem.tensor);
    if (problem.kind != WeightProblem::Kind::Missing || shape == wanted.end()) continue;
    const NamedTensor* nearest = nullptr;
    std::size_t least = std::numeric_limits<std::size_t>::max();
    for (const NamedTensor* candidate : unexpected) {
      if (candidate->tensor.shape() != shape->second) continue;
      const std::size_t found = distance(end_of(problem.tensor), end_of(candidate->name));
      if (found < least) std::tie(nearest, least) = std::pair(candidate, found);
    }
    if (nearest) problem.detail = "(perhaps " + shortened(nearest->name) + ")";
  }
}

}  // namespace h5bridge
