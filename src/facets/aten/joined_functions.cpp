#include "facets/aten/joined_functions.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "facets/aten/module_group.h"

namespace h5bridge::aten {
namespace {

// The operations that a chain ends with, the last of them first; fewer at the graph's beginning. What gives sizes alone
// may stand between them, and nothing that could change memory.
std::vector<const Operation*> chain_before(const Graph& graph, std::size_t end, std::size_t count) {
  std::vector<const Operation*> result;
  for (std::size_t i = end + 1; i-- > 0 && result.size() < count;)
    if (!graph.operations[i].gives_sizes) result.push_back(&graph.operations[i]);
  return result;
}

bool is_one_of(const Operation& operation, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, operation.plain_name()) != names.end();
}

// Whether an operation is given what another one makes.
bool takes(const Operation& operation, std::string_view argument, const Operation& maker) {
  const std::string* given = tensor_of(operation, argument);
  return given && maker.outputs.size() == 1 && maker.outputs[0] == *given;
}

bool are_alike(const Graph& graph, const std::string& a, const std::string& b) {
  const auto first = graph.values.find(a), second = graph.values.find(b);
  return first != graph.values.end() && second != graph.values.end() && first->second.shape &&
         first->second.shape == second->second.shape;
}

// x / max(norm of x, eps), the norm spread to the shape of x (torch/nn/functional.py, normalize).
std::optional<std::vector<Argument>> normalized(const Graph& graph, std::size_t end) {
  if (graph.operations[end].plain_name() != "div") return {};
  const std::vector<const Operation*> chain = chain_before(graph, end, 4);
  if (chain.size() != 4) return {};
  const Operation *division = chain[0], *spread = chain[1], *clamp = chain[2], *norm = chain[3];
  const std::string* x = tensor_of(*division, "self");
  const std::string* of = tensor_of(*norm, "self");
  if (!x || !of || *x != *of || !value_of(*division, "rounding_mode").is_null()) return {};
  if (!is_one_of(*spread, {"expand_as", "expand"}) || !is_one_of(*clamp, {"clamp_min", "clamp"}) ||
      norm->plain_name() != "linalg_vector_norm")
    return {};
  if (!takes(*division, "other", *spread) || !takes(*spread, "self", *clamp) || !takes(*clamp, "self", *norm) ||
      !are_alike(graph, *x, spread->outputs[0].value()))
    return {};
  const Json least = value_of(*clamp, "min"), power = value_of(*norm, "ord"), axes = value_of(*norm, "dim");
  const auto is_number = [](const Json& json) { return json.is_integer() || json.is_float(); };
  if (!is_number(least) || !value_of(*clamp, "max").is_null() || !(power.is_null() || is_number(power)) ||
      !axes.is_array() || value_of(*norm, "keepdim") != Json(true) || !value_of(*norm, "dtype").is_null())
    return {};
  return std::vector<Argument>{
      {"input", *x}, {"p", power.is_null() ? Json(2.0) : power}, {"dim", axes}, {"eps", least}};
}

}  // namespace

void join_functions(Graph& graph) {
  for (std::size_t i = 0; i < graph.operations.size(); ++i)
    if (auto arguments = normalized(graph, i)) {
      graph.operations[i].target = "aten.normalize.default";
      graph.operations[i].arguments = std::move(*arguments);
    }
}

}  // namespace h5bridge::aten
