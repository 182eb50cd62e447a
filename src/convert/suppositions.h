// What is often otherwise about a layer where two programs disagree, as changes of its call that can be tried.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

/// A call of a layer, with what it computes with.
struct SupposedCall {
  Layer layer;
  Node node;
  std::vector<NamedTensor> tensors;  // the layer's, by the state_dict's names
};

struct Supposition {
  std::string kind;  // "epsilon", "layout", ...: as docs/when_numbers_differ.md lists them
  std::string text;  // "with \"eps\" 0.001 in place of 1e-05"
  SupposedCall call;
};

/// The call as the model, which has an architecture, has it.
SupposedCall call_in(const Model& model, const Node& node);
/// That of the name; nullopt where there is none.
std::optional<SupposedCall> call_in(const Model& model, const std::string& node);

/// The ways in which the call may be meant otherwise, the more telling ones first. Whoever tries them may find that
/// some fit no layer. `unflattened`: the shape, without the batch, of what a flatten before it was given.
std::vector<Supposition> suppositions(const SupposedCall& call, const std::optional<Shape>& unflattened);

/// The settings and tensors that another model's call of the same layer has otherwise, one by one.
std::vector<Supposition> suppositions_of_another(const SupposedCall& call, const SupposedCall& other);

}  // namespace h5bridge
