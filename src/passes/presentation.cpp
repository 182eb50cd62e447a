#include "passes/presentation.h"

#include <algorithm>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "passes/infer_types.h"

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

std::vector<std::int64_t> axes_between(const std::vector<std::int64_t>& from, const std::vector<std::int64_t>& to) {
  std::vector<std::int64_t> result;
  for (const std::int64_t axis : to) result.push_back(std::ranges::find(from, axis) - from.begin());
  return result;
}

const std::vector<std::int64_t>& recorded_axes(const KerasPorts::Port& port, std::size_t rank) {
  if (!std::ranges::is_permutation(port.axes, Arrangement::original(rank).axes))
    throw MalformedFile("its axes are no permutation of " + std::to_string(rank) + " axes");
  return port.axes;
}

// A dict's keys, else what the framework that the model came from calls them, however they are laid out.
std::vector<std::string> output_names(const Model& model) {
  std::set<std::string> taken;
  std::vector<std::string> names;
  for (const Output& output : model.architecture->outputs) {
    const bool is_keras = model.framework == Framework::Keras && !output.keras_layer.empty();
    const std::string unnamed = is_keras ? output.keras_layer : "output";
    names.push_back(repeated_name(output.name.empty() ? unnamed : output.name, taken));
  }
  return names;
}

Types types_of(const Model& model) { return infer_types(*model.architecture, FloatTypes(model.weights)); }

// What was recorded when the model left Keras.
Presentation recorded_presentation(const Model& model, const KerasPorts& record) {
  const Architecture& architecture = *model.architecture;
  const Types types = types_of(model);
  Presentation result;
  for (const Input& input : architecture.inputs) {
    const auto port = std::ranges::find(record.inputs, input.name, &KerasPorts::Port::name);
    if (port == record.inputs.end()) throw MalformedFile("has no input \"" + shortened(input.name) + '"');
    const auto& axes = recorded_axes(*port, input.shape.size());
    result.inputs.push_back({input.name, permuted(input.shape, axes), input.dtype, axes});
  }
  const std::vector<KerasPorts::Port>& outputs = record.outputs;
  if (outputs.size() != architecture.outputs.size())
    throw MalformedFile("has " + std::to_string(outputs.size()) + " outputs, expected " +
                        std::to_string(architecture.outputs.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const TensorType& type = types.of(architecture.outputs[i].value);
    const auto& axes = recorded_axes(outputs[i], type.shape.size());
    result.outputs.push_back({outputs[i].name, permuted(type.shape, axes), type.dtype, axes});
  }
  return result;
}

}  // namespace

KerasPorts presentation_record(const Presentation& keras, const LayoutChange& change) {
  KerasPorts record;
  for (const Presentation::Port& port : keras.inputs)
    record.inputs.push_back({port.name, axes_between(change.inputs.at(port.name), port.axes)});
  for (std::size_t i = 0; i < keras.outputs.size(); ++i)
    record.outputs.push_back({keras.outputs[i].name, axes_between(change.outputs.at(i), keras.outputs[i].axes)});
  return record;
}

Presentation presentation_of(const Model& model, Framework framework) {
  if (!model.architecture) throw UsageError("the model has no architecture: give it beside the weights");
  const Architecture& architecture = *model.architecture;
  const bool keras = framework == Framework::Keras;
  if (const std::optional<KerasPorts>& record = architecture.keras.presented; record && keras)
    return in_file("\"presented\" of the architecture", [&] {
      Presentation result = recorded_presentation(model, *record);
      if (model.framework == Framework::Keras) return result;
      const std::vector<std::string> names = output_names(model);
      for (std::size_t i = 0; i < names.size(); ++i) result.outputs[i].name = names[i];
      return result;
    });
  const LayoutChange change = change_layout(architecture, presented_format(architecture, framework), framework);
  const std::vector<std::string> names = output_names(model);
  const Types types = types_of(model);
  Presentation result;
  for (const Input& input : architecture.inputs) {
    const auto& axes = change.inputs.at(input.name);
    result.inputs.push_back({input.name, permuted(input.shape, axes), input.dtype, axes});
  }
  for (std::size_t i = 0; i < architecture.outputs.size(); ++i) {
    const auto& axes = change.outputs[i];
    const TensorType& type = types.of(architecture.outputs[i].value);
    result.outputs.push_back({names[i], permuted(type.shape, axes), type.dtype, axes});
  }
  return result;
}

std::vector<NamedTensor> presented_anew(std::vector<NamedTensor> arrays, const std::vector<Presentation::Port>& from,
                                        const std::vector<Presentation::Port>& to) {
  for (NamedTensor& array : arrays) {
    const auto port = std::ranges::find(from, array.name, &Presentation::Port::name);
    if (port == from.end()) continue;
    const std::vector<std::int64_t> axes = axes_between(port->axes, to[port - from.begin()].axes);
    if (array.tensor.shape().size() == axes.size()) array.tensor = array.tensor.permute(axes);
  }
  return arrays;
}

Presentation presentation_of(const Model& model) { return presentation_of(model, model.framework); }

DataFormat presented_format(const Architecture& architecture, Framework framework) {
  if (framework == Framework::Torch) return DataFormat::ChannelsFirst;
  return architecture.keras.data_format.value_or(DataFormat::ChannelsLast);
}

}  // namespace h5bridge
