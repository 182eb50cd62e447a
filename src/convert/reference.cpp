#include "convert/reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <sstream>

#include "convert/keras_extra.h"
#include "convert/save.h"
#include "facets/keras/keras_plan.h"
#include "files/safetensors.h"
#include "h5bridge/error.h"
#include "model/numbers.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

using Ports = std::vector<Presentation::Port>;

constexpr const char* kReferenceText = "h5bridge.reference";  // of the metadata of reference_bytes

// The same of a tensor however its axes are ordered.
struct Measure {
  const char* name;
  double (*of)(const std::vector<double>&);
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double mean_magnitude(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::abs(value);
  return sum / static_cast<double>(values.size());
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values)
    largest = std::abs(value) > largest || std::isnan(value) ? std::abs(value) : largest;
  return largest;
}

constexpr std::array<Measure, 3> kMeasures{
    {{"mean", mean}, {"mean of magnitudes", mean_magnitude}, {"largest magnitude", largest_magnitude}}};

std::vector<double> measured(const Tensor& output) {
  const std::vector<double> values = as_doubles(output);
  std::vector<double> result;
  if (values.empty()) return result;
  for (const Measure& measure : kMeasures) result.push_back(measure.of(values));
  return result;
}

bool is_measured(const std::vector<Tensor>& outputs) {
  return !outputs.empty() && is_floating_point(outputs.front().dtype());
}

void require_computable(const Model& model) {
  if (!model.architecture || (model.weights.empty() && !parameters_of(*model.architecture).empty()))
    throw UsageError("a reference is what a model computes, which takes an architecture and weights");
}

std::vector<NamedTensor> ordered(const std::vector<NamedTensor>& arrays, const Ports& ports, const std::string& what) {
  std::vector<NamedTensor> result;
  for (const Presentation::Port& port : ports) {
    const auto found = std::ranges::find(arrays, port.name, &NamedTensor::name);
    if (found == arrays.end()) throw UsageError(what + " \"" + port.name + "\" is missing");
    if (found->tensor.shape().size() != port.shape.size())
      throw UsageError(what + " \"" + port.name + "\" has shape " + to_string(found->tensor.shape()) + ", expected " +
                       to_string(port.shape));
    result.push_back(*found);
  }
  return result;
}

// Under the names that the model has for them now, which a Keras may have changed.
std::vector<NamedTensor> renamed(std::vector<NamedTensor> arrays, const Ports& ports, const std::string& what) {
  if (arrays.size() != ports.size())
    throw UsageError("its reference has " + std::to_string(arrays.size()) + " " + what + ", and the model " +
                     std::to_string(ports.size()));
  for (std::size_t i = 0; i < arrays.size(); ++i) arrays[i].name = ports[i].name;
  return arrays;
}

RunOptions as_torch_has_it(RunOptions options) {
  options.layout = Framework::Torch;
  return options;
}

std::optional<std::string> difference(const std::vector<double>& found, const std::vector<double>& expected,
                                      const Tolerance& tolerance) {
  for (std::size_t i = 0; i < std::min({found.size(), expected.size(), kMeasures.size()}); ++i)
    if (!(std::abs(found[i] - expected[i]) <= tolerance.absolute + tolerance.relative * std::abs(expected[i])) &&
        !(std::isnan(found[i]) && std::isnan(expected[i])))
      return std::string(kMeasures[i].name) + " " + short_number(found[i]) + ", expected " + short_number(expected[i]);
  return std::nullopt;
}

std::optional<DifferingLayer> first_difference(const Model& model, const std::vector<NamedTensor>& inputs,
                                               const RunOptions& options, const Tolerance& tolerance) {
  std::map<std::string, const std::vector<double>*> expected;
  for (const auto& [node, values] : model.reference->layers) expected.emplace(keras_name(node), &values);
  std::optional<DifferingLayer> first;
  if (expected.empty()) return first;
  make_runner(model, options)->run(inputs, [&](const std::string& node, const std::vector<Tensor>& outputs) {
    const auto known = expected.find(keras_name(node));
    if (first || known == expected.end() || !is_measured(outputs)) return;
    if (const auto what = difference(measured(outputs.front()), *known->second, tolerance))
      first = DifferingLayer{node, *what};
  });
  return first;
}

// Which layer is to blame, nobody says: inputs and all layers are suspected.
std::optional<LikelyCause> cause_anywhere(const Model& model, const Presentation& looks,
                                          const std::vector<NamedTensor>& inputs,
                                          const std::vector<NamedTensor>& expected, const RunOptions& options,
                                          const Tolerance& tolerance) {
  try {
    return likely_cause_of(model, given_reference(model, looks, inputs, expected), std::nullopt, options, tolerance);
  } catch (const UsageError&) {  // an output of another shape: that is what is wrong
    return std::nullopt;
  }
}

std::string stored_name(const char* what, std::size_t number) {
  return kReferenceFolder + what + "/" + std::to_string(number);
}

Json names_of(const std::vector<NamedTensor>& arrays, const char* what, std::vector<NamedTensor>& tensors) {
  Json::Array names;
  for (const NamedTensor& array : arrays) {
    tensors.push_back({stored_name(what, names.size()), array.tensor});
    names.push_back(array.name);
  }
  return names;
}

std::vector<NamedTensor> arrays_of(const Json& names, const char* what, const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> arrays;
  for (const Json& name : names.as_array()) {
    const std::string stored = stored_name(what, arrays.size());
    const NamedTensor* tensor = find_tensor(tensors, stored);
    if (!tensor) throw MalformedFile("/h5bridge/tensors: " + stored + " is missing");
    arrays.push_back({name.as_string(), tensor->tensor});
  }
  return arrays;
}

}  // namespace

bool Replay::agrees() const {
  return std::ranges::all_of(outputs, [](const NamedAgreement& output) { return output.agreement.agrees(); });
}

Reference random_reference(const Model& model, const RandomInputs& wanted, const RunOptions& options) {
  require_computable(model);
  const Presentation own = presentation_of(model);
  const Presentation torch = presentation_of(model, Framework::Torch);
  Reference reference;
  reference.inputs = presented_anew(random_inputs(*model.architecture, own, wanted), own.inputs, torch.inputs);
  for (NamedTensor& input : reference.inputs) input.tensor = input.tensor.contiguous();
  const std::unique_ptr<Runner> runner = make_runner(model, as_torch_has_it(options));
  reference.by = runner->engine();
  reference.outputs = on_random_inputs([&] {
    return runner->run(reference.inputs, [&](const std::string& node, const std::vector<Tensor>& outputs) {
      if (is_measured(outputs)) reference.layers.emplace_back(node, measured(outputs.front()));
    });
  });
  return reference;
}

Reference given_reference(const Model& model, const Presentation& looks, const std::vector<NamedTensor>& inputs,
                          const std::vector<NamedTensor>& outputs) {
  require_computable(model);
  const Presentation torch = presentation_of(model, Framework::Torch);
  Reference reference;
  reference.by = "whoever gave the outputs";
  reference.inputs = presented_anew(ordered(inputs, looks.inputs, "input"), looks.inputs, torch.inputs);
  reference.outputs = presented_anew(ordered(outputs, looks.outputs, "output"), looks.outputs, torch.outputs);
  for (auto* arrays : {&reference.inputs, &reference.outputs})
    for (NamedTensor& array : *arrays) array.tensor = array.tensor.contiguous();
  return reference;
}

OutputComparison compare_with_expected(const Model& model, const Presentation& looks,
                                       const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& expected,
                                       const RunOptions& options, const Tolerance& tolerance) {
  OutputComparison result;
  for (const NamedTensor& output : make_runner(model, options)->run(inputs)) {
    const auto array = std::ranges::find(expected, output.name, &NamedTensor::name);
    NamedAgreement& compared = result.outputs.emplace_back(output.name, Agreement());
    if (array == expected.end())
      compared.agreement.problem = "is not among the expected arrays";
    else
      compared.agreement = compare_tensors(output.tensor, array->tensor, tolerance);
  }
  if (!result.agrees()) result.cause = cause_anywhere(model, looks, inputs, expected, options, tolerance);
  return result;
}

std::vector<NamedTensor> sample_inputs(const Model& model, const Presentation& looks) {
  const Presentation kept = presentation_of(model, Framework::Torch);
  if (!model.reference || !model.reference->outputs.empty() || model.reference->inputs.size() != kept.inputs.size())
    return {};
  std::vector<NamedTensor> inputs = renamed(model.reference->inputs, kept.inputs, "inputs");
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (std::size_t axis = 0; axis < kept.inputs[i].shape.size(); ++axis) {
      const Shape& shape = inputs[i].tensor.shape();
      const auto size = kept.inputs[i].shape[axis].value();
      if (axis >= shape.size() || (size && *size != shape[axis])) return {};
    }
  return presented_anew(std::move(inputs), kept.inputs, looks.inputs);
}

Replay replay(const Model& model, const RunOptions& options, const Tolerance& tolerance) {
  if (!model.reference || model.reference->outputs.empty()) throw UsageError("holds no reference");
  const Presentation looks = presentation_of(model, Framework::Torch);
  const RunOptions run = as_torch_has_it(options);
  const std::vector<NamedTensor> inputs = renamed(model.reference->inputs, looks.inputs, "inputs");
  const std::vector<NamedTensor> expected = renamed(model.reference->outputs, looks.outputs, "outputs");
  const std::vector<NamedTensor> outputs = make_runner(model, run)->run(inputs);
  Replay result{model.reference->by, {}, {}, {}};
  for (std::size_t i = 0; i < outputs.size(); ++i)
    result.outputs.push_back({outputs[i].name, compare_tensors(outputs[i].tensor, expected[i].tensor, tolerance)});
  if (result.agrees()) return result;
  result.first_layer = first_difference(model, inputs, run, tolerance);
  const auto layer = result.first_layer ? std::optional(result.first_layer->name) : std::nullopt;
  result.cause = likely_cause_of(model, *model.reference, layer, run, tolerance);
  return result;
}

std::optional<LikelyCause> likely_cause_of(const Model& model, const Reference& reference,
                                           const std::optional<std::string>& first_layer, const RunOptions& options,
                                           const Tolerance& tolerance) {
  try {
    const Model common = in_one_layout(model);
    const Presentation looks = presentation_of(common, Framework::Torch);
    const FedModel fed{common, renamed(reference.inputs, looks.inputs, "inputs"), as_torch_has_it(options)};
    const Judge outputs_are_right = [&](const std::vector<Tensor>& outputs) {
      bool agree = outputs.size() == reference.outputs.size();
      for (std::size_t i = 0; agree && i < outputs.size(); ++i)
        agree = compare_tensors(outputs[i], reference.outputs[i].tensor, tolerance).agrees();
      return agree;
    };
    if (!first_layer) return likely_cause_anywhere(fed, outputs_are_right);
    const auto known = std::ranges::find(reference.layers, keras_name(*first_layer),
                                         [](const auto& layer) { return keras_name(layer.first); });
    const Judge layer_is_right = [&](const std::vector<Tensor>& outputs) {
      return is_measured(outputs) && !difference(measured(outputs.front()), known->second, tolerance);
    };
    return known == reference.layers.end() ? std::nullopt
                                           : likely_cause_in(*first_layer, fed, layer_is_right, outputs_are_right);
  } catch (const Error&) {  // not every model has a form in which layers can be looked at
    return std::nullopt;
  }
}

Json::Object to_json(const Replay& replay) {
  return Json::Object{{"agrees", replay.agrees()},
                      {"reference_by", replay.by},
                      {"outputs", to_json(replay.outputs)},
                      {"first_layer", replay.first_layer ? Json(Json::Object{{"name", replay.first_layer->name},
                                                                             {"problem", replay.first_layer->what}})
                                                         : Json()},
                      {"likely_cause", to_json(replay.cause)}};
}

Json reference_to_json(const Reference& reference, std::vector<NamedTensor>& tensors) {
  Json::Object layers;
  for (const auto& [node, values] : reference.layers) layers.set(node, Json::array(values));
  return Json::Object{{"by", reference.by},
                      {"dtype", reference.dtype ? Json(name_of(*reference.dtype)) : Json()},
                      {"inputs", names_of(reference.inputs, "inputs", tensors)},
                      {"outputs", names_of(reference.outputs, "outputs", tensors)},
                      {"layers", std::move(layers)}};
}

std::string reference_bytes(const Reference& reference) {
  std::vector<NamedTensor> tensors;
  const std::string json = reference_to_json(reference, tensors).dump();
  std::ostringstream out;
  safetensors::write(tensors, {{kReferenceText, json}}, out);
  return std::move(out).str();
}

Reference reference_from_bytes(const ByteSourcePtr& bytes) {
  const safetensors::File file = safetensors::read(bytes);
  for (const auto& [name, text] : file.metadata)
    if (name == kReferenceText) return reference_from_json(Json::parse(text), file.tensors);
  throw MalformedFile("the reference in it has no \"" + std::string(kReferenceText) + "\"");
}

std::optional<Reference> kept_reference(const Model& model, const std::optional<DType>& rounded_to,
                                        std::vector<std::string>& notes) {
  if (!model.reference || model.reference->outputs.empty()) return std::nullopt;
  if (!rounded_to || model.reference->dtype == rounded_to) return model.reference;
  notes.push_back("left out: the reference, which is of weights that were not yet rounded");
  return std::nullopt;
}

Reference reference_from_json(const Json& json, const std::vector<NamedTensor>& tensors) {
  Reference reference;
  reference.by = json.at("by").as_string();
  if (const Json& dtype = json.at("dtype"); !dtype.is_null()) reference.dtype = rounding_dtype_named(dtype.as_string());
  reference.inputs = arrays_of(json.at("inputs"), "inputs", tensors);
  reference.outputs = arrays_of(json.at("outputs"), "outputs", tensors);
  for (const auto& [node, values] : json.at("layers").as_object()) {
    std::vector<double>& numbers = reference.layers.emplace_back(node, std::vector<double>()).second;
    for (const Json& value : values.as_array()) numbers.push_back(value.as_float());
  }
  return reference;
}

}  // namespace h5bridge
