// One operation of an exported graph as a layer's call, by its row.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "facets/aten/row.h"
#include "facets/spec/layer_type.h"
#include "files/pt2_archive.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

/// What an operation is, before it has a name in the architecture.
struct ExportedCall {
  aten::Call call;
  Attributes attributes;    // complete ones, of the layer that call.type is
  std::string module = {};  // the path of the module that it is, whose parameters are no operands then
};

/// The module's own tensors, by the graph's names and by their keys.
class ExportedState {
 public:
  ExportedState(const aten::Graph& graph, const Pt2Model& model);

  /// Of the state_dict; nullptr where a name is none of these.
  const Pt2Tensor* find(const std::string& key) const;
  /// The tensor that a graph's name stands for, of the state_dict or a constant; nullptr for what is computed.
  const Pt2Tensor* own(const std::string& name) const;
  bool is_in_state(const std::string& name) const { return in_state_.contains(name); }
  /// How many operations take a tensor of the state_dict.
  std::size_t uses(const std::string& key) const;

 private:
  std::map<std::string, const Pt2Tensor*> state_, own_, in_state_;
  std::map<std::string, std::size_t> uses_;
};

/// What tells whether two tensors are the same view of the same bytes.
using Pt2View = std::tuple<std::string_view, DType, std::int64_t, Shape, std::vector<std::int64_t>>;
/// It lasts as long as the tensor.
Pt2View view_of(const Pt2Tensor& tensor);
/// Whether both are that.
bool are_one(const Pt2Tensor& a, const Pt2Tensor& b);

/// Complete attributes of a type; throws Unsupported for those that it does not have, or not with such a value.
Attributes settings_of_type(const LayerType& type, const Json::Object& attributes);

/// Whether the state_dict has all tensors of a layer under `path`.
bool holds_parameters(const ExportedState& state, const LayerType& type, const Attributes& settings,
                      const std::string& path);

/// Throws Unsupported or MalformedFile, saying what cannot be said.
ExportedCall call_by_row(const aten::Graph& graph, const aten::Operation& operation, const aten::Row& row,
                         const ExportedState& state);

}  // namespace h5bridge
