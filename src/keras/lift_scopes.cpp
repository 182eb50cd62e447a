#include "keras/lift_scopes.h"

#include <algorithm>
#include <numeric>

#include "h5bridge/error.h"
#include "keras/print_tree.h"
#include "model/quoted.h"

namespace h5bridge {

DeclaredInput declared_by(const KerasLayer& input_layer) {
  const Json* shape = input_layer.find("batch_shape");
  if (!shape) shape = input_layer.find("batch_input_shape");
  if (!shape) throw MalformedFile(describe(input_layer) + " has no batch_shape");
  const Json* dtype = input_layer.find("dtype");
  const auto known = dtype && dtype->is_string() ? dtype_named(dtype->as_string()) : DType::Float32;
  if (!known) throw Unsupported(describe(input_layer) + " has dtype " + quoted(*dtype));
  const Json* optional = input_layer.find("optional");
  return {*shape, *known, optional && *optional == Json(true)};
}

std::vector<std::string> scope_call_names(const ExpandedModel& inner) {
  std::vector<std::string> names;
  std::map<std::string, int> calls;
  for (const ExpandedCall& call : inner.calls) {
    const int number = calls[call.model]++;
    names.push_back(number == 0 ? call.model : call.model + "_" + std::to_string(number));
  }
  return names;
}

void note_scopes(const ExpandedModel& inner, const std::vector<std::string>& scope_calls,
                 const std::map<std::string, const KerasLayer*>& layers, LiftedGraph& graph) {
  for (const ExpandedScope& model : inner.models) {
    Scope scope{model.name, {}, model.origin};
    for (const std::string& input : model.inputs) {
      const KerasLayer& layer = *layers.at(input);
      if (layer.class_name == "InputLayer") {
        const DeclaredInput declared = declared_by(layer);
        scope.inputs.push_back({layer.keras_name, graph.declared_shape(declared.shape), declared.dtype});
        if (declared.is_optional) scope.keras.optional_inputs.push_back(layer.keras_name);
      } else {  // a wrapper's, which declares nothing
        const TensorType& given = graph.types.of(graph.value_of({input, 0, 0}));
        scope.inputs.push_back({layer.keras_name, given.shape, given.dtype});
      }
    }
    graph.architecture.scopes.push_back(std::move(scope));
  }
  const auto value_of = [&](const History& tensor) {
    if (const Value* value = graph.find(tensor)) return *value;
    throw MalformedFile("the tensor " + print_history(tensor).dump() +
                        " of a model within the model is made by no layer");
  };
  std::vector<std::size_t> order(inner.calls.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t call) {
    return std::ranges::find(inner.models, inner.calls[call].model, &ExpandedScope::name) - inner.models.begin();
  });
  for (const std::size_t i : order) {
    const ExpandedCall& call = inner.calls[i];
    ScopeCall made{scope_calls[i], call.model, call.parent ? scope_calls.at(*call.parent) : "", {}, {}, {},
                   call.keywords};
    for (const History& argument : call.arguments) made.arguments.push_back(value_of(argument));
    for (const History& result : call.results) made.results.push_back(value_of(result));
    for (const std::optional<History>& mask : call.masks)
      made.masks.push_back(mask ? std::optional(value_of(*mask)) : std::nullopt);
    graph.architecture.scope_calls.push_back(std::move(made));
  }
}

}  // namespace h5bridge
