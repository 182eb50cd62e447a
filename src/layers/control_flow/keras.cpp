#include "facets/keras/operation.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::control_flow {
namespace {

// Nodes of Keras's hold no graphs: both tensors are computed there, and elements chosen, all by the one condition.
KerasMapping cond() {
  KerasMapping mapping = write_only(operation("cond", "Where", {}, {"condition", "x1", "x2"}));
  mapping.dtypes = promotes_inputs({1, 2});
  mapping.fits = [](const Attributes&, const std::vector<SymbolicShape>& inputs) {
    return inputs.at(0).size() <= inputs.at(1).size();  // else the condition's axes would be the result's
  };
  mapping.unsaid = {{.attribute = "",
                     .is_on = LayerType::always,
                     .becomes = "Keras computes both tensors and takes one, PyTorch computes that one alone"}};
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {cond()}; }

}  // namespace h5bridge::control_flow
