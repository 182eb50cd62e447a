// h5bridge validate SOURCE...
#include "cli/commands.h"
#include "cli/output.h"
#include "convert/load.h"
#include "convert/model_check.h"
#include "convert/unread_bytes.h"
#include "h5bridge/error.h"
#include "passes/infer_shapes.h"

namespace h5bridge::cli {
namespace {

struct ValidateCommand {
  CommonOptions common;
  SourceOptions sources;
};

std::string text_of(const WeightProblem& problem) {
  switch (problem.kind) {
    case WeightProblem::Kind::Missing: return "missing: " + problem.tensor;
    case WeightProblem::Kind::Unexpected: return "unexpected: " + problem.tensor;
    case WeightProblem::Kind::Changed: return "changed: " + problem.tensor + " " + problem.detail;
    case WeightProblem::Kind::Untied: return "untied: " + problem.tensor + " " + problem.detail;
    case WeightProblem::Kind::Misshapen: return "misshapen: " + problem.tensor + " " + problem.detail;
  }
  return problem.tensor;
}

/// Everything that is wrong with a model whose files could be read.
std::vector<std::string> problems_of(const Model& model, bool allow_unexpected) {
  std::vector<std::string> problems;
  if (model.architecture) {
    check_graph(*model.architecture);
    infer_shapes(*model.architecture);
  }
  for (const WeightProblem& problem : weight_problems(model))
    if (!allow_unexpected || problem.kind != WeightProblem::Kind::Unexpected) problems.push_back(text_of(problem));
  for (const WeightProblem& problem : changed_tensors(model)) problems.push_back(text_of(problem));
  return problems;
}

ExitStatus validate_model(const ValidateCommand& options) {
  const auto [model, untied, disagreement] = load_unchecked(options.sources.sources, options.sources.load);
  check_unread(model);
  print_notes(options.common, model.notes);
  std::vector<std::string> problems = problems_of(model, options.sources.load.allow_unexpected);
  if (!disagreement.empty()) problems.insert(problems.begin(), disagreement);
  const std::size_t layers = model.architecture ? model.architecture->layers.size() : 0;
  if (options.common.json) {
    print_json(Json::Object{{"agrees", problems.empty()},
                            {"format", model.format},
                            {"layers", model.architecture ? Json(layers) : Json()},
                            {"tensors", model.weights.size()},
                            {"problems", Json::array(problems)}});
  } else {
    for (const std::string& problem : problems) print_line(problem);
    if (problems.empty())
      print_line(
          "valid: " + (model.architecture ? std::to_string(layers) + " layers" : std::string("no architecture")) +
          ", " + std::to_string(model.weights.size()) + " tensors");
  }
  return status_of(problems.empty());
}

}  // namespace

void add_validate(CLI::App& program, Action& action) {
  auto [command, options] = add_command<ValidateCommand>(
      program, "validate", "check that a model's files are sound and fit each other", action, validate_model);
  add_sources(command, options.sources);
  add_names(command, options.sources.load);
}

}  // namespace h5bridge::cli
