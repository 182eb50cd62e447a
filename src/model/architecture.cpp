#include "h5bridge/architecture.h"

#include <algorithm>

#include "h5bridge/error.h"
#include "model/open_integer.h"
#include "model/work_counts.h"

namespace h5bridge {
namespace {

/// The first of `items` whose `name` is this, or nullptr.
template <typename Items>
auto* find_named(Items& items, std::string_view name) {
  const auto found = std::ranges::find_if(items, [&](const auto& item) {
    ++work().names_compared;
    return item.name == name;
  });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

Attributes::Values::const_iterator Attributes::find(std::string_view name) const {
  return std::ranges::find(*this, name, &Values::value_type::first);
}

bool Attributes::contains(std::string_view name) const { return find(name) != end(); }

const AttributeValue& Attributes::at(std::string_view name) const {
  const auto found = find(name);
  if (found == end()) throw UsageError("no attribute '" + std::string(name) + "' is set");
  return found->second;
}

void Attributes::set(std::string_view name, AttributeValue value) {
  const auto place = static_cast<std::size_t>(find(name) - begin());
  Values& values = values_.write();
  if (place < values.size()) {
    values[place].second = std::move(value);
    return;
  }
  values.reserve(values.size() + 1);  // a layer has few, and a model may have many layers
  values.emplace_back(name, std::move(value));
}

Size Attributes::open_integer(std::string_view name) const {
  const auto* open = std::get_if<Size>(&at(name));
  return open ? *open : Size(integer(name));
}

SymbolicShape Attributes::open_integers(std::string_view name) const {
  if (const auto* open = std::get_if<SymbolicShape>(&at(name))) return *open;
  const std::vector<std::int64_t>& known = integers(name);
  return {known.begin(), known.end()};
}

void Attributes::throw_wrong_kind(std::string_view name) const {
  if (const auto* open = std::get_if<Size>(&at(name))) throw OpenInteger(name, "(" + open->str() + ")");
  if (const auto* open = std::get_if<SymbolicShape>(&at(name)); open && !fixed(*open))
    throw OpenInteger(name, to_string(*open));
  throw UsageError("attribute '" + std::string(name) + "' is set with a value of another kind");
}

std::vector<Value> Node::values() const {
  std::vector<Value> result;
  for (const Node::Argument& argument : arguments) {
    if (const auto* value = std::get_if<Value>(&argument)) result.push_back(*value);
    if (const auto* list = std::get_if<Node::List>(&argument))
      for (const std::optional<Value>& value : *list)
        if (value) result.push_back(*value);
  }
  return result;
}

std::vector<Value> ScopeCall::values() const {
  std::vector<Value> result = arguments;
  result.insert(result.end(), results.begin(), results.end());
  for (const std::optional<Value>& mask : masks)
    if (mask) result.push_back(*mask);
  return result;
}

Layer as_called(Layer layer, const Node& node) {
  for (const auto& [name, value] : node.attributes) layer.attributes.set(name, value);
  return layer;
}

const Layer* Architecture::find_layer(std::string_view wanted) const { return find_named(layers, wanted); }
Layer* Architecture::find_layer(std::string_view wanted) { return find_named(layers, wanted); }
const Input* Architecture::find_input(std::string_view wanted) const { return find_named(inputs, wanted); }
const Node* Architecture::find_node(std::string_view wanted) const { return find_named(nodes, wanted); }

const Layer& Architecture::layer_of(const Node& node) const {
  // Layers are mostly listed in the order of their calls: the one at the call's own place is tried before all others.
  if (!nodes.empty() && &node >= nodes.data() && &node < nodes.data() + nodes.size()) {
    const auto place = static_cast<std::size_t>(&node - nodes.data());
    if (place < layers.size() && layers[place].name == node.layer) return layers[place];
  }
  if (const Layer* layer = find_layer(node.layer)) return *layer;
  throw MalformedFile("node '" + node.name + "' calls the layer '" + node.layer + "', which does not exist");
}

}  // namespace h5bridge
