// Which variables of Keras's layers hold which tensors, as the rows of the layers say.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "facets/keras/keras_plan.h"
#include "facets/keras/mapping.h"
#include "h5bridge/architecture.h"
#include "keras/object_paths.h"

namespace h5bridge {

/// The mapping that a layer came from, or else the first of its type that can say it. Throws Unsupported where there is
/// none.
const KerasMapping& mapping_of(const Layer& layer, const std::vector<SymbolicShape>& inputs);

/// Collects the bindings of one layer after the other.
class BindingMaker {
 public:
  using WeightSteps = std::map<std::string, std::vector<WeightStep>>;

  /// `weight_steps`: those of the layout pass, by tensor; they outlive this.
  explicit BindingMaker(const WeightSteps& weight_steps) : weight_steps_(weight_steps) {}

  /// A layer of Keras's: KerasBinding::layer, and what it is made of.
  struct Made {
    const std::string& layer;
    const std::string& class_name;
    const Json::Object& config;
  };

  /// The variables of `made`, which is that part of `layer` that `suffix` names. Throws Unsupported where another call
  /// of the layer has others.
  void bind(const Layer& layer, const std::string& suffix, const Made& made, const WeightRules& rules,
            KerasBindings& result);
  /// The tensors of the layer that Keras has no place for.
  void add_residuals(const Layer& layer, const WeightRules& rules, KerasBindings& result) const;

 private:
  const WeightSteps& weight_steps_;
  // By our layer and the suffix: the tensors of the rules.
  std::map<std::pair<std::string, std::string>, std::vector<std::vector<std::string>>> bound_;
  std::map<std::string, std::string> owners_;  // of each tensor, the layer that was the first to have it
};

/// Whether what a binding binds is trained, of a layer of this class and with this configuration.
Said said_of(const KerasBinding& binding, const std::string& class_name, const Json::Object& config);

/// Of `variable`, which the wrapper at `layer` has itself.
KerasBinding wrappers_binding(const std::string& layer, const std::string& variable);

/// Where Keras has a layer.
struct KerasPlace {
  std::size_t number = 0;  // among all layers, in Keras's order
  std::string layer = {};  // KerasBinding::layer
  std::string group = {};  // and so on
  std::string scope = {};
  std::string path = {};
  std::string keras_name = {};  // the layer's own, in its model
  bool in_frozen_group = false;
};

/// Puts bindings in Keras's order and fills in where their layers are. `places` are by the names that these have until
/// then; `ties` are the architecture's.
void place(std::vector<KerasBinding>& bindings, const std::map<std::string, KerasPlace>& places,
           const std::vector<std::vector<std::string>>& ties);

}  // namespace h5bridge
