#include "passes/presentation.h"

#include <set>

#include "h5bridge/error.h"
#include "passes/keras_plan.h"
#include "passes/layout.h"
#include "passes/shapes.h"

namespace h5bridge {
namespace {

SymbolicShape permuted(const SymbolicShape& shape, const std::vector<std::int64_t>& axes) {
  SymbolicShape result;
  for (const std::int64_t axis : axes) result.push_back(shape[axis]);
  return result;
}

// A first thing of a name keeps it, later ones get _1, _2, ..., unless something else is called so.
std::string repeated_name(const std::string& name, std::set<std::string>& taken) {
  return *taken.insert(unique_name(name, [&](const std::string& candidate) { return taken.contains(candidate); }))
              .first;
}

}  // namespace

Presentation presentation_of(const Model& model, Framework framework) {
  if (!model.architecture) throw UsageError("the model has no architecture");
  const Architecture& architecture = *model.architecture;
  const bool keras = framework == Framework::Keras;
  const LayoutChange change = change_layout(architecture, presented_format(architecture, framework), framework);
  std::vector<std::string> keras_outputs;
  if (keras) keras_outputs = plan_keras(change.architecture, change.weights).output_names;

  Presentation result;
  const Shapes shapes = infer_shapes(architecture);
  for (const Input& input : architecture.inputs) {
    const auto& axes = change.inputs.at(input.name);
    result.inputs.push_back({input.name, permuted(input.shape, axes), input.dtype, axes});
  }
  std::set<std::string> taken;
  for (std::size_t i = 0; i < architecture.outputs.size(); ++i) {
    const Output& output = architecture.outputs[i];
    const auto& axes = change.outputs[i];
    const std::string name = !output.name.empty() ? output.name : keras ? keras_outputs[i] : "output";
    result.outputs.push_back(
        {repeated_name(name, taken), permuted(shapes.of(output.value), axes), DType::Float32, axes});
  }
  return result;
}

Presentation presentation_of(const Model& model) { return presentation_of(model, model.framework); }

DataFormat presented_format(const Architecture& architecture, Framework framework) {
  const Json* own = architecture.keras.find("data_format");
  const bool first = framework == Framework::Torch || (own && *own == Json("channels_first"));
  return first ? DataFormat::ChannelsFirst : DataFormat::ChannelsLast;
}

}  // namespace h5bridge
