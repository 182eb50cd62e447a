#include "pytorch/exported_program/samples.h"

#include <algorithm>

#include "h5bridge/error.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostSampleLevels = 16;
constexpr const char* kOlder = "serialized_example_inputs.pt";

const ZipEntry* samples_in(const ZipReader& archive, const std::string& model) {
  const std::string name = "data/sample_inputs/" + model + ".pt";
  for (const ZipEntry& entry : archive.entries())
    if (entry.name == kOlder || entry.name == name || entry.name.ends_with("/" + name)) return &entry;
  return nullptr;
}

// Arguments in order, then those by name, each nested as forward takes it: tensors as torch.utils._pytree finds them.
void collect(const TorchFile& file, const pickle::Value& value, std::size_t depth, std::vector<Tensor>& into) {
  if (depth > kMostSampleLevels) return;
  if (is_tensor(value)) {
    into.push_back(file.tensor(value, "sample " + std::to_string(into.size())));
  } else if (const auto* items = pickle::sequence(value)) {
    for (const pickle::Ref item : *items) collect(file, *item, depth + 1, into);
  } else if (const auto* dict = value.as<pickle::Dict>()) {
    for (const auto& [key, item] : dict->items) collect(file, *item, depth + 1, into);
  }
}

bool fits(const Tensor& tensor, const Input& input) {
  if (tensor.dtype() != input.dtype || tensor.shape().size() != input.shape.size()) return false;
  for (std::size_t axis = 0; axis < input.shape.size(); ++axis)
    if (input.shape[axis].value().value_or(tensor.shape()[axis]) != tensor.shape()[axis]) return false;
  return true;
}

}  // namespace

std::vector<NamedTensor> sample_inputs(const ZipReader& archive, const std::string& model,
                                       const std::vector<Input>& inputs) {
  const ZipEntry* entry = samples_in(archive, model);
  if (!entry || entry->size == 0) return {};
  std::vector<Tensor> tensors;
  try {
    const TorchFile file(archive.open(*entry));
    collect(file, file.root(), 0, tensors);
  } catch (const Unsupported&) {  // nothing hangs on them
    return {};
  } catch (const MalformedFile&) {
    return {};
  }
  if (tensors.size() != inputs.size()) return {};
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!fits(tensors[i], inputs[i])) return {};
    result.push_back({inputs[i].name, tensors[i]});
  }
  return result;
}

}  // namespace h5bridge
