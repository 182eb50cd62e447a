#include "cli/reference_options.h"

#include "cli/expected.h"
#include "convert/arrays.h"
#include "convert/reference.h"
#include "convert/save.h"
#include "h5bridge/error.h"
#include "passes/presentation.h"

namespace h5bridge::cli {

void add_reference(CLI::App& command, ReferenceOptions& options) {
  command
      .add_option("--reference", options.rows,
                  "keep N random inputs and LibTorch's outputs in the file, for verify to replay")
      ->type_name("N")
      ->check(positive_integer);
  add_inputs(command, options.given);
  add_expected(command, options.expected);
  command.get_option("--input")->description("keep these inputs, and --expect as their outputs, for verify to replay");
}

void check_reference(const ReferenceOptions& options, const std::vector<std::string>& destinations,
                     const SaveOptions& save) {
  if (options.given.inputs.empty() != options.expected.empty())
    throw UsageError("convert takes --input and --expect together, as a reference that verify replays");
  if (options.rows && !options.expected.empty())
    throw UsageError("--reference makes inputs up, and --input gives them: one of the two");
  if (!options.is_wanted()) return;
  require_place_for_reference(destinations, save);
}

Reference made_reference(const ReferenceOptions& options, const Model& model, const RandomInputs& random,
                         const CommonOptions& common) {
  if (options.rows) {
    RandomInputs wanted = random;
    wanted.rows = *options.rows;
    wanted.rows_asked_by = "--reference " + std::to_string(wanted.rows);
    RunOptions run;
    run.device = common.device;
    return random_reference(model, wanted, run);
  }
  const Presentation looks = presentation_of(model, options.given.layout.value_or(model.framework));
  std::vector<NamedTensor> others;
  const std::vector<NamedTensor> outputs = read_expected(options.expected, model, looks, others);
  if (!others.empty())
    throw UsageError("--expect has an array too many, \"" + others[0].name + "\": the model has no such output");
  return given_reference(model, looks, named_for(read_arrays(options.given.inputs), looks.inputs, "input"), outputs);
}

}  // namespace h5bridge::cli
