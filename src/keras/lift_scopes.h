// The models within a Keras model, whose layers stand in the graph that it is read into, as that graph's scopes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keras/expand.h"
#include "keras/lifted_graph.h"

namespace h5bridge {

/// What an InputLayer declares.
struct DeclaredInput {
  const Json& shape;
  DType dtype;
  bool is_optional;
};
/// Throws MalformedFile for one without a shape, Unsupported for an element type that no tensor has.
DeclaredInput declared_by(const KerasLayer& input_layer);

/// A name for each of the calls.
std::vector<std::string> scope_call_names(const ExpandedModel& inner);
/// Notes in the graph which layers and calls were an inner model's. `layers`: those of the flat model, by their names.
void note_scopes(const ExpandedModel& inner, const std::vector<std::string>& scope_calls,
                 const std::map<std::string, const KerasLayer*>& layers, LiftedGraph& graph);

}  // namespace h5bridge
