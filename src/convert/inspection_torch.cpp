// What `inspect` shows of torch.save files.
#include <algorithm>
#include <array>
#include <set>

#include "convert/inspection_parts.h"
#include "convert/tensor_agreement.h"
#include "h5bridge/error.h"
#include "model/numbers.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostValues = 1'000'000;
constexpr std::size_t kLongestPath = 100;

/// The members of a pickled module that a state_dict's names pass over.
constexpr std::array<std::string_view, 3> kModuleMembers{"_modules", "_parameters", "_buffers"};

using pickle::Ref;

/// Every tensor that can be reached, under the path that leads to it.
class TensorFinder {
 public:
  TensorFinder(const TorchFile& file, FilePart& part) : file_(file), part_(part) {}

  void find() {
    pending_.push_back({"", &file_.root(), 0});
    // A stack, so that depth costs no recursion; its order is turned around to be the file's.
    while (!pending_.empty()) {
      const Pending next = pending_.back();
      pending_.pop_back();
      if (!seen_.insert(next.value).second) continue;
      if (seen_.size() > kMostValues)
        throw MalformedFile("the pickle has more than " + std::to_string(kMostValues) + " values");
      visit(next);
    }
  }

 private:
  struct Pending {
    std::string path;
    Ref value;
    std::size_t depth;
  };

  void visit(const Pending& item) {
    if (is_tensor(*item.value)) return add(item);
    if (item.depth == kLongestPath)
      throw MalformedFile("the pickle nests more than " + std::to_string(kLongestPath) + " levels");
    const std::size_t first = pending_.size();
    if (const auto* dict = item.value->as<pickle::Dict>()) push_items(item, dict->items);
    if (const auto* items = pickle::sequence(*item.value)) push_sequence(item, *items);
    if (const auto* object = item.value->as<pickle::Object>()) {
      push_items(item, object->dict_items);
      push_sequence(item, object->list_items);
      if (object->state) pending_.push_back({item.path, object->state, item.depth + 1});
    }
    std::reverse(pending_.begin() + static_cast<std::ptrdiff_t>(first), pending_.end());
  }

  void push_items(const Pending& from, const pickle::Items& items) {
    for (const auto& [key, value] : items)
      if (const auto* name = key->as<std::string>()) push(from, *name, value);
  }
  void push_sequence(const Pending& from, const std::vector<Ref>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) push(from, std::to_string(i), items[i]);
  }
  void push(const Pending& from, const std::string& name, Ref value) {
    const bool is_member = std::ranges::count(kModuleMembers, name) > 0;
    pending_.push_back({is_member           ? from.path
                        : from.path.empty() ? name
                                            : from.path + "." + name,
                        value, from.depth + 1});
  }

  void add(const Pending& item) {
    try {
      part_.tensors.push_back({item.path, file_.tensor(*item.value, item.path), std::nullopt});
    } catch (const Unsupported& error) {
      part_.notes.emplace_back(error.what());
    }
  }

  const TorchFile& file_;
  FilePart& part_;
  std::vector<Pending> pending_;
  std::set<Ref> seen_;
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
