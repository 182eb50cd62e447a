#include "pytorch/module.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using pickle::Dict;
using pickle::Ref;

constexpr int kDeepestModule = 64;
constexpr std::size_t kMostOfModule = 1'000'000;

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
const Dict* members(const Dict& attributes, const char* name) {
  const Ref found = pickle::find(attributes, name);
  return found ? found->as<Dict>() : nullptr;
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

class StateCollector {
 public:
  std::vector<std::pair<std::string, Ref>> found;

  void collect(const pickle::Value& module, const std::string& prefix, int depth) {
    if (++modules_ > kMostOfModule)
      throw MalformedFile("there are more than " + std::to_string(kMostOfModule) + " modules");
    if (depth == kDeepestModule)
      throw MalformedFile("modules are nested more than " + std::to_string(kDeepestModule) + " deep");
    const Dict& attributes = *attributes_of(module);
    for_each(members(attributes, "_parameters"),
             [&](const std::string& name, Ref value) { add(prefix + name, value); });
    for_each(members(attributes, "_buffers"), [&](const std::string& name, Ref value) {
      if (!is_in_set(attributes, "_non_persistent_buffers_set", name)) add(prefix + name, value);
    });
    for_each(members(attributes, "_modules"), [&](const std::string& name, Ref value) {
      if (is_module(*value)) collect(*value, prefix + name + ".", depth + 1);
    });
  }

 private:
  template <typename Visit>
  static void for_each(const Dict* dict, Visit&& visit) {
    if (!dict) return;
    for (const auto& [key, value] : dict->items) {
      const auto* name = key->template as<std::string>();
      if (!name) throw MalformedFile("a module has a member whose name is " + pickle::describe(*key));
      visit(*name, value);
    }
  }

  /// A parameter that a layer goes without (bias=False) is None.
  void add(const std::string& name, Ref value) {
    if (value->as<pickle::None>()) return;
    if (found.size() == kMostOfModule)
      throw MalformedFile("the module has more than " + std::to_string(kMostOfModule) + " tensors");
    found.emplace_back(name, value);
  }

  std::size_t modules_ = 0;  // a module that is held twice counts twice
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

std::vector<std::pair<std::string, Ref>> state_of_module(const pickle::Value& module) {
  StateCollector collector;
  collector.collect(module, "", 0);
  return std::move(collector.found);
}

}  // namespace h5bridge
