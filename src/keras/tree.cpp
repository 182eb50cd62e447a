#include "keras/tree.h"

#include <algorithm>

#include "keras/wrappers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// "Odd" of a user's is "mine>Odd" where it was registered so, or else says the module that has it.
std::string class_with_package(const KerasLayer& layer) {
  const std::string &registered = layer.registered_name, &module = layer.module;
  std::string class_name = layer.class_name;
  if (class_name == registered) return registered;
  if (!module.empty() && class_name.starts_with(module + ">")) class_name = class_name.substr(module.size() + 1);
  if (registered.ends_with(">" + class_name)) return registered;
  const bool is_users = !module.empty() && !module.starts_with("keras.") && module != "builtins";
  return is_users ? class_name + " of " + module : class_name;
}

}  // namespace

bool KerasArgument::is_same(const KerasArgument& other) const {
  if (value.index() != other.value.index()) return false;
  if (tensor()) return tensor()->is_same(*other.tensor());
  if (constant()) return *constant() == *other.constant();
  if (list()) return std::ranges::equal(*list(), *other.list(), &KerasArgument::is_same);
  return std::ranges::equal(*dict(), *other.dict(), [](const auto& one, const auto& two) {
    return one.first == two.first && one.second.is_same(two.second);
  });
}

KerasArgument argument_of(const std::vector<std::optional<KerasTensor>>& tensors) {
  KerasArgument::List list;
  for (const std::optional<KerasTensor>& tensor : tensors)
    list.push_back(tensor ? KerasArgument(*tensor) : KerasArgument(Json()));
  return list;
}

std::vector<KerasTensor> KerasCall::tensors() const {
  std::vector<KerasTensor> result;
  for_each_tensor(*this, [&](const KerasTensor& tensor) { result.push_back(tensor); });
  return result;
}

std::string describe(const KerasLayer& layer) {
  return "layer \"" + shortened(layer.name) + "\" (" + shortened(class_with_package(layer)) + ")";
}

bool KerasModel::is_sequential() const {
  if (said.class_name != "Sequential" || inputs.size() != 1 || outputs.size() != 1) return false;
  for (std::size_t i = 1; i < layers.size(); ++i) {
    const KerasLayer& layer = layers[i];
    if (layer.is_operation() || layer.calls.size() != 1 || !layer.calls[0].keywords.empty()) return false;
    const std::vector<KerasTensor> taken = layer.calls[0].tensors();
    if (taken.size() != 1 || taken[0].layer != layers[i - 1].name || taken[0].tensor != 0) return false;
  }
  return outputs[0].layer == layers.back().name;
}

bool KerasModel::is_functional() const { return !is_sequential() && !is_wrapper(said); }

}  // namespace h5bridge
