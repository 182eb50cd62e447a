// h5bridge run SOURCE... --input X [-o OUT]
#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/output.h"
#include "convert/arrays.h"
#include "convert/reference.h"
#include "model/numbers.h"
#include "passes/mixed_precision.h"
#include "passes/presentation.h"
#include "runner/library.h"

namespace h5bridge::cli {
namespace {

constexpr std::int64_t kFewValues = 20;  // are printed instead of their statistics

struct RunCommand {
  CommonOptions common;
  SourceOptions sources;
  RunningOptions running;
  std::string output;
};

struct Statistics {
  double least = 0;
  double mean = 0;
  double most = 0;
};

Statistics statistics_of(const std::vector<double>& values) {
  Statistics result;
  if (values.empty()) return result;
  result.least = *std::ranges::min_element(values);
  result.most = *std::ranges::max_element(values);
  for (const double value : values) result.mean += value / static_cast<double>(values.size());
  return result;
}

Json described(const NamedTensor& output) {
  const std::vector<double> values = as_doubles(output.tensor);
  const Statistics statistics = statistics_of(values);
  Json::Object json{{"name", output.name},
                    {"shape", Json::array(output.tensor.shape())},
                    {"dtype", name_of(output.tensor.dtype())},
                    {"least", statistics.least},
                    {"mean", statistics.mean},
                    {"most", statistics.most}};
  if (output.tensor.element_count() <= kFewValues) json.set("values", Json::array(values));
  return json;
}

std::string describe(const NamedTensor& output) {
  const std::vector<double> values = as_doubles(output.tensor);
  std::string text = "output \"" + output.name + "\": " + to_string(output.tensor.shape()) + " ";
  text += name_of(output.tensor.dtype());
  if (output.tensor.element_count() <= kFewValues) {
    text += ", values";
    for (const double value : values) text += " " + short_number(value);
    return text;
  }
  const Statistics statistics = statistics_of(values);
  return text + ", from " + short_number(statistics.least) + " to " + short_number(statistics.most) + ", mean " +
         short_number(statistics.mean);
}

// Without any, what an exported program was traced with.
std::vector<NamedTensor> inputs_of(const RunCommand& options, const Model& model, const Presentation& looks) {
  if (!options.running.inputs.empty()) return named_for(read_arrays(options.running.inputs), looks.inputs, "input");
  std::vector<NamedTensor> samples = sample_inputs(model, looks);
  if (samples.empty()) throw UsageError("--input is required: the model has no inputs that it was exported with");
  return samples;
}

ExitStatus run_model(const RunCommand& options) {
  load_torch_ahead();
  const Model model = load(options.sources.sources, options.sources.load);
  print_notes(options.common, model.notes);
  const Presentation looks = presentation_of(model, options.running.layout.value_or(model.framework));
  print_notes(options.common, mixed_precision_left_out(*model.architecture));
  if (!options.output.empty()) check_array_path(options.output, looks.outputs.size());
  const std::vector<NamedTensor> inputs = inputs_of(options, model, looks);
  RunOptions running = options.running.run_options(options.common);
  running.exact = options.running.exact;
  const std::vector<NamedTensor> outputs = make_runner(model, running)->run(inputs);
  if (!options.output.empty()) write_arrays(outputs, options.output);
  if (options.common.json) {
    Json::Array items;
    for (const NamedTensor& output : outputs) items.push_back(described(output));
    print_json(Json::Object{{"outputs", std::move(items)},
                            {"written", options.output.empty() ? Json() : Json(options.output)}});
  } else if (options.output.empty()) {
    for (const NamedTensor& output : outputs) print_line(describe(output));
  } else {
    print_message(options.common, "wrote " + options.output);
  }
  return ExitStatus::Done;
}

}  // namespace

void add_run(CLI::App& program, Action& action) {
  auto [command, options] =
      add_command<RunCommand>(program, "run", "run a model in evaluation mode", action, run_model);
  add_sources(command, options.sources);
  add_running(command, options.running);
  add_map(command, options.sources.load);
  add_names(command, options.sources.load, "--names");
  command
      .add_option("-o,--output", options.output,
                  "where the outputs go: a .npy or .npz file; without it, a summary is printed")
      ->type_name("OUT");
}

}  // namespace h5bridge::cli
