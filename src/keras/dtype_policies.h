// The dtype policies of a Keras model's layers: a layer casts the floating-point inputs of each call to its own.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "h5bridge/architecture.h"
#include "passes/float_types.h"

namespace h5bridge {

/// Those that the layers of an architecture get in Keras, so that Keras computes in the types that PyTorch does.
class DTypePolicies {
 public:
  /// `floats` are the types of the model's tensors; of one without any, float32 is taken for them.
  DTypePolicies(const Architecture& architecture, const FloatTypes& floats);

  /// The model's.
  DType of_model() const { return model_; }
  /// That of the layer that a node calls: its tensors' type; where it has none, what its floating-point inputs give
  /// together.
  DType of_node(const std::string& node) const { return of_nodes_.at(node); }
  /// Whether all layers were said to be of one type, and the tensors are all of another one now, as of a module after
  /// to(dtype): the layers without tensors are then of that, too.
  bool is_cast_as_a_whole() const { return is_cast_as_a_whole_; }
  /// Whether Keras would cast the tensors of `layer` by the policy that stands in `said`, Keras's own settings of it.
  bool casts_tensors(const Json::Object& said, const Layer& layer) const;

 private:
  FloatTypes floats_;
  DType model_;
  bool is_cast_as_a_whole_ = false;
  std::map<std::string, DType> of_nodes_;
};

/// The type in which a layer with these settings has its tensors, and takes its floating-point inputs: of
/// "mixed_float16" that is float32, as what such a policy computes in is left out (passes/mixed_precision.h). nullopt
/// where they say none, or none of floating-point numbers.
std::optional<DType> stated_policy(const Json::Object& config);

}  // namespace h5bridge
