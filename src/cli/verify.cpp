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

ExitStatus verify_model(const VerifyCommand& options) {
  const Model model = load(options.sources.sources, options.sources.load);
  print_notes(options.common, model.notes);
  const Presentation looks = presentation_of(model, options.running.layout.value_or(model.framework));
  const std::vector<NamedTensor> inputs = named_for(read_arrays(options.running.inputs), looks.inputs, "input");
  const std::vector<NamedTensor> expected = named_for(read_arrays(options.expected), looks.outputs, "output");
  const std::vector<NamedTensor> outputs = make_runner(model, options.running.run_options(options.common))->run(inputs);

  OutputComparison comparison;
  for (const NamedTensor& array : expected) {
    const auto output = std::ranges::find(outputs, array.name, &NamedTensor::name);
    comparison.outputs.push_back({array.name, compare_tensors(output->tensor, array.tensor, options.tolerance)});
  }
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
