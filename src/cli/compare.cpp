// h5bridge compare A B, h5bridge compare A... --with B...
#include <exception>

#include "cli/commands.h"
#include "cli/output.h"
#include "convert/arrays.h"
#include "convert/comparison_page.h"
#include "convert/training_comparison.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "passes/presentation.h"
#include "runner/library.h"

namespace h5bridge::cli {
namespace {

struct CompareCommand {
  CommonOptions common;
  SourceOptions sources;
  std::vector<std::string> others;
  RunningOptions running;
  std::optional<std::int64_t> rows;  // of random inputs
  RandomInputs random;
  Tolerance tolerance;
  std::string page;
};

/// The files of A and those of B.
std::pair<std::vector<std::string>, std::vector<std::string>> two_sides(const CompareCommand& options) {
  const std::vector<std::string>& files = options.sources.sources;
  if (!options.others.empty()) return {files, options.others};
  if (files.size() != 2)
    throw UsageError("compare takes two models, A and B; where one is several files, write A... --with B...");
  return {{files[0]}, {files[1]}};
}

// Names that --map has for one of the two may be unknown to the other, which then keeps its own.
std::pair<Model, Model> both_sides(const CompareCommand& options) {
  const auto [files_a, files_b] = two_sides(options);
  LoadOptions plain = options.sources.load;
  plain.names.clear();
  std::exception_ptr unknown;
  const auto loaded = [&](const std::vector<std::string>& files) {
    if (options.sources.load.names.empty()) return load(files, plain);
    try {
      return load(files, options.sources.load);
    } catch (const UsageError&) {
      Model model = load(files, plain);
      if (unknown) std::rethrow_exception(unknown);  // to both
      unknown = std::current_exception();
      return model;
    }
  };
  Model a = loaded(files_a);
  return {std::move(a), loaded(files_b)};
}

std::optional<OutputComparison> outputs_of(const Model& a, const Model& b, const CompareCommand& options) {
  if (!options.rows && options.running.inputs.empty()) return std::nullopt;
  if (options.rows && !options.running.inputs.empty())
    throw UsageError("--input and --random-inputs exclude each other");
  if (!a.architecture || !b.architecture)
    throw UsageError("only models with an architecture can be run; give it beside the weights");
  RunOptions run = options.running.run_options(options.common);
  const Presentation looks = presentation_of(a, run.layout.value_or(a.framework));
  RandomInputs random = options.random;
  random.rows = options.rows.value_or(0);
  const auto compared = [&](const std::vector<NamedTensor>& inputs) {
    return compare_outputs(a, b, inputs, run, options.tolerance, !options.page.empty());
  };
  if (!options.rows) return compared(named_for(read_arrays(options.running.inputs), looks.inputs, "input"));
  return on_random_inputs([&] { return compared(random_inputs(*a.architecture, looks, random)); });
}

void print_weights(const WeightComparison& weights) {
  for (const std::string& name : weights.only_in_a) print_line("only in the first: " + name);
  for (const std::string& name : weights.only_in_b) print_line("only in the second: " + name);
  std::size_t agreeing = 0;
  double largest = 0;
  for (const NamedAgreement& tensor : weights.tensors) {
    if (!tensor.agreement.agrees()) {
      print_line("tensor \"" + tensor.name + "\": " + describe(tensor.agreement));
      continue;
    }
    ++agreeing;
    largest = std::max(largest, tensor.agreement.largest_absolute);
  }
  const std::size_t in_a = weights.tensors.size() + weights.only_in_a.size();
  const std::size_t in_b = weights.tensors.size() + weights.only_in_b.size();
  print_line((in_a == in_b ? std::to_string(agreeing) + " of " + std::to_string(in_a) + " tensors agree"
                           : std::to_string(agreeing) + " tensors agree, of " + std::to_string(in_a) +
                                 " in the first and " + std::to_string(in_b) + " in the second") +
             (agreeing == 0 ? "" : ", largest absolute error among them " + short_number(largest)));
}

ExitStatus compare_models(const CompareCommand& options) {
  if (!options.page.empty()) check_page_path(options.page);
  if (options.rows || !options.running.inputs.empty()) load_torch_ahead();
  const auto [a, b] = both_sides(options);
  const Model comparable_a = comparable(a);
  const Model comparable_b = comparable(b);
  const ArchitectureComparison architectures = compare_architectures(a, b);
  const WeightComparison weights = compare_weights(comparable_a, comparable_b, options.tolerance);
  const TrainingComparison training = compare_training(comparable_a, comparable_b, options.tolerance);
  const std::optional<OutputComparison> outputs = outputs_of(a, b, options);
  const bool agrees = architectures.differences.empty() && weights.agrees() && training.differences.empty() &&
                      (!outputs || outputs->agrees());
  if (!options.page.empty()) {
    write_comparison_page(comparable_a, comparable_b, joined(two_sides(options).second),
                          {architectures, weights, training, outputs}, options.page);
    print_message(options.common, "wrote " + options.page);
  }
  if (options.common.json) {
    print_json(to_json(architectures, weights, training, outputs));
  } else {
    if (!agrees) print_line("A, the first, is what is expected; B, the second, is what is found");
    for (const std::string& difference : architectures.differences) print_line(difference);
    print_weights(weights);
    for (const std::string& difference : training.differences) print_line(difference);
    print_notes(options.common, architectures.notes);
    print_notes(options.common, training.notes);
    if (outputs) print_outputs(*outputs);
  }
  return status_of(agrees);
}

}  // namespace

void add_compare(CLI::App& program, Action& action) {
  auto [command, options] = add_command<CompareCommand>(
      program, "compare", "compare two models, tensor by tensor and output by output", action, compare_models);
  add_sources(command, options.sources);
  command.get_option("SOURCE")->description("A and B, a file each; or, before --with, the files of A");
  add_names(command, options.sources.load);
  command.add_option("--with", options.others, "the files of the second model")->type_name("B...");
  add_inputs(command, options.running);
  command.add_option("--random-inputs", options.rows, "run both on random inputs, N rows of them")
      ->type_name("N")
      ->check(positive_integer);
  add_random_inputs(command, options.random);
  command
      .add_option("-o,--output", options.page, "a page that shows the first model, coloured by what differs (.html)")
      ->type_name("PAGE");
  add_tolerance(command, options.tolerance);
  add_equal_nan(command, options.tolerance);
}

}  // namespace h5bridge::cli
