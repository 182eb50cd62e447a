// h5bridge verify SOURCE... --input X --expect Y
#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"
#include "convert/arrays.h"
#include "facets/keras/plan.h"
#include "h5bridge/error.h"
#include "keras/output_names.h"
#include "passes/mixed_precision.h"
#include "passes/presentation.h"

namespace h5bridge::cli {
namespace {

struct VerifyCommand {
  CommonOptions common;
  SourceOptions sources;
  RunningOptions running;
  std::vector<std::string> expected;
  Tolerance tolerance;
};

Agreement not_compared(const std::string& problem) {
  Agreement agreement;
  agreement.problem = problem;
  return agreement;
}

// What Keras would call the outputs of a model of PyTorch's; of layers that share their tensors it may have but one.
std::vector<std::string> names_in_keras(Model model) {
  std::vector<std::string> names;
  try {
    name_keras_outputs(*model.architecture);
    model.framework = Framework::Keras;
    for (const Presentation::Port& output : presentation_of(model).outputs) names.push_back(output.name);
  } catch (const Unsupported&) {  // Keras has no such model
  }
  return names;
}

// What each output is called where the same network comes from the other framework, or from other files.
std::vector<std::vector<std::string>> other_names(const Model& model) {
  const std::vector<Output>& outputs = model.architecture->outputs;
  const std::vector<std::string> in_keras = names_in_keras(model);
  std::vector<std::vector<std::string>> names;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& node = outputs[i].value.node;
    names.push_back({i == 0 ? "output" : "output_" + std::to_string(i), node, keras_name(node)});
    if (i < in_keras.size()) names.back().push_back(in_keras[i]);
  }
  return names;
}

void take_other_names(std::vector<NamedTensor>& arrays, const Presentation& looks,
                      const std::vector<std::vector<std::string>>& other_names) {
  for (NamedTensor& array : arrays) {
    if (std::ranges::find(looks.outputs, array.name, &Presentation::Port::name) != looks.outputs.end()) continue;
    for (std::size_t i = 0; i < looks.outputs.size(); ++i) {
      const std::string& own = looks.outputs[i].name;
      const bool is_given = std::ranges::find(arrays, own, &NamedTensor::name) != arrays.end();
      if (!is_given && std::ranges::count(other_names.at(i), array.name) > 0) array.name = own;
    }
  }
}

ExitStatus verify_model(const VerifyCommand& options) {
  const Model model = load(options.sources.sources, options.sources.load);
  print_notes(options.common, model.notes);
  const Presentation looks = presentation_of(model, options.running.layout.value_or(model.framework));
  print_notes(options.common, mixed_precision_left_out(*model.architecture));
  const std::vector<NamedTensor> inputs = named_for(read_arrays(options.running.inputs), looks.inputs, "input");
  // A name that no output has is a mistake; an array too many is an output that is not there.
  std::vector<NamedTensor> arrays = read_arrays(options.expected);
  take_other_names(arrays, looks, other_names(model));
  std::vector<NamedTensor> others;
  const std::vector<NamedTensor> expected =
      named_for(arrays, looks.outputs, "output", arrays.size() > looks.outputs.size() ? &others : nullptr);
  const std::vector<NamedTensor> outputs = make_runner(model, options.running.run_options(options.common))->run(inputs);

  OutputComparison comparison;
  for (const NamedTensor& output : outputs) {
    const auto array = std::ranges::find(expected, output.name, &NamedTensor::name);
    comparison.outputs.push_back({output.name, array == expected.end()
                                                   ? not_compared("is not among the expected arrays")
                                                   : compare_tensors(output.tensor, array->tensor, options.tolerance)});
  }
  for (const NamedTensor& array : others)
    comparison.outputs.push_back(
        {array.name, not_compared(array.name.empty() ? "is expected without a name, and there are no more outputs"
                                                     : "is expected, and the model has no such output")});
  if (options.common.json)
    print_json(Json::Object{{"agrees", comparison.agrees()}, {"outputs", to_json(comparison.outputs)}});
  else
    print_outputs(comparison);
  return status_of(comparison.agrees());
}

}  // namespace

void add_verify(CLI::App& program, Action& action) {
  auto [command, options] = add_command<VerifyCommand>(
      program, "verify", "run a model and compare its outputs with the expected ones", action, verify_model);
  add_sources(command, options.sources);
  add_running(command, options.running);
  command.get_option("--input")->required();
  command
      .add_option("--expect", options.expected,
                  "the outputs: a .npy file, NAME=file.npy, or an .npz file with an array per output")
      ->required()
      ->type_name("Y")
      ->allow_extra_args(false);
  add_tolerance(command, options.tolerance);
  add_equal_nan(command, options.tolerance);
}

}  // namespace h5bridge::cli
