#include "passes/weight_check.h"

#include <optional>
#include <set>

#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

std::optional<WeightProblem> misfit(const NamedParameter& wanted, const Tensor* found) {
  if (!found) return WeightProblem{WeightProblem::Kind::Missing, wanted.name, ""};
  if (found->shape() != wanted.spec.shape)
    return WeightProblem{WeightProblem::Kind::Misshapen, wanted.name,
                         "has shape " + to_string(found->shape()) + ", expected " + to_string(wanted.spec.shape)};
  const bool is_float = is_floating_point(found->dtype());
  if (is_floating_point(wanted.spec.dtype) == is_float) return std::nullopt;
  return WeightProblem{WeightProblem::Kind::Misshapen, wanted.name,
                       "has dtype " + std::string(name_of(found->dtype())) + ", expected " +
                           (is_float ? std::string(name_of(wanted.spec.dtype)) : "a floating-point one")};
}

// Of each group of names that are one parameter, those whose tensor is another than the first one's.
void add_untied(const Architecture& architecture, const Weights& weights, std::vector<WeightProblem>& problems) {
  for (const std::vector<std::string>& group : architecture.ties) {
    const NamedTensor* first = nullptr;
    NamedTensor held;
    for (const std::string& name : group) {
      const Tensor* tensor = weights.find(name);
      if (!tensor) continue;
      if (!first) {
        held = {name, *tensor};
        first = &held;
      } else if (!bit_equal(first->tensor, *tensor)) {
        problems.push_back(
            {WeightProblem::Kind::Untied, name,
             "differs from " + first->name + ", though both are one parameter; LoadOptions::untie makes them two"});
      }
    }
  }
}

// Of weights, whether the architecture names them or not, and of what the architecture has.
std::set<std::string> names_in(const Model& model) {
  std::set<std::string> known;
  for (const NamedTensor& tensor : model.weights) known.insert(tensor.name);
  if (!model.architecture) return known;
  for (const NamedParameter& parameter : parameters_of(*model.architecture)) known.insert(parameter.name);
  known.insert(model.architecture->unused.begin(), model.architecture->unused.end());
  for (const auto& [alias, name] : model.architecture->aliases) known.insert(alias);
  return known;
}

void require_known(const std::string& name, const std::set<std::string>& known, const char* what) {
  if (!known.contains(name))
    throw UsageError(std::string(what) + " has \"" + shortened(name) + "\", which is no tensor of the model" +
                     did_you_mean(name, {known.begin(), known.end()}));
}

}  // namespace

std::vector<WeightProblem> misfits(const Architecture& architecture, const Weights& weights) {
  std::vector<WeightProblem> result;
  for (const NamedParameter& wanted : parameters_of(architecture))
    if (auto problem = misfit(wanted, weights.find(wanted.name))) result.push_back(std::move(*problem));
  add_untied(architecture, weights, result);
  return result;
}

void check_fit(const Architecture& architecture, const Weights& weights) {
  const std::vector<WeightProblem> problems = misfits(architecture, weights);
  if (!problems.empty()) throw MalformedFile("the tensors do not fit the architecture: " + summary(problems));
}

void check_names(const Model& model) {
  if (model.architecture) check_tensor_names(*model.architecture);
  const std::set<std::string> known = names_in(model);
  std::set<std::string> buffers;
  if (model.architecture)
    for (const NamedParameter& parameter : parameters_of(*model.architecture))
      if (parameter.spec.role == Role::Buffer) buffers.insert(parameter.name);
  for (const auto& [name, is_trained] : model.trainable) {
    require_known(name, known, "trainable");
    if (is_trained && buffers.contains(name))
      throw UsageError("trainable has \"" + shortened(name) + "\" as trained, which is a buffer");
  }
}

void check_state_names(const Model& model) {
  if (!model.training || !model.training->optimizer) return;
  const std::set<std::string> known = names_in(model);
  const auto is_number = [](const std::string& name) {
    return name.find_first_not_of("0123456789") == std::string::npos;  // as a file has it that does not tell names
  };
  for (const auto& [name, slots] : model.training->optimizer->slots)
    if (!is_number(name)) require_known(name, known, "the optimizer's state");
}

std::string summary(const std::vector<WeightProblem>& problems) {
  std::string result;
  const auto list = [&](WeightProblem::Kind kind, const std::string& title) {
    std::string names;
    for (const WeightProblem& problem : problems)
      if (problem.kind == kind)
        names += (names.empty() ? "" : ", ") + problem.tensor + (problem.detail.empty() ? "" : " " + problem.detail);
    if (!names.empty()) result += (result.empty() ? "" : "; ") + title + names;
  };
  list(WeightProblem::Kind::Missing, "missing: ");
  list(WeightProblem::Kind::Unexpected, "unexpected: ");
  list(WeightProblem::Kind::Misshapen, "misshapen: ");
  list(WeightProblem::Kind::Changed, "changed: ");
  list(WeightProblem::Kind::Untied, "untied: ");
  return result;
}

}  // namespace h5bridge
