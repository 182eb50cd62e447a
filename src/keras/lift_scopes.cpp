#include "keras/lift_scopes.h"

#include <algorithm>
#include <numeric>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {

DeclaredInput declared_by(const Json& input_layer) {
  const Json& config = input_layer.at("config");
  const Json* shape = config.find("batch_shape");
  if (!shape) shape = config.find("batch_input_shape");
  if (!shape) throw MalformedFile(describe_entry(input_layer) + " has no batch_shape");
  const Json* dtype = config.find("dtype");
  const auto known = dtype && dtype->is_string() ? dtype_named(dtype->as_string()) : DType::Float32;
  if (!known) throw Unsupported(describe_entry(input_layer) + " has dtype " + quoted(*dtype));
  const Json* optional = config.find("optional");
  return {*shape, *known, optional && *optional == Json(true)};
}

std::vector<std::string> scope_call_names(const InlinedModels& inner) {
  std::vector<std::string> names;
  std::map<std::string, int> calls;
  for (const InlinedCall& call : inner.calls) {
    const int number = calls[call.model]++;
    names.push_back(number == 0 ? call.model : call.model + "_" + std::to_string(number));
  }
  return names;
}

void note_scopes(const InlinedModels& inner, const std::vector<std::string>& scope_calls,
                 const std::map<std::string, const Json*>& input_layers, LiftedGraph& graph) {
  for (const InlinedModel& model : inner.models) {
    Scope scope{model.name, {}, model.origin};
    for (const std::string& input : model.inputs) {
      if (const auto layer = input_layers.find(input); layer != input_layers.end()) {
        const DeclaredInput declared = declared_by(*layer->second);
        scope.inputs.push_back({inner.names.at(input), graph.declared_shape(declared.shape), declared.dtype});
        if (declared.is_optional) scope.keras.optional_inputs.push_back(inner.names.at(input));
      } else {  // a wrapper's, which declares nothing
        const TensorType& given = graph.types.of(graph.value_of({input, 0, 0}));
        scope.inputs.push_back({inner.names.at(input), given.shape, given.dtype});
      }
    }
    graph.architecture.scopes.push_back(std::move(scope));
  }
  std::vector<std::size_t> order(inner.calls.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t call) {
    return std::ranges::find(inner.models, inner.calls[call].model, &InlinedModel::name) - inner.models.begin();
  });
  for (const std::size_t i : order) {
    const InlinedCall& call = inner.calls[i];
    ScopeCall made{scope_calls[i], call.model, call.parent ? scope_calls.at(*call.parent) : "", {}, {}, {},
                   call.keywords};
    for (const History& argument : call.arguments) made.arguments.push_back(graph.value_of(argument));
    for (const History& result : call.results) made.results.push_back(graph.value_of(result));
    for (const std::optional<History>& mask : call.masks)
      made.masks.push_back(mask ? std::optional(graph.value_of(*mask)) : std::nullopt);
    graph.architecture.scope_calls.push_back(std::move(made));
  }
}

}  // namespace h5bridge
