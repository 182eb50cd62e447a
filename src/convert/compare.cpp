#include "convert/compare.h"

#include <algorithm>
#include <map>

#include "convert/layout_conversion.h"
#include "h5bridge/error.h"
#include "keras/plan.h"
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
    throw UsageError("the models cannot be run side by side: the first has " + std::to_string(a) + " " + what +
                     ", the second " + std::to_string(b));
}

/// The arrays under the names that another model has for its inputs: the same or, where Keras renamed them, by their
/// place.
std::vector<NamedTensor> renamed(std::vector<NamedTensor> arrays, const Presentation& from, const Presentation& to) {
  const auto normalised = [](const Presentation::Port& port) { return keras_name(port.name); };
  const auto place_of = [&](const Presentation& in, const std::string& name) {
    return std::ranges::find(in.inputs, keras_name(name), normalised) - in.inputs.begin();
  };
  const auto count = static_cast<std::ptrdiff_t>(to.inputs.size());
  const bool same_names =
      std::ranges::all_of(from.inputs, [&](const auto& port) { return place_of(to, port.name) < count; });
  for (NamedTensor& array : arrays)
    if (const auto place = place_of(same_names ? to : from, array.name); place < count)
      array.name = to.inputs[place].name;
  return arrays;
}

std::vector<NamedTensor> in_order(const std::vector<NamedTensor>& arrays, const Presentation& looks) {
  std::vector<NamedTensor> result;
  for (const Presentation::Port& port : looks.inputs)
    if (const auto found = std::ranges::find(arrays, port.name, &NamedTensor::name); found != arrays.end())
      result.push_back(*found);
  return result;
}

using LayerOutputs = std::map<std::string, std::vector<Tensor>>;

/// That of the first output that does not agree, or of the first.
Agreement compare_all(const std::vector<Tensor>& found, const std::vector<Tensor>& expected,
                      const Tolerance& tolerance) {
  Agreement result;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()) && result.agrees(); ++i)
    result = compare_tensors(found[i], expected[i], tolerance);
  return result;
}

bool agree(const std::vector<Tensor>& found, const std::vector<NamedTensor>& expected, const Tolerance& tolerance) {
  bool result = found.size() == expected.size();
  for (std::size_t i = 0; result && i < found.size(); ++i)
    result = compare_tensors(found[i], expected[i].tensor, tolerance).agrees();
  return result;
}

/// Two models that are fed alike. What both have in common is PyTorch's layout; each runs in its own, as `run` would
/// run it, so that a fault of a change of layout shows.
class SideBySide {
 public:
  SideBySide(const Model& a, const Model& b, const RunOptions& options)
      : a_(a), b_(b), options_(options), given_(presentation_of(a, options.layout.value_or(a.framework))) {
    check_counts("inputs", common_a_.inputs.size(), common_b_.inputs.size());
    check_counts("outputs", common_a_.outputs.size(), common_b_.outputs.size());
  }

  std::vector<NamedTensor> common_inputs(std::vector<NamedTensor> inputs) const {
    return presented_anew(std::move(inputs), given_.inputs, common_a_.inputs);
  }

  /// Under the names that the first model's outputs have in the layout that was asked for.
  std::vector<NamedTensor> outputs_of_a(const std::vector<NamedTensor>& inputs) const {
    std::vector<NamedTensor> outputs = run_in_own_layout(a_, common_a_, inputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].name = given_.outputs[i].name;
    return outputs;
  }
  std::vector<NamedTensor> outputs_of_b(const std::vector<NamedTensor>& inputs) const {
    return run_in_own_layout(b_, common_b_, renamed(inputs, common_a_, common_b_));
  }

  /// Those that both have, in the order of the first model; both are brought to one layout for it. Where one differs,
  /// why.
  void compare_layers(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
                      const Tolerance& tolerance, OutputComparison& result) const {
    const RunOptions options = in_layout(Framework::Torch);
    const Model a = in_one_layout(a_), b = in_one_layout(b_);
    std::vector<std::string> order;
    LayerOutputs layers;
    make_runner(a, options)->run(inputs, [&](const std::string& node, const std::vector<Tensor>& made) {
      order.push_back(node);
      layers.emplace(keras_name(node), made);
    });
    // The second model may run its layers in another order, so all are compared before one is called the first.
    std::map<std::string, std::pair<std::string, Agreement>> compared;  // with the second model's name
    const std::vector<NamedTensor> inputs_of_b = renamed(inputs, common_a_, common_b_);
    make_runner(b, options)->run(inputs_of_b, [&](const std::string& node, const std::vector<Tensor>& made) {
      if (const auto match = layers.find(keras_name(node)); match != layers.end())
        compared.emplace(match->first, std::pair(node, compare_all(made, match->second, tolerance)));
    });
    for (const std::string& node : order)
      if (const auto found = compared.find(keras_name(node)); found != compared.end())
        result.layers.push_back({node, found->second.second});
    const auto first = std::ranges::find_if(result.layers, [](const auto& layer) { return !layer.agreement.agrees(); });
    if (first == result.layers.end()) return;
    result.first_layer = *first;
    const std::vector<Tensor>& expected = layers.at(keras_name(first->name));
    result.cause = likely_cause_in(
        compared.at(keras_name(first->name)).first, {b, in_order(inputs_of_b, common_b_), options},
        [&](const auto& found) { return compare_all(found, expected, tolerance).agrees(); },
        [&](const auto& found) { return agree(found, outputs, tolerance); }, call_in(a, first->name));
  }

 private:
  RunOptions in_layout(Framework framework) const {
    RunOptions options = options_;
    options.layout = framework;
    return options;
  }

  std::vector<NamedTensor> run_in_own_layout(const Model& model, const Presentation& common,
                                             const std::vector<NamedTensor>& inputs) const {
    const Presentation own = presentation_of(model);
    const auto outputs =
        make_runner(model, in_layout(model.framework))->run(presented_anew(inputs, common.inputs, own.inputs));
    return presented_anew(outputs, own.outputs, common.outputs);
  }

  const Model& a_;
  const Model& b_;
  const RunOptions& options_;
  const Presentation given_;
  const Presentation common_a_ = presentation_of(a_, Framework::Torch);
  const Presentation common_b_ = presentation_of(b_, Framework::Torch);
};

}  // namespace

Model in_one_layout(const Model& model) {
  Model result = comparable(model);
  result.framework = Framework::Torch;
  return result;
}

bool WeightComparison::agrees() const { return only_in_a.empty() && only_in_b.empty() && all_agree(tensors); }

bool OutputComparison::agrees() const { return all_agree(outputs); }

Model comparable(const Model& model) {
  return model.architecture ? to_data_format(model, DataFormat::ChannelsFirst) : model;
}

WeightComparison compare_weights(const Model& a, const Model& b, const Tolerance& tolerance) {
  WeightComparison result;
  auto unmatched = by_keras_name(b.weights);
  for (const auto& [name, tensor] : a.weights) {
    const auto match = unmatched.find(keras_name(name));
    if (match == unmatched.end()) {
      result.only_in_a.push_back(name);
      continue;
    }
    result.tensors.push_back({name, compare_with_dtypes(match->second->tensor, tensor, tolerance)});
    unmatched.erase(match);
  }
  for (const auto& [key, tensor] : unmatched) result.only_in_b.push_back(tensor->name);
  return result;
}

OutputComparison compare_outputs(const Model& a, const Model& b, const std::vector<NamedTensor>& inputs,
                                 const RunOptions& options, const Tolerance& tolerance, bool every_layer) {
  const SideBySide sides(a, b, options);
  const std::vector<NamedTensor> common = sides.common_inputs(inputs);
  const std::vector<NamedTensor> outputs_a = sides.outputs_of_a(common);
  const std::vector<NamedTensor> outputs_b = sides.outputs_of_b(common);
  OutputComparison result;
  for (std::size_t i = 0; i < outputs_a.size(); ++i)
    result.outputs.push_back({outputs_a[i].name, compare_tensors(outputs_b[i].tensor, outputs_a[i].tensor, tolerance)});
  if (every_layer || !result.agrees()) sides.compare_layers(common, outputs_a, tolerance, result);
  return result;
}

Json::Object to_json(const NamedAgreement& item) {
  Json::Object json{{"name", item.name}};
  for (const auto& [name, value] : to_json(item.agreement)) json.set(name, value);
  return json;
}

Json to_json(const std::vector<NamedAgreement>& items) {
  Json::Array json;
  for (const NamedAgreement& item : items) json.emplace_back(to_json(item));
  return json;
}

Json::Object to_json(const OutputComparison& comparison) {
  return Json::Object{{"agrees", comparison.agrees()},
                      {"outputs", to_json(comparison.outputs)},
                      {"first_layer", comparison.first_layer ? Json(to_json(*comparison.first_layer)) : Json()},
                      {"likely_cause", to_json(comparison.cause)}};
}

Json::Object to_json(const ArchitectureComparison& architectures, const WeightComparison& weights,
                     const TrainingComparison& training, const std::optional<OutputComparison>& outputs) {
  std::vector<std::string> notes = architectures.notes;
  notes.insert(notes.end(), training.notes.begin(), training.notes.end());
  const bool agrees = architectures.differences.empty() && weights.agrees() && training.differences.empty() &&
                      (!outputs || outputs->agrees());
  return Json::Object{{"agrees", agrees},
                      {"architecture", Json::array(architectures.differences)},
                      {"only_in_a", Json::array(weights.only_in_a)},
                      {"only_in_b", Json::array(weights.only_in_b)},
                      {"tensors", to_json(weights.tensors)},
                      {"training", Json::array(training.differences)},
                      {"notes", Json::array(notes)},
                      {"run", outputs ? Json(to_json(*outputs)) : Json()}};
}

}  // namespace h5bridge
