#include "pytorch/whole_module/pickled_module.h"

#include <algorithm>
#include <array>
#include <set>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using pickle::Dict;
using pickle::Ref;

constexpr int kDeepestModule = 64;
constexpr std::size_t kMostOfModule = 1'000'000;
// A few modules that are held again and again make a tree without end, and names of any length.
constexpr std::size_t kMostUses = 64;             // of each module, on average
constexpr std::size_t kMostRepeated = 10'000;     // modules, before the average counts
constexpr std::size_t kMostOfNames = 16'000'000;  // characters

/// The names of a tree, dotted.
class Paths {
 public:
  std::string within(const std::string& path, const std::string& name) {
    used_ += path.size() + name.size() + 1;
    if (used_ > kMostOfNames)
      throw MalformedFile("the names of modules and tensors have more than " + std::to_string(kMostOfNames) +
                          " characters together");
    return path.empty() ? name : path + "." + name;
  }

 private:
  std::size_t used_ = 0;
};

/// The object's attributes; nullptr if it has none.
const Dict* attributes_of(const pickle::Value& value) {
  const auto* object = value.as<pickle::Object>();
  return object && object->state ? object->state->as<Dict>() : nullptr;
}

/// The class where files before PyTorch 1.6 keep its source beside it: ('module', class, file, source).
const pickle::Global* class_with_source(const pickle::Value& callable) {
  const auto* persistent = callable.as<pickle::Persistent>();
  const auto* id = persistent ? persistent->id->as<pickle::Tuple>() : nullptr;
  return id && id->items.size() >= 2 ? id->items[1]->as<pickle::Global>() : nullptr;
}

/// A member of a module that is a dict of names; nullptr otherwise.
const Dict* members(const Dict& attributes, std::string_view name) {
  const Ref found = pickle::find(attributes, name);
  return found ? found->as<Dict>() : nullptr;
}

/// What such a member holds, without what is None: a layer goes without a parameter so (bias=False).
NamedRefs named_members(const pickle::Value& module, std::string_view name) {
  NamedRefs result;
  const Dict* attributes = attributes_of(module);
  const Dict* dict = attributes ? members(*attributes, name) : nullptr;
  if (!dict) return result;
  for (const auto& [key, value] : dict->items) {
    const auto* text = key->as<std::string>();
    if (!text) throw MalformedFile("a module has a member whose name is " + pickle::describe(*key));
    if (!value->as<pickle::None>()) result.emplace_back(*text, value);
  }
  return result;
}

bool is_in_set(const Dict& attributes, const char* name, const std::string& wanted) {
  const Ref found = pickle::find(attributes, name);
  if (!found) return false;
  const auto* set = found->as<pickle::Set>();
  const auto holds = [&](Ref item) {
    const auto* text = item->as<std::string>();
    return text && *text == wanted;
  };
  if (set) return std::ranges::any_of(set->items, holds);
  // Protocol 2 calls set([...]).
  const auto* object = found->as<pickle::Object>();
  const auto* arguments = object ? pickle::sequence(*object->arguments) : nullptr;
  const auto* items = arguments && arguments->size() == 1 ? pickle::sequence(*arguments->front()) : nullptr;
  return items && std::ranges::any_of(*items, holds);
}

/// Module by module. One that is held twice counts twice.
class ModuleWalk {
 public:
  NamedRefs found;

  void walk(const pickle::Value& module, const std::string& name, int depth) {
    if (found.size() == kMostOfModule)
      throw MalformedFile("there are more than " + std::to_string(kMostOfModule) + " modules");
    distinct_.insert(&module);
    if (found.size() > kMostRepeated && found.size() / kMostUses > distinct_.size())
      throw MalformedFile("there are " + std::to_string(distinct_.size()) + " modules, which are held more than " +
                          std::to_string(found.size()) + " times");
    if (depth == kDeepestModule)
      throw MalformedFile("modules are nested more than " + std::to_string(kDeepestModule) + " deep");
    found.emplace_back(name, &module);
    for (const auto& [child, value] : children_of(module)) walk(*value, paths_.within(name, child), depth + 1);
  }

 private:
  std::set<Ref> distinct_;
  Paths paths_;
};

}  // namespace

bool is_module(const pickle::Value& value) {
  const Dict* attributes = attributes_of(value);
  return attributes && members(*attributes, "_parameters") && members(*attributes, "_buffers") &&
         members(*attributes, "_modules");
}

std::string module_class(const pickle::Value& module) {
  const auto* object = module.as<pickle::Object>();
  if (!object) return "";
  const pickle::Global* global = class_with_source(*object->callable);
  return global ? global->path() : pickle::class_of(module);
}

std::string torch_nn_class(const pickle::Value& module) {
  const std::string path = module_class(module);
  return path.starts_with("torch.nn.modules.") ? path.substr(path.rfind('.') + 1) : "";
}

NamedRefs modules_in(const pickle::Value& module) {
  ModuleWalk walk;
  walk.walk(module, "", 0);
  return std::move(walk.found);
}

NamedRefs children_of(const pickle::Value& module) {
  NamedRefs result = named_members(module, "_modules");
  std::erase_if(result, [](const auto& member) { return !is_module(*member.second); });
  return result;
}

NamedRefs own_parameters(const pickle::Value& module) { return named_members(module, "_parameters"); }

NamedRefs own_buffers(const pickle::Value& module) {
  NamedRefs result = named_members(module, "_buffers");
  std::erase_if(result, [&](const auto& member) {
    return is_in_set(*attributes_of(module), "_non_persistent_buffers_set", member.first);
  });
  return result;
}

NamedRefs state_of_module(const pickle::Value& module) {
  NamedRefs state;
  Paths paths;
  for (const auto& [name, inner] : modules_in(module))
    for (const NamedRefs& tensors : {own_parameters(*inner), own_buffers(*inner)})
      for (const auto& [tensor, value] : tensors) {
        if (state.size() == kMostOfModule)
          throw MalformedFile("the module has more than " + std::to_string(kMostOfModule) + " tensors");
        state.emplace_back(paths.within(name, tensor), value);
      }
  return state;
}

Ref attribute_of(const pickle::Value& module, std::string_view name) {
  const Dict* attributes = attributes_of(module);
  return attributes ? pickle::find(*attributes, name) : nullptr;
}

bool declares_parameter(const pickle::Value& module, std::string_view name) {
  const Dict* attributes = attributes_of(module);
  const Dict* parameters = attributes ? members(*attributes, "_parameters") : nullptr;
  return parameters && pickle::find(*parameters, name);
}

bool is_uninitialised(const pickle::Value& tensor) {
  const std::string made_by = pickle::class_of(tensor);
  return made_by == "torch.nn.parameter.UninitializedParameter" || made_by == "torch.nn.parameter.UninitializedBuffer";
}

NamedRefs settings_of(const pickle::Value& module) {
  constexpr std::array<std::string_view, 3> kOfEveryModule{"training", "call_super_init", "dump_patches"};
  NamedRefs result;
  const Dict* attributes = attributes_of(module);
  if (!attributes) return result;
  for (const auto& [key, value] : attributes->items)
    if (const auto* name = key->as<std::string>();
        name && !name->starts_with("_") && std::ranges::count(kOfEveryModule, *name) == 0)
      result.emplace_back(*name, value);
  return result;
}

}  // namespace h5bridge
