// What `inspect` shows of torch.save files.
#include <algorithm>
#include <array>

#include "convert/inspection_parts.h"
#include "convert/tensor_agreement.h"
#include "h5bridge/error.h"
#include "model/numbers.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr std::size_t kLongestPath = 100;

/// The members of a pickled module that a state_dict's names pass over.
constexpr std::array<std::string_view, 3> kModuleMembers{"_modules", "_parameters", "_buffers"};

using pickle::Ref;

/// Every tensor that can be reached, under the path that leads to it.
class TensorFinder {
 public:
  TensorFinder(const TorchFile& file, FilePart& part) : file_(file), part_(part), seen_(file.count()) {}

  void find() { visit(file_.root(), 0); }

 private:
  void visit(const pickle::Value& value, std::size_t depth) {
    if (seen_[value.number()]) return;
    seen_[value.number()] = true;
    if (is_tensor(value)) return add(value);
    if (depth == kLongestPath)
      throw MalformedFile("the pickle nests more than " + std::to_string(kLongestPath) + " levels");
    if (const auto* dict = value.as<pickle::Dict>()) visit_items(dict->items, depth);
    if (const auto* items = pickle::sequence(value)) visit_sequence(*items, depth);
    if (const auto* object = value.as<pickle::Object>()) {
      visit_items(object->dict_items(), depth);
      visit_sequence(object->list_items(), depth);
      if (object->state) visit(*object->state, depth + 1);
    }
  }

  void visit_items(const pickle::Items& items, std::size_t depth) {
    for (const auto& [key, value] : items)
      if (const auto* name = key->as<std::string>()) visit_member(*name, *value, depth);
  }
  void visit_sequence(const std::vector<Ref>& items, std::size_t depth) {
    for (std::size_t i = 0; i < items.size(); ++i) visit_member(std::to_string(i), *items[i], depth);
  }
  void visit_member(const std::string& name, const pickle::Value& value, std::size_t depth) {
    const std::size_t length = path_.size();
    if (std::ranges::count(kModuleMembers, name) == 0) path_ += (path_.empty() ? "" : ".") + name;
    visit(value, depth + 1);
    path_.resize(length);
  }

  void add(const pickle::Value& value) {
    try {
      part_.tensors.push_back({path_, file_.tensor(value, path_), std::nullopt});
    } catch (const Unsupported& error) {
      part_.notes.emplace_back(error.what());
    }
  }

  const TorchFile& file_;
  FilePart& part_;
  std::vector<bool> seen_;  // by the values' numbers
  std::string path_;
};

/// What --key may be, and how many tensors it takes, where there is a choice.
void add_keys(const TorchFile& file, FilePart& part) {
  Json::Object keys;
  for (const auto& [key, tensors] : state_dict_keys(file))
    if (!key.empty()) keys.set(key, tensors);
  if (keys.size() > 1) part.metadata.set("keys", std::move(keys));
}

FilePart inspect_contents(const TorchFile& file) {
  FilePart part;
  TensorFinder(file, part).find();
  add_keys(file, part);
  try {
    part.metadata.set("contents", file.to_json(file.root()));
  } catch (const MalformedFile& error) {  // a cycle
    part.notes.emplace_back(error.what());
  }
  return part;
}

}  // namespace

Json slot_to_json(const std::string& name, const Tensor& tensor, const Json& parameter) {
  Json::Object slot{{"parameter", parameter},
                    {"name", name},
                    {"shape", Json::array(tensor.shape())},
                    {"dtype", name_of(tensor.dtype())}};
  if (tensor.rank() == 0) {
    const double value = as_doubles(tensor).at(0);
    slot.set("value", is_floating_point(tensor.dtype()) ? Json(value) : Json(static_cast<std::int64_t>(value)));
  }
  return slot;
}

Json training_to_json(const Training& training) {
  Json::Object json{{"epoch", training.epoch ? Json(*training.epoch) : Json()},
                    {"loss", training.loss ? Json(*training.loss) : Json()}};
  Json optimizer;
  if (training.optimizer) {
    Json::Array slots;
    for (const auto& [parameter, tensors] : training.optimizer->slots)
      for (const NamedTensor& slot : tensors) slots.push_back(slot_to_json(slot.name, slot.tensor, parameter));
    Json::Array groups;
    for (const Json::Object& group : training.optimizer->groups) groups.emplace_back(group);
    optimizer = Json::Object{{"name", training.optimizer->kind},
                             {"config", training.optimizer->hyperparameters},
                             {"groups", std::move(groups)},
                             {"slots", std::move(slots)}};
  }
  json.set("optimizer", std::move(optimizer));
  if (training.compile) json.set("compile", *training.compile);
  return json;
}

FilePart inspect_state_dict(Model model) {
  FilePart part;
  for (const NamedTensor& named : model.weights) part.tensors.push_back({named.name, named.tensor, std::nullopt});
  if (model.training) part.training = training_to_json(*model.training);
  part.metadata = std::move(model.metadata);
  return part;
}

FilePart inspect_torch_file(const TorchFile& file, const LoadOptions& options) {
  Model model;
  try {
    model = read_torch_file(file, {options.key, options.optimizer, options.fix_sizes, options.optimizer_key});
  } catch (const Unsupported&) {
    return inspect_contents(file);
  } catch (const UsageError&) {
    if (!options.key.empty()) throw;
    return inspect_contents(file);
  }
  // A whole module's settings and tree are in no state_dict.
  if (const Json* torch = model.metadata.find("torch"); torch && torch->find("module")) {
    FilePart part = inspect_contents(file);
    part.metadata.set("modules", *model.metadata.find("modules"));
    part.notes.insert(part.notes.end(), model.notes.begin(), model.notes.end());
    return part;
  }
  FilePart part = inspect_state_dict(std::move(model));
  if (options.key.empty()) add_keys(file, part);
  return part;
}

}  // namespace h5bridge
