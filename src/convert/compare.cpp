#include "convert/compare.h"

#include <algorithm>
#include <map>

#include "convert/layout_conversion.h"
#include "h5bridge/error.h"
#include "passes/keras_plan.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

bool all_agree(const std::vector<NamedAgreement>& items) {
  return std::ranges::all_of(items, [](const NamedAgreement& item) { return item.agreement.agrees(); });
}

/// Tensors by a name that survives Keras.
std::map<std::string, const NamedTensor*> by_keras_name(const Weights& weights) {
  std::map<std::string, const NamedTensor*> result;
  for (const NamedTensor& named : weights) result.emplace(keras_name(named.name), &named);
  return result;
}

void check_counts(const char* what, std::size_t a, std::size_t b) {
  if (a != b)
    throw UsageError("the models cannot be run side by side: the first has " + std::to_string(a) + " " + what + ", the second " +
                     std::to_string(b));
}

/// The arrays under the names that another model has for its inputs: the same or, where Keras renamed them, by their place.
std::vector<NamedTensor> renamed(std::vector<NamedTensor> arrays, const Presentation& from, const Presentation& to) {
  const auto normalised = [](const Presentation::Port& port) { return keras_name(port.name); };
  const auto place_of = [&](const Presentation& in, const std::string& name) {
    return std::ranges::find(in.inputs, keras_name(name), normalised) - in.inputs.begin();
  };
  const auto count = static_cast<std::ptrdiff_t>(to.inputs.size());
  const bool same_names = std::ranges::all_of(from.inputs, [&](const auto& port) { return place_of(to, port.name) < count; });
  for (NamedTensor& array : arrays)
    if (const auto place = place_of(same_names ? to : from, array.name); place < count) array.name = to.inputs[place].name;
  return arrays;
}

using LayerOutputs = std::map<std::string, std::vector<Tensor>>;

/// That of the first output that does not agree, or of the first.
Agreement compare_all(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, const Tolerance& tolerance) {
  Agreement result;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()) && result.agrees(); ++i)
    result = compare_tensors(found[i], expected[i], tolerance);
  return result;
}

}  // namespace

bool WeightComparison::agrees() const { return only_in_a.empty() && only_in_b.empty() && all_agree(tensors); }

bool OutputComparison::agrees() const { return all_agree(outputs); }

Model comparable(const Model& model) { return model.architecture ? to_data_format(model, DataFormat::ChannelsFirst) : model; }

WeightComparison compare_weights(const Model& a, const Model& b, const Tolerance& tolerance) {
  WeightComparison result;
  auto unmatched = by_keras_name(b.weights);
  for (const auto& [name, tensor] : a.weights) {
    const auto match = unmatched.find(keras_name(name));
    if (match == unmatched.end()) {
      result.only_in_a.push_back(name);
      continue;
    }
    result.tensors.push_back({name, compare_tensors(match->second->tensor, tensor, tolerance)});
    unmatched.erase(match);
  }
  for (const auto& [key, tensor] : unmatched) result.only_in_b.push_back(tensor->name);
  return result;
}

OutputComparison compare_outputs(const Model& a, const Model& b, const std::vector<NamedTensor>& inputs, RunOptions options,
                                 const Tolerance& tolerance) {
  options.layout = options.layout.value_or(a.framework);
  const Presentation looks_a = presentation_of(a, *options.layout);
  const Presentation looks_b = presentation_of(b, *options.layout);
  check_counts("inputs", looks_a.inputs.size(), looks_b.inputs.size());
  check_counts("outputs", looks_a.outputs.size(), looks_b.outputs.size());

  std::vector<std::string> order;
  LayerOutputs layers;
  const auto outputs_a = make_runner(a, options)->run(inputs, [&](const std::string& node, const std::vector<Tensor>& outputs) {
    order.push_back(node);
    layers.emplace(keras_name(node), outputs);
  });
  // The second model may run its layers in another order, so all are compared before one is called the first.
  std::map<std::string, Agreement> differing;
  const auto outputs_b = make_runner(b, options)->run(renamed(inputs, looks_a, looks_b), [&](const std::string& node, const auto& outputs) {
    const auto match = layers.find(keras_name(node));
    if (match == layers.end()) return;
    Agreement agreement = compare_all(outputs, match->second, tolerance);
    if (!agreement.agrees()) differing.emplace(match->first, std::move(agreement));
  });

  OutputComparison result;
  for (std::size_t i = 0; i < outputs_a.size(); ++i)
    result.outputs.push_back({outputs_a[i].name, compare_tensors(outputs_b[i].tensor, outputs_a[i].tensor, tolerance)});
  for (const std::string& node : order)
    if (const auto found = differing.find(keras_name(node)); found != differing.end() && !result.first_layer)
      result.first_layer = {node, found->second};
  return result;
}

}  // namespace h5bridge
