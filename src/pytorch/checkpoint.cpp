// What the values in a torch.save file mean: state_dicts, checkpoints, training state.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"
#include "pytorch/file.h"
#include "pytorch/optimizer.h"
#include "pytorch/whole_module/architecture.h"
#include "pytorch/whole_module/description.h"
#include "pytorch/whole_module/pickled_module.h"

namespace h5bridge {
namespace {

using pickle::Dict;
using pickle::Ref;

constexpr int kDeepestSearch = 4;
constexpr std::string_view kExtraState = "_extra_state";
constexpr const char* kNoNumbers =
    "keeps what is neither a tensor nor a number; LoadOptions::optimizer = false leaves it out";

/// An entry of a checkpoint, and the key, "a.b" for nested ones, that leads to it.
struct Entry {
  std::string key;
  Ref value = nullptr;
  int depth = 0;            // of nesting; the whole file's is 0
  std::string prefix = {};  // with which the names begin that are meant, where several networks are in one state_dict
  std::string place = {};   // "key.1", of one in a list of several; otherwise empty
};

bool has_metadata(const Dict& dict) {
  const auto* state = dict.state ? dict.state->as<Dict>() : nullptr;
  return state && pickle::find(*state, "_metadata");
}

/// A dict of names to tensors; one without any tensor only where a module's _metadata says that it is one.
bool is_state_dict(const pickle::Value& value) {
  const auto* dict = value.as<Dict>();
  if (!dict || (dict->items.empty() && !has_metadata(*dict))) return false;
  return std::ranges::all_of(dict->items, [](const auto& item) {
    const auto* name = item.first->template as<std::string>();
    return name && (is_tensor(*item.second) || name->ends_with(kExtraState));
  });
}

/// What tensors can be had from: a state_dict, or a whole module.
bool holds_state(const pickle::Value& value) { return is_state_dict(value) || is_module(value); }

void find_state_dicts(const Entry& entry, std::vector<Entry>& found) {
  if (holds_state(*entry.value)) return found.push_back(entry);
  const auto* dict = entry.value->as<Dict>();
  if (!dict || entry.depth == kDeepestSearch || is_optimizer_state(*entry.value)) return;
  for (const auto& [key, value] : dict->items)
    if (const auto* name = key->as<std::string>())
      find_state_dicts({entry.key.empty() ? *name : entry.key + "." + *name, value, entry.depth + 1}, found);
}

bool is_usual_name(std::string_view key) {
  constexpr std::array<std::string_view, 3> kUsualNames{"state_dict", "model_state_dict", "model"};
  return std::ranges::count(kUsualNames, key.substr(key.rfind('.') + 1)) > 0;
}

/// Beside an entry of a usual name, what is nested elsewhere and is no module's own only looks like a state_dict:
/// Lightning's callbacks have a dict from a path to a tensor.
void drop_lookalikes(std::vector<Entry>& found) {
  const auto is_usual = [](const Entry& entry) { return entry.depth == 1 && is_usual_name(entry.key); };
  if (std::ranges::any_of(found, is_usual))
    std::erase_if(found, [](const Entry& entry) {
      const auto* dict = entry.value->as<Dict>();
      return entry.depth > 1 && dict && !has_metadata(*dict);
    });
}

std::vector<std::string> names_of(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.key);
  return names;
}

/// As many as are read at a glance.
std::string quoted(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    text += (text.empty() ? "'" : ", '") + shortened(names[i]) + "'";
  return names.size() > kMost ? text + " and " + std::to_string(names.size() - kMost) + " more" : text;
}

std::vector<Entry> entries_of(const pickle::Value& value) {
  std::vector<Entry> entries;
  const auto* dict = value.as<Dict>();
  if (!dict) return entries;
  entries.reserve(dict->items.size());
  for (const auto& [key, item] : dict->items)
    if (const auto* name = key->as<std::string>()) entries.push_back({*name, item});
  return entries;
}

/// Follows "a.b" through nested dicts. A key may have dots of its own, so the longest that fits is taken.
Ref follow(const pickle::Value& value, std::string_view key) {
  const auto* dict = value.as<Dict>();
  if (!dict) return nullptr;
  for (std::size_t end = key.size(); end != std::string_view::npos;
       end = end == 0 ? std::string_view::npos : key.rfind('.', end - 1)) {
    const Ref next = pickle::find(*dict, key.substr(0, end));
    if (!next || end == key.size()) {
      if (next) return next;
      continue;
    }
    if (const Ref found = follow(*next, key.substr(end + 1))) return found;
  }
  return nullptr;
}

/// A pickled module is an object with a state.
void refuse_pickled_module(const std::string& what, const pickle::Value& value) {
  if (const auto* object = value.as<pickle::Object>(); object && object->state && !is_tensor(value))
    throw Unsupported(what + " a pickled object of class " + shortened(pickle::class_of(value)) +
                      ", whose code is not run: save its state_dict() instead");
}

[[noreturn]] void throw_no_state_dict(const pickle::Value& root) {
  refuse_pickled_module("it is", root);
  // There may also be one in a checkpoint.
  std::vector<std::string> names;
  if (const auto* dict = root.as<Dict>())
    for (const auto& [key, value] : dict->items)
      if (const auto* name = key->as<std::string>()) {
        refuse_pickled_module("'" + shortened(*name) + "' is", *value);
        names.push_back(*name);
      }
  throw Unsupported("it holds " + (is_tensor(root) ? "a tensor" : pickle::describe(root)) +
                    " and no state_dict, which would be a dict of names to tensors" +
                    (names.empty() ? "" : " (its entries: " + quoted(names) + ")"));
}

/// The names and tensors of a state_dict, or of what a module's would be.
NamedRefs state_of(const pickle::Value& value) {
  const auto* dict = value.as<Dict>();
  if (!dict) return state_of_module(value);
  NamedRefs state;
  for (const auto& [key, item] : dict->items) state.emplace_back(*key->as<std::string>(), item);
  return state;
}

/// The part of the file's one state_dict whose names begin with `key` and a dot: one of several networks in it.
std::optional<Entry> part_named(const pickle::Value& root, const std::string& key) {
  std::vector<Entry> found;
  find_state_dicts({"", &root}, found);
  drop_lookalikes(found);
  if (found.size() != 1 || !found[0].value->as<Dict>()) return std::nullopt;
  found[0].prefix = key + ".";
  const NamedRefs state = state_of(*found[0].value);
  const auto is_meant = [&](const auto& item) { return item.first.starts_with(found[0].prefix); };
  return std::ranges::any_of(state, is_meant) ? std::optional(found[0]) : std::nullopt;
}

Entry find_state_dict(const pickle::Value& root, const std::string& key) {
  if (!key.empty()) {
    const Ref value = follow(root, key);
    if (std::optional<Entry> part = value ? std::nullopt : part_named(root, key)) return *std::move(part);
    if (!value)
      throw UsageError("there is no entry '" + key + "' (LoadOptions::key); there are " +
                       quoted(names_of(entries_of(root))) + did_you_mean(key, names_of(entries_of(root))));
    if (!holds_state(*value))
      throw UsageError("the entry '" + key + "' (LoadOptions::key) is " + pickle::describe(*value) +
                       ", not a dict of names to tensors");
    return {key, value};
  }
  std::vector<Entry> found;
  find_state_dicts({"", &root}, found);
  drop_lookalikes(found);
  if (const auto* dict = root.as<Dict>(); dict && dict->items.empty())
    return {"", &root};  // of a model without weights
  if (found.empty()) throw_no_state_dict(root);
  if (found.size() > 1)
    throw UsageError("several entries could be the state_dict: " + quoted(names_of(found)) +
                     "; choose one with LoadOptions::key");
  return found.front();
}

/// The entries below one that have the form of an optimizer.
void find_optimizers(const Entry& entry, std::vector<Entry>& found) {
  if (entry.depth == kDeepestSearch || is_state_dict(*entry.value)) return;
  const auto* dict = entry.value->as<Dict>();
  if (!dict) return;
  for (const auto& [key, value] : dict->items) {
    const auto* name = key->as<std::string>();
    if (!name) continue;
    const Entry inner{entry.key.empty() ? *name : entry.key + "." + *name, value, entry.depth + 1};
    if (is_optimizer_state(*inner.value)) {
      found.push_back(inner);
    } else if (const auto* list = pickle::sequence(*inner.value)) {
      // Lightning keeps a list of them.
      for (std::size_t i = 0; i < list->size(); ++i)
        if (is_optimizer_state(*(*list)[i])) {
          found.push_back({inner.key, (*list)[i], inner.depth});
          if (list->size() > 1) found.back().place = inner.key + "." + std::to_string(i);
        }
    } else {
      find_optimizers(inner, found);
    }
  }
}

/// What holds an entry: "gen" of "gen.model".
std::string_view holder_of(std::string_view key) {
  const std::size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

/// What an optimizer is chosen by.
std::string place_of(const Entry& optimizer) { return optimizer.place.empty() ? optimizer.key : optimizer.place; }

std::vector<std::string> places_of(const std::vector<Entry>& optimizers) {
  std::vector<std::string> places;
  for (const Entry& entry : optimizers) places.push_back(place_of(entry));
  return places;
}

Entry optimizer_called(const std::string& key, const std::vector<Entry>& all) {
  const auto chosen = std::ranges::find(all, key, place_of);
  if (chosen != all.end()) return *chosen;
  const std::vector<std::string> places = places_of(all);
  throw UsageError("there is no optimizer '" + key + "' (LoadOptions::optimizer_key); " +
                   (places.empty() ? std::string("there is none") : "there are " + quoted(places)) +
                   did_you_mean(key, places));
}

/// Whether an entry holds optimizers and nothing else: {"net": ..., "head": ...}.
bool holds_optimizers(const pickle::Value& root, std::string_view key) {
  const Ref holder = key.empty() ? nullptr : follow(root, key);
  if (!holder) return false;
  const std::vector<Entry> entries = entries_of(*holder);
  return std::ranges::all_of(entries, [](const Entry& entry) { return is_optimizer_state(*entry.value); });
}

/// Of the dicts of optimizers at `at`: that of the state_dict's own name, where there is one.
std::vector<Entry> in_dicts(const std::vector<Entry>& all, std::string_view at, const Entry& state_dict,
                            const pickle::Value& root) {
  const auto name_of = [](std::string_view key) { return key.substr(key.rfind('.') + 1); };
  std::vector<Entry> found;
  std::ranges::copy_if(all, std::back_inserter(found), [&](const Entry& entry) {
    const std::string_view holder = holder_of(entry.key);
    return !holder.empty() && holder_of(holder) == at && holds_optimizers(root, holder);
  });
  const auto is_namesake = [&](const Entry& entry) { return name_of(entry.key) == name_of(state_dict.key); };
  if (std::ranges::count_if(found, is_namesake) == 1) return {*std::ranges::find_if(found, is_namesake)};
  return found;
}

/// The one that is asked for; or else those that could be a state_dict's: of what lies beside it, by itself or in a
/// dict of such, or, failing that, beside what it lies in, and so on. There one of a usual name is taken before others.
std::vector<Entry> optimizers_for(const Entry& state_dict, const pickle::Value& root, const std::string& key) {
  constexpr std::array<std::string_view, 3> kUsualNames{"optimizer_state_dict", "optimizer", "optim"};
  std::vector<Entry> all;
  find_optimizers({"", &root}, all);
  if (!key.empty()) return {optimizer_called(key, all)};
  for (std::string_view at = state_dict.key; !at.empty();) {
    at = holder_of(at);
    std::vector<Entry> beside;
    std::ranges::copy_if(all, std::back_inserter(beside),
                         [&](const Entry& entry) { return holder_of(entry.key) == at; });
    if (beside.size() > 1)
      for (const std::string_view name : kUsualNames) {
        const std::string usual = at.empty() ? std::string(name) : std::string(at) + "." + std::string(name);
        if (const auto found = std::ranges::find(beside, usual, &Entry::key); found != beside.end()) return {*found};
      }
    if (beside.empty()) beside = in_dicts(all, at, state_dict, root);
    if (!beside.empty()) return beside;
  }
  return {};
}

/// What the name of a network or an optimizer says of whose it is: "g" of "optimizer_G", "netG" and
/// "G.model_state_dict", nothing of "optimizer" and "model".
std::string owner_in(std::string_view key) {
  constexpr std::array<std::string_view, 15> kSaysNothing{
      "state_dict", "optimizers", "optimizer", "optimiser", "optim",  "opt",    "models", "model",
      "networks",   "network",    "nets",      "net",       "module", "states", "state"};
  std::string name;
  for (const char c : key.substr(key.rfind('.') + 1))
    name += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const std::string_view word : kSaysNothing)
    for (auto at = name.find(word); at != std::string::npos; at = name.find(word)) name.erase(at, word.size());
  std::erase_if(name, [](char c) { return c == '_' || c == '-' || c == ' '; });
  return name;
}

/// How much the names tell that an optimizer is a network's, from nothing on.
enum class Kinship { AverageOfWeights, AnotherName, NoName, UsualName, SameOwner };

Kinship kinship(const Entry& network, const Entry& optimizer) {
  constexpr std::array<std::string_view, 4> kAverages{"ema", "swa", "average", "avg"};
  const std::string owner = owner_in(network.key);
  if (!owner.empty() && owner == owner_in(optimizer.key)) return Kinship::SameOwner;
  if (is_usual_name(network.key)) return Kinship::UsualName;
  if (owner.empty()) return Kinship::NoName;
  const auto is_in_name = [&](std::string_view word) { return owner.find(word) != std::string::npos; };
  return std::ranges::any_of(kAverages, is_in_name) ? Kinship::AverageOfWeights : Kinship::AnotherName;
}

// An integer, or a tensor of one.
std::optional<std::int64_t> epoch_of(const TorchFile& file, const pickle::Value& value) {
  if (const auto* epoch = value.as<std::int64_t>()) return *epoch;
  if (!is_tensor(value)) return std::nullopt;
  const Tensor tensor = file.tensor(value, "epoch");
  const bool is_whole = name_of(tensor.dtype()).find("int") != std::string_view::npos;
  if (tensor.element_count() != 1 || !is_whole) return std::nullopt;
  return cast(tensor, DType::Int64).values<std::int64_t>()[0];
}

std::optional<double> loss_of(const TorchFile& file, const pickle::Value& value) {
  if (!is_tensor(value)) return pickle::number(value);
  const Tensor tensor = file.tensor(value, "loss");
  if (tensor.element_count() != 1) return std::nullopt;
  return cast(tensor, DType::Float64).values<double>()[0];
}

Weights read_weights(const TorchFile& file, const Entry& holder) {
  Weights weights;
  for (const auto& [name, value] : state_of(*holder.value)) {
    if (!name.starts_with(holder.prefix)) continue;
    if (is_uninitialised(*value))
      throw Unsupported("'" + name +
                        "' is of a module that is lazy, and has no size before that was called once: call "
                        "it and save it again");
    if (!is_tensor(*value))
      throw Unsupported("'" + name + "' is " + pickle::describe(*value) +
                        ", the extra state of a module, and no tensor");
    weights.add(name.substr(holder.prefix.size()), file.tensor(*value, name));
  }
  return weights;
}

/// Whether JSON has all of it, and tells lists and dicts from what they resemble. Of a value that has become JSON, so
/// that it is neither too deep nor too large.
bool is_plain(const pickle::Value& value) {
  if (const auto* list = value.as<pickle::List>())
    return std::ranges::all_of(list->items, [](const Ref item) { return is_plain(*item); });
  if (const auto* dict = value.as<Dict>()) {
    std::set<std::string_view> names;
    for (const auto& [key, item] : dict->items)
      if (const auto* name = key->as<std::string>(); !name || !names.insert(*name).second || !is_plain(*item))
        return false;
    return !dict->state;
  }
  return value.as<pickle::None>() || value.as<bool>() || value.as<std::int64_t>() || value.as<double>() ||
         value.as<std::string>();
}

/// Takes what it knows of a checkpoint's entries; the others become metadata.
class CheckpointReader {
 public:
  CheckpointReader(const TorchFile& file, const Entry& state_dict) : file_(file), state_dict_(state_dict) {}

  void read_into(Model& model, const TorchReadOptions& options) {
    const bool with_optimizer = options.optimizer;
    Training training;
    const std::vector<Entry> found = chosen_optimizers(model, options);
    if (const std::vector<Entry> owners = other_owners(found, options); !owners.empty()) {
      model.notes.push_back("the optimizer is left out: '" + place_of(found[0]) + "' fits " + quoted(names_of(owners)) +
                            ", too, and its name does not say that it is that of '" + state_dict_.key +
                            "'; LoadOptions::optimizer_key takes it");
    } else if (found.size() == 1) {
      if (with_optimizer) training.optimizer = read_optimizer(file_, *found[0].value);
      if (training.optimizer || !with_optimizer) take("optimizer", found[0].key);
      if (!training.optimizer && with_optimizer) model.optimizer_left_out = "'" + found[0].key + "' " + kNoNumbers;
    } else if (found.size() > 1 && with_optimizer) {
      model.optimizer_left_out =
          "there are several, " + quoted(places_of(found)) +
          "; LoadOptions::optimizer_key chooses one, LoadOptions::optimizer = false leaves them out";
    }
    for (const Entry& entry : entries_of(file_.root())) {
      if (entry.key == "epoch") {
        training.epoch = epoch_of(file_, *entry.value);
        if (training.epoch) take("epoch", entry.key);
      } else if (entry.key == "loss") {
        training.loss = loss_of(file_, *entry.value);
        if (training.loss) take("loss", entry.key);
      }
    }
    if (!keys_.empty()) model.training = std::move(training);
    take("state_dict", state_dict_.key);

    std::vector<Json::Member> rest;
    Json::Array described;
    std::set<std::string> left_out;
    for (const auto& [key, value] : entries_by_name()) {
      try {
        rest.emplace_back(key, file_.to_json(*value));
        if (!is_plain(*value)) described.push_back(key);
      } catch (const MalformedFile&) {
        left_out.insert(key);
      }
    }
    for (const std::string& key : left_out)
      model.notes.push_back("the entry '" + shortened(key) +
                            "' holds more values, or nests them deeper, than are kept beside a model: it is left out");
    Json::Object metadata{{"keys", std::move(keys_)}};
    if (!rest.empty()) metadata.set("checkpoint", Json::Object(std::move(rest)));
    if (!described.empty()) metadata.set("described", std::move(described));
    model.metadata.set("torch", std::move(metadata));
  }

 private:
  // What no other place was found for; where a key comes twice the last one counts.
  std::vector<std::pair<std::string, Ref>> entries_by_name() const {
    std::vector<std::pair<std::string, Ref>> result;
    std::map<std::string, std::size_t> places;
    for (const Entry& entry : entries_of(file_.root())) {
      if (std::ranges::count(taken_, entry.key)) continue;
      const auto [place, is_new] = places.emplace(entry.key, result.size());
      if (is_new)
        result.emplace_back(entry.key, entry.value);
      else
        result[place->second].second = entry.value;
    }
    return result;
  }

  // Of several, the one whose parameters alone may be those of the state_dict: of a generator and a discriminator, that
  // of the one that was chosen.
  std::vector<Entry> chosen_optimizers(Model& model, const TorchReadOptions& options) const {
    std::vector<Entry> found = optimizers_for(state_dict_, file_.root(), options.optimizer_key);
    if (found.size() < 2 || !options.optimizer) return found;
    std::vector<Entry> fitting;
    for (const Entry& entry : found) {
      const std::optional<Optimizer> optimizer = read_optimizer(file_, *entry.value);
      if (!optimizer || fits_state_dict(*optimizer, model.weights)) fitting.push_back(entry);
    }
    const auto is_namesake = [&](const Entry& entry) { return kinship(state_dict_, entry) == Kinship::SameOwner; };
    const bool is_named = fitting.size() > 1 && std::ranges::count_if(fitting, is_namesake) == 1;
    if (is_named) fitting = {*std::ranges::find_if(fitting, is_namesake)};
    if (fitting.size() != 1) return found;
    model.notes.push_back("of the optimizers " + quoted(places_of(found)) + " the state of '" + place_of(fitting[0]) +
                          "' is taken, which " + (is_named ? "by its name is that" : "alone fits the parameters") +
                          " of '" + state_dict_.key + "'");
    return fitting;
  }

  // The other networks of the file that an optimizer fits and may be that of, by the names as much as the chosen one.
  std::vector<Entry> other_owners(const std::vector<Entry>& found, const TorchReadOptions& options) const {
    if (found.size() != 1 || !options.optimizer || !options.optimizer_key.empty()) return {};
    const Entry& entry = found[0];
    const std::optional<Optimizer> optimizer = read_optimizer(file_, *entry.value);
    if (!optimizer) return {};
    std::vector<Entry> networks;
    find_state_dicts({"", &file_.root()}, networks);
    drop_lookalikes(networks);
    std::erase_if(networks, [&](const Entry& network) {
      if (network.value == state_dict_.value || kinship(network, entry) < kinship(state_dict_, entry)) return true;
      const std::vector<Entry> near = optimizers_for(network, file_.root(), "");
      return std::ranges::count(near, place_of(entry), place_of) == 0 || !fits(*optimizer, network);
    });
    return networks;
  }

  bool fits(const Optimizer& optimizer, const Entry& network) const {
    try {
      return fits_state_dict(optimizer, read_weights(file_, network));
    } catch (const Unsupported&) {  // of a network that is not the one to be read
      return false;
    }
  }

  void take(const char* part, const std::string& key) {
    keys_.set(part, key);
    taken_.push_back(key);
  }

  const TorchFile& file_;
  const Entry& state_dict_;
  Json::Object keys_;
  std::vector<std::string> taken_;
};

}  // namespace

std::optional<OptimizerFile> read_optimizer_file(const TorchFile& file, const std::string& key) {
  std::vector<Entry> found{{"", &file.root()}};
  if (!is_optimizer_state(file.root())) {
    std::vector<Entry> state_dicts;
    find_state_dicts(found[0], state_dicts);
    if (!state_dicts.empty()) return std::nullopt;
    found.clear();
    find_optimizers({"", &file.root()}, found);
    if (found.empty()) return std::nullopt;
    if (!key.empty()) found = {optimizer_called(key, found)};
  }
  if (found.size() > 1)
    throw UsageError("several entries could be the optimizer: " + quoted(places_of(found)) +
                     "; choose one with LoadOptions::optimizer_key");
  OptimizerFile result{read_optimizer(file, *found[0].value), ""};
  if (!result.optimizer) result.left_out = std::string("its file ") + kNoNumbers;
  return result;
}

std::map<std::string, std::size_t> state_dict_keys(const TorchFile& file) {
  constexpr std::size_t kMostParts = 8;
  std::vector<Entry> found;
  find_state_dicts({"", &file.root()}, found);
  std::map<std::string, std::size_t> keys;
  for (const Entry& entry : found) keys[entry.key] = state_of(*entry.value).size();
  if (found.size() != 1 || !found[0].value->as<Dict>()) return keys;
  // Several networks in one state_dict have a first name each.
  std::map<std::string, std::size_t> parts;
  for (const auto& [name, value] : state_of(*found[0].value)) ++parts[name.substr(0, name.find('.'))];
  if (parts.size() > 1 && parts.size() <= kMostParts)
    for (const auto& [name, count] : parts)
      if (!follow(file.root(), name) && part_named(file.root(), name)) keys.emplace(name, count);
  return keys;
}

Model read_torch_file(const TorchFile& torch, const TorchReadOptions& options) {
  const Entry entry = find_state_dict(torch.root(), options.key);

  Model model;
  model.framework = Framework::Torch;
  model.format = "torch";
  model.weights = read_weights(torch, entry);
  if (!entry.key.empty()) CheckpointReader(torch, entry).read_into(model, options);
  const auto note = [&](const char* member, Json value) {
    if (!model.metadata.contains("torch")) model.metadata.set("torch", Json::Object{});
    model.metadata.find("torch")->as_object().set(member, std::move(value));
  };
  if (const auto* state_dict = entry.value->as<Dict>(); !state_dict) {
    note("module", module_class(*entry.value));
    model.metadata.set("modules", describe_modules(torch, *entry.value));
    try {
      model.architecture = architecture_of_module(torch, *entry.value, options.fix_sizes);
    } catch (const Unsupported& error) {
      note("no_architecture", error.what());
      model.notes.push_back(
          "of the pickled module " + shortened(module_class(*entry.value)) +
          " the tensors are read; its code is not run, and its settings are left out: " + error.what());
    }
  } else if (has_metadata(*state_dict) && entry.prefix.empty()) {
    note("state_dict_metadata", torch.to_json(*pickle::find(*state_dict->state->as<Dict>(), "_metadata")));
  }
  return model;
}

}  // namespace h5bridge
