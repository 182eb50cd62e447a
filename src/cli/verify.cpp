// h5bridge verify SOURCE... --input X --expect Y, h5bridge verify SOURCE...
#include <algorithm>

#include "cli/commands.h"
#include "cli/expected.h"
#include "cli/output.h"
#include "convert/arrays.h"
#include "convert/reference.h"
#include "h5bridge/error.h"
#include "passes/mixed_precision.h"
#include "passes/presentation.h"
#include "runner/library.h"

namespace h5bridge::cli {
namespace {

struct VerifyCommand {
  CommonOptions common;
  SourceOptions sources;
  RunningOptions running;
  std::vector<std::string> expected;
  Tolerance tolerance;
};

// What agreeing means stands beside the word, as the largest errors alone may look like too much or too little.
void print_verdict(bool agrees, const Tolerance& tolerance) {
  print_line(std::string(agrees ? "agrees" : "does not agree") +
             ": |found - expected| <= " + short_number(tolerance.absolute) + " + " + short_number(tolerance.relative) +
             " |expected| (--atol, --rtol) " + (agrees ? "everywhere" : "is not so everywhere"));
}

Agreement not_compared(const std::string& problem) {
  Agreement agreement;
  agreement.problem = problem;
  return agreement;
}

void print_replay(const Replay& replay) {
  print_line("the reference by " + replay.by + (replay.agrees() ? ": agrees" : ": does not agree"));
  print_outputs({replay.outputs, {}, {}, {}});
  if (replay.first_layer)
    print_line("the first layer that differs is \"" + replay.first_layer->name + "\": " + replay.first_layer->what);
  if (replay.cause) print_line(describe(*replay.cause));
}

// What the file was seen to give.
ExitStatus verify_reference(const VerifyCommand& options, const Model& model) {
  if (!model.reference)
    throw UsageError(options.sources.sources[0] +
                     ": holds no reference to replay; give --input and --expect, or write a file that has one with "
                     "convert --reference N");
  if (options.running.layout)
    throw UsageError("--input-layout is of the inputs that are given, and a reference is the file's own");
  const Replay replayed = replay(model, options.running.run_options(options.common), options.tolerance);
  if (options.common.json)
    print_json(to_json(replayed));
  else
    print_replay(replayed);
  return status_of(replayed.agrees());
}

ExitStatus verify_model(const VerifyCommand& options) {
  if (options.running.inputs.empty() != options.expected.empty())
    throw UsageError(
        "verify takes --input and --expect together, or neither to replay the reference that a file holds");
  load_torch_ahead();
  const Model model = load(options.sources.sources, options.sources.load);
  print_notes(options.common, model.notes);
  if (options.expected.empty()) return verify_reference(options, model);
  const Presentation looks = presentation_of(model, options.running.layout.value_or(model.framework));
  print_notes(options.common, mixed_precision_left_out(*model.architecture));
  const std::vector<NamedTensor> inputs = named_for(read_arrays(options.running.inputs), looks.inputs, "input");
  std::vector<NamedTensor> others;
  const std::vector<NamedTensor> expected = read_expected(options.expected, model, looks, others);

  OutputComparison comparison = compare_with_expected(model, looks, inputs, expected,
                                                      options.running.run_options(options.common), options.tolerance);
  for (const NamedTensor& array : others)
    comparison.outputs.push_back(
        {array.name, not_compared(array.name.empty() ? "is expected without a name, and there are no more outputs"
                                                     : "is expected, and the model has no such output")});
  if (options.common.json) {
    print_json(Json::Object{{"agrees", comparison.agrees()},
                            {"outputs", to_json(comparison.outputs)},
                            {"likely_cause", to_json(comparison.cause)}});
  } else {
    print_verdict(comparison.agrees(), options.tolerance);
    print_outputs(comparison);
  }
  return status_of(comparison.agrees());
}

}  // namespace

void add_verify(CLI::App& program, Action& action) {
  auto [command, options] = add_command<VerifyCommand>(
      program, "verify", "run a model and compare its outputs with the expected ones", action, verify_model);
  add_sources(command, options.sources);
  add_running(command, options.running);
  add_map(command, options.sources.load);
  add_names(command, options.sources.load, "--names");
  add_expected(command, options.expected);
  add_tolerance(command, options.tolerance);
  add_equal_nan(command, options.tolerance);
}

}  // namespace h5bridge::cli
