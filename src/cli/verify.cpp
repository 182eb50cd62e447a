// h5bridge verify SOURCE... --input X --expect Y
#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"
#include "convert/arrays.h"
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

ExitStatus verify_model(const VerifyCommand& options) {
  const Model model = load(options.sources.sources, options.sources.load);
  print_notes(options.common, model.notes);
  const Presentation looks = presentation_of(model, options.running.layout.value_or(model.framework));
  const std::vector<NamedTensor> inputs = named_for(read_arrays(options.running.inputs), looks.inputs, "input");
  // A name that no output has is a mistake; an array too many is an output that is not there.
  const std::vector<NamedTensor> arrays = read_arrays(options.expected);
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
}

}  // namespace h5bridge::cli
