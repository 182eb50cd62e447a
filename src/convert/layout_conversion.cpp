#include "convert/layout_conversion.h"

#include "convert/architecture_json.h"
#include "h5bridge/error.h"
#include "keras/output_names.h"
#include "passes/infer_shapes.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

// The same graph, whatever the order in which its layers are kept.
bool same_graph(const Architecture& a, const Architecture& b) {
  return architecture_to_json(a) == architecture_to_json(b);
}

// Takes weights and the optimizer's slots, which have their parameter's shape (but for counters), through the steps.
void change_weights(Model& model, const std::map<std::string, std::vector<WeightStep>>& changes) {
  for (const auto& [name, steps] : changes) {
    if (const Tensor* tensor = model.weights.find(name)) model.weights.set(name, to_keras(steps, {*tensor}).at(0));
    if (!model.training || !model.training->optimizer) continue;
    const auto slots = model.training->optimizer->slots.find(name);
    if (slots == model.training->optimizer->slots.end()) continue;
    for (NamedTensor& slot : slots->second)
      if (slot.tensor.rank() > 0) slot.tensor = to_keras(steps, {slot.tensor}).at(0);
  }
}

Presentation in_keras(const Architecture& architecture) {
  Model model;
  model.architecture = architecture;
  model.framework = Framework::Keras;
  name_keras_outputs(*model.architecture);
  return presentation_of(model);
}

// How Keras has the inputs and outputs of `original`, in what `change` made of it, unless the layout pass tells as
// much. Where Keras cannot say all of the graph, their names are not known, and nobody asks for its layout.
void record_presentation(const Architecture& original, const LayoutChange& change, Architecture& result) {
  try {
    const KerasPorts record = presentation_record(in_keras(original), change);
    if (record != presentation_record(in_keras(result), same_layout(result))) result.keras.presented = record;
  } catch (const Unsupported&) {
  }
}

}  // namespace

Model to_data_format(const Model& model, DataFormat wanted) {
  Model result = model;
  if (!model.architecture) return result;
  LayoutChange change = change_layout(*model.architecture, wanted);
  result.architecture = std::move(change.architecture);
  change_weights(result, change.weights);
  return result;
}

Architecture architecture_for_torch(const Architecture& architecture) {
  const LayoutChange change = change_layout(architecture, DataFormat::ChannelsFirst);
  Architecture result = change.architecture;
  // What keeps its original is PyTorch's already, and so is what does not change.
  const bool from_keras = architecture.keras.class_name && !architecture.keras.original;
  if (from_keras && !same_graph(result, architecture) &&
      !same_graph(
          change_layout(result, presented_format(architecture, Framework::Keras), Framework::Keras).architecture,
          architecture)) {
    result.keras.original = architecture_to_json(architecture);
    record_presentation(architecture, change, result);
  }
  return result;
}

Model in_torch_layout(const Model& model) {
  return with_errors([&] {
    if (!model.architecture) return model;
    Model complete = model;
    complete.architecture = with_all_attributes(*model.architecture);
    Model result = to_data_format(complete, DataFormat::ChannelsFirst);
    result.architecture = architecture_for_torch(*complete.architecture);
    result.framework = Framework::Torch;
    return result;
  });
}

std::optional<Model> keras_original(const Model& model) {
  if (!model.architecture || !model.architecture->keras.original) return std::nullopt;
  const Architecture original = checked(architecture_from_json(*model.architecture->keras.original));
  const LayoutChange change = change_layout(original, DataFormat::ChannelsFirst);
  Architecture stated = *model.architecture;
  stated.keras.original.reset();
  stated.keras.presented.reset();
  if (!same_graph(change.architecture, stated)) return std::nullopt;
  Model result = model;
  result.architecture = original;
  result.framework = Framework::Keras;
  std::map<std::string, std::vector<WeightStep>> back;
  for (const auto& [name, steps] : change.weights) back[name] = inverse(steps);
  change_weights(result, back);
  return result;
}

}  // namespace h5bridge
