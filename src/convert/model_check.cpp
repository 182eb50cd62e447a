#include "convert/model_check.h"

#include <algorithm>
#include <set>

#include "convert/nearest_names.h"
#include "convert/other_names.h"
#include "files/digest.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "model/tensor_view.h"
#include "passes/infer_shapes.h"

namespace h5bridge {

std::vector<WeightProblem> weight_problems(const Model& model) {
  std::vector<WeightProblem> result;
  // A file of weights that holds none lacks them all; sources without such a file lack none.
  const bool has_weights_file =
      !model.format.empty() && model.format != "architecture" && model.format != "keras-config";
  if (!model.architecture || (model.weights.empty() && !has_weights_file)) return result;
  result = misfits(*model.architecture, model.weights);
  std::set<std::string> expected;
  for (const NamedParameter& parameter : parameters_of(*model.architecture)) expected.insert(parameter.name);
  // What is the same view of the same bytes is one tensor with two names: a module that is registered twice.
  std::set<TensorView> known;
  for (const NamedTensor& tensor : model.weights)
    if (expected.contains(tensor.name)) known.insert(view_of(tensor.tensor));
  std::set<std::string> carried;
  if (const Json* names = model.metadata.find("carried"))
    for (const Json& name : names->as_array()) carried.insert(name.as_string());
  for (const auto& [alias, name] : model.architecture->aliases) carried.insert(alias);
  carried.insert(model.architecture->unused.begin(), model.architecture->unused.end());
  for (const NamedTensor& tensor : model.weights)
    if (!expected.contains(tensor.name) && !known.contains(view_of(tensor.tensor)) && !carried.contains(tensor.name))
      result.push_back({WeightProblem::Kind::Unexpected, tensor.name, ""});
  return result;
}

std::vector<WeightProblem> changed_tensors(const Model& model) {
  std::vector<WeightProblem> result;
  const Json* digests = model.metadata.find("digests");
  if (!digests || !digests->is_object()) return result;
  for (const auto& [name, recorded] : digests->as_object())
    if (const Tensor* tensor = model.weights.find(name);
        tensor && recorded.is_string() && !has_digest(*tensor, recorded.as_string()))
      result.push_back({WeightProblem::Kind::Changed, name, "differs from its digest"});
  return result;
}

std::string ways_to_architecture(const std::string& source) {
  return "tools/h5bridge_export.py " + source +
         " writes the architecture JSON that is given beside the weights, and what torch.export.save writes (.pt2) has "
         "both";
}

void require_architecture(const Model& model) {
  if (model.architecture) return;
  const Json* torch = model.metadata.find("torch");
  const Json* module = torch ? torch->find("module") : nullptr;
  const Json* reason = torch ? torch->find("no_architecture") : nullptr;
  if (module && reason && reason->is_string())
    throw Unsupported("needs an architecture, and that of the module " + quoted(*module) +
                      " cannot be read: " + reason->as_string() + "; " + ways_to_architecture());
  throw UsageError("needs an architecture, which weights alone do not have; " + ways_to_architecture());
}

void check_weights(const Model& model, bool allow_unexpected) {
  std::vector<WeightProblem> problems = weight_problems(model);
  if (!problems.empty()) add_nearest_names(model, problems);
  if (allow_unexpected)
    std::erase_if(problems,
                  [](const WeightProblem& problem) { return problem.kind == WeightProblem::Kind::Unexpected; });
  if (problems.empty()) return;
  const bool all_unexpected = std::ranges::all_of(
      problems, [](const WeightProblem& problem) { return problem.kind == WeightProblem::Kind::Unexpected; });
  throw MalformedFile("the tensors do not fit the architecture: " + summary(problems) +
                      (all_unexpected        ? " (LoadOptions::allow_unexpected carries them along)"
                       : fit_in_order(model) ? "; in their order all shapes fit: LoadOptions::match order takes them so"
                                             : ""));
}

}  // namespace h5bridge
