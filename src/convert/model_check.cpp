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
namespace {

/// What names the architecture knows begin with in a file that has further tensors, too; empty where that is not all
/// that is wrong.
std::string common_prefix(const Model& model, const std::vector<WeightProblem>& problems) {
  const std::vector<NamedParameter> parameters = parameters_of(*model.architecture);
  const auto missing = std::ranges::count(problems, WeightProblem::Kind::Missing, &WeightProblem::kind);
  const auto unexpected = std::ranges::count(problems, WeightProblem::Kind::Unexpected, &WeightProblem::kind);
  if (missing == 0 || unexpected <= missing || missing + unexpected != std::ssize(problems)) return "";
  const auto first = std::ranges::find(problems, WeightProblem::Kind::Missing, &WeightProblem::kind);
  for (const WeightProblem& problem : problems) {
    if (problem.kind != WeightProblem::Kind::Unexpected || !problem.tensor.ends_with("." + first->tensor)) continue;
    const std::string prefix = problem.tensor.substr(0, problem.tensor.size() - first->tensor.size());
    if (std::ranges::all_of(parameters, [&](const NamedParameter& parameter) {
          const Tensor* tensor = model.weights.find(prefix + parameter.name);
          return tensor && tensor->shape() == parameter.spec.shape;
        }))
      return prefix;
  }
  return "";
}

bool is_part_of(const std::string& tensor, const std::string& layer) {
  return tensor.starts_with(layer + ".") || ("/" + tensor).find("/" + layer + "/") != std::string::npos;
}

/// Where nothing is wrong but that a layer says it has a bias and the weights have none, or the other way round.
std::string advice_on_bias(const Model& model, const std::vector<WeightProblem>& problems) {
  const WeightProblem::Kind kind = problems.front().kind;
  const bool says_bias = kind == WeightProblem::Kind::Missing;
  if (!says_bias && kind != WeightProblem::Kind::Unexpected) return "";
  std::vector<std::string> layers;
  for (const WeightProblem& problem : problems) {
    const auto has_it = [&](const Layer& layer) {
      return is_part_of(problem.tensor, layer.name) && layer.attributes.contains("bias") &&
             layer.attributes.boolean("bias") == says_bias;
    };
    const auto layer = std::ranges::find_if(model.architecture->layers, has_it);
    const std::string variable = problem.tensor.substr(problem.tensor.find_last_of("./") + 1);
    if (problem.kind != kind || layer == model.architecture->layers.end() || !variable.starts_with("bias")) return "";
    if (std::ranges::find(layers, describe(*layer)) == layers.end()) layers.push_back(describe(*layer));
  }
  const std::string in_file = says_bias ? "false" : "true", in_architecture = says_bias ? "true" : "false";
  return "; the architecture says bias = " + in_architecture + " of " + joined(layers) + ", and the weights have " +
         (says_bias ? "none" : "one") + ": if they are this network's, say " + in_file +
         " there (\"bias\", Keras's \"use_bias\"), or export the architecture again";
}

std::string advice(const Model& model, const std::vector<WeightProblem>& problems) {
  if (std::ranges::all_of(problems, [](const auto& each) { return each.kind == WeightProblem::Kind::Unexpected; }))
    return " (LoadOptions::allow_unexpected carries them along)" + advice_on_bias(model, problems);
  if (const std::string on_bias = advice_on_bias(model, problems); !on_bias.empty()) return on_bias;
  if (const std::string prefix = common_prefix(model, problems); !prefix.empty()) {
    std::string expression;
    for (const char c : prefix) {
      if (std::string_view(R"(.[]{}()*+?^$|\=)").find(c) != std::string_view::npos) expression += '\\';
      expression += c;
    }
    return "; without the prefix \"" + shortened(prefix) +
           "\" all that the architecture names is there: LoadOptions::renames '^" + shortened(expression) +
           "=' takes it off, and LoadOptions::allow_unexpected carries the others along";
  }
  return fit_in_order(model) ? "; in their order all shapes fit: LoadOptions::match order takes them so" : "";
}

}  // namespace

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
  const std::vector<WeightProblem> all = problems;
  if (allow_unexpected)
    std::erase_if(problems,
                  [](const WeightProblem& problem) { return problem.kind == WeightProblem::Kind::Unexpected; });
  if (problems.empty()) return;
  throw MalformedFile("the tensors do not fit the architecture: " + summary(problems) + advice(model, all));
}

}  // namespace h5bridge
