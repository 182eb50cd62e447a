#include "keras/output_names.h"

#include "keras/plan.h"
#include "passes/layout.h"
#include "passes/presentation.h"

namespace h5bridge {

void name_keras_outputs(Architecture& architecture, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < architecture.outputs.size(); ++i) architecture.outputs[i].keras_layer = names[i];
}

void name_keras_outputs(Architecture& architecture) {
  const LayoutChange change =
      change_layout(architecture, presented_format(architecture, Framework::Keras), Framework::Keras);
  name_keras_outputs(architecture, plan_keras(change.architecture, change.weights).output_names);
}

}  // namespace h5bridge
