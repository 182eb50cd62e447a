#include "optimizers/decayed_variables.h"

#include <algorithm>
#include <cstdint>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using Decays = std::map<std::string, double>;

enum Mark : std::uint8_t { kUnknown, kSpared, kDecayed };

Mark mark_of(const KerasBinding::Source& source, const Decays& decays) {
  const auto decay = decays.find(source.name);
  return decay == decays.end() ? kUnknown : decay->second != 0 ? kDecayed : kSpared;
}

// `mark` in the shape of a parameter; a single byte of memory.
Tensor marked(Mark mark, const Shape& shape) {
  return Tensor(DType::UInt8, shape, std::vector<std::int64_t>(shape.size(), 0), 0, bytes_in_memory({std::byte{mark}}));
}

// The marks of what each variable of a binding is made of.
std::vector<std::set<Mark>> marks_of_variables(const KerasBinding& binding, const Decays& decays,
                                               const Weights& weights) {
  std::set<Mark> all;
  for (const KerasBinding::Source& source : binding.torch) all.insert(mark_of(source, decays));
  std::vector<std::set<Mark>> result(binding.variables.size(), all);
  // Every element of a sum or of a product is made of all.
  if (all.size() < 2 || is_lossy(binding.steps)) return result;
  std::vector<Tensor> tensors;
  for (const KerasBinding::Source& source : binding.torch) {
    const Tensor parameter = marked(mark_of(source, decays), weights.find(source.name)->shape());
    tensors.push_back(to_keras(source.steps, {parameter}).at(0));
  }
  tensors = to_keras(binding.steps, std::move(tensors));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto elements = tensors.at(i).values<std::uint8_t>();
    std::erase_if(result[i], [&](Mark mark) { return std::ranges::find(elements, mark) == elements.end(); });
  }
  return result;
}

}  // namespace

DecayedVariables decayed_variables(const Decays& decays, const KerasBindings& bound, const Weights& weights) {
  DecayedVariables result;
  for (const KerasBinding& binding : bound.bindings) {
    if (!binding.is_trained()) continue;
    const std::vector<std::set<Mark>> marks = marks_of_variables(binding, decays, weights);
    for (std::size_t i = 0; i < marks.size(); ++i) {
      const std::string& variable = binding.variables[i];
      if (marks[i].contains(kSpared) && marks[i].contains(kDecayed))
        throw Unsupported("the optimizer decays some of the parameters that are Keras's one variable " + binding.layer +
                          "/" + variable + "; SaveOptions::optimizer = false leaves the optimizer out");
      const std::string name = variable.substr(variable.rfind('/') + 1);
      if (marks[i].contains(kSpared)) {
        result.spared_names.insert(name);
        result.spared_paths.push_back(binding.path + variable);
      } else {
        result.decayed_names.insert(name);
      }
    }
  }
  return result;
}

}  // namespace h5bridge
