#include "passes/scopes.h"

#include <map>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

std::string described(const ScopeCall& call) {
  return "the call \"" + shortened(call.name) + "\" of the scope \"" + shortened(call.scope) + "\"";
}

}  // namespace

void check_scopes(const Architecture& architecture) {
  std::map<std::string_view, const Scope*> scopes;
  for (const Scope& scope : architecture.scopes)
    if (scope.name.empty() || !scopes.emplace(scope.name, &scope).second)
      throw MalformedFile("the scope \"" + shortened(scope.name) + "\" is defined twice, or has no name");
  std::map<std::string_view, const ScopeCall*> calls;
  for (const ScopeCall& call : architecture.scope_calls)
    if (call.name.empty() || !calls.emplace(call.name, &call).second)
      throw MalformedFile(described(call) + " is there twice, or has no name");
  std::set<std::string_view> values;
  for (const Input& input : architecture.inputs) values.insert(input.name);
  for (const Node& node : architecture.nodes) {
    values.insert(node.name);
    if (!node.scope_call.empty() && !calls.contains(node.scope_call))
      throw MalformedFile("\"" + shortened(node.name) + "\" is a part of \"" + shortened(node.scope_call) +
                          "\", which is no call of a scope");
  }
  std::map<std::string_view, std::size_t> results;
  for (const ScopeCall& call : architecture.scope_calls) {
    const auto scope = scopes.find(call.scope);
    if (scope == scopes.end()) throw MalformedFile(described(call) + ": there is no such scope");
    if (call.arguments.size() != scope->second->inputs.size())
      throw MalformedFile(described(call) + " has " + std::to_string(call.arguments.size()) + " arguments, expected " +
                          std::to_string(scope->second->inputs.size()));
    if (results.try_emplace(call.scope, call.results.size()).first->second != call.results.size())
      throw MalformedFile(described(call) + " has another number of results than one before it");
    if (call.masks.size() > call.arguments.size())
      throw MalformedFile(described(call) + " has more masks than arguments");
    for (const Value& value : call.values())
      if (!values.contains(value.node))
        throw MalformedFile(described(call) + " names \"" + shortened(value.node) +
                            "\", which no input or layer makes");
    std::size_t levels = 0;
    for (std::string_view outer = call.parent; !outer.empty();) {
      const auto parent = calls.find(outer);
      if (parent == calls.end())
        throw MalformedFile(described(call) + " is a part of \"" + shortened(std::string(outer)) +
                            "\", which is no call of a scope");
      if (++levels > calls.size()) throw MalformedFile(described(call) + " is a part of itself");
      outer = parent->second->parent;
    }
  }
}

}  // namespace h5bridge
