#include "passes/infer_shapes.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "model/did_you_mean.h"
#include "model/model_itself.h"
#include "model/quoted.h"
#include "passes/infer_types.h"
#include "passes/scopes.h"

namespace h5bridge {
namespace {

void check_types(const Architecture& architecture) {
  std::vector<std::string> unknown, types;
  for (const Layer& layer : architecture.layers)
    if (!Registry::instance().find(layer.type)) {
      unknown.push_back(layer.name == layer.type ? shortened(layer.type)
                                                 : shortened(layer.type) + " (\"" + shortened(layer.name) + "\")");
      types.push_back(layer.type);
    }
  if (unknown.empty()) return;
  std::vector<std::string> known;
  if (types.size() == 1)
    for (const Family& family : Registry::instance().families())
      for (const LayerType& type : family.types) known.push_back(type.name);
  throw Unsupported("there is no layer type yet for " + joined(unknown) + did_you_mean(types[0], known));
}

std::vector<std::string> symbols_in(const AttributeValue& value) {
  if (const auto* one = std::get_if<Size>(&value)) return one->symbols();
  std::vector<std::string> result;
  if (const auto* several = std::get_if<SymbolicShape>(&value))
    for (const Size& size : *several)
      for (std::string& symbol : size.symbols()) result.push_back(std::move(symbol));
  return result;
}

// That the inputs tell every integer that is open.
void check_open_integers(const Architecture& architecture) {
  const ArchitectureIndex index(architecture);
  std::set<std::string> known;
  for (const Input& input : architecture.inputs)
    for (const Size& size : input.shape)
      for (const std::string& symbol : size.symbols()) known.insert(symbol);
  const auto check = [&](const Layer& layer, const Attributes& attributes) {
    for (const std::string& name : open_integers(Registry::instance().type_of(layer), attributes))
      for (const std::string& symbol : symbols_in(attributes.at(name)))
        if (!known.contains(symbol))
          throw MalformedFile(describe(layer) + ": attribute \"" + name + "\" is open with \"" + shortened(symbol) +
                              "\", which is no size of an input");
  };
  for (const Layer& layer : architecture.layers) check(layer, layer.attributes);
  for (const Node& node : architecture.nodes)
    if (!node.attributes.empty()) check(*index.find_layer(node.layer), node.attributes);
}

// No two have the same key.
void check_outputs(const std::vector<Output>& outputs) {
  if (outputs.empty()) throw MalformedFile("the architecture has no outputs");
  std::set<std::string_view> keys;
  for (const Output& output : outputs) {
    if (!output.name.empty() && !keys.insert(output.name).second)
      throw MalformedFile("two outputs have the key \"" + shortened(output.name) + "\"");
  }
}

}  // namespace

void check_graph(const Architecture& architecture) {
  check_types(architecture);
  std::set<std::string> names;
  const auto declare = [&](const std::string& name, const char* what) {
    if (name.empty()) throw MalformedFile(std::string("an unnamed ") + what);
    if (name.find(':') != std::string::npos)
      throw MalformedFile("the name \"" + shortened(name) + "\" has a ':' in it");
    if (!names.insert(name).second) throw MalformedFile("the name \"" + shortened(name) + "\" is used twice");
  };
  const auto use = [&](const Value& value, const std::string& by) {
    if (!names.contains(value.node))
      throw MalformedFile(by + " uses \"" + shortened(value.node) + "\", which no input or earlier layer makes" +
                          did_you_mean(value.node, {names.begin(), names.end()}));
  };
  if (architecture.inputs.empty()) throw MalformedFile("the architecture has no inputs");
  for (const Input& input : architecture.inputs) {
    declare(input.name, "input");
    for (const Size& size : input.shape)
      if (size.value().value_or(0) < 0)
        throw MalformedFile("the input \"" + shortened(input.name) + "\" has a size of " + size.str());
  }
  std::map<std::string_view, const Layer*> layers;
  const Layer* itself = nullptr;
  for (const Layer& layer : architecture.layers) {
    if (is_model_itself(layer.name)) {
      if (itself)
        throw MalformedFile(describe(*itself) + " and " + describe(layer) +
                            " both begin with a dot, as the one layer does that is the model itself");
      itself = &layer;
    }
    if (!layers.emplace(layer.name, &layer).second)
      throw MalformedFile("the layer \"" + shortened(layer.name) + "\" is defined twice");
  }
  for (const Node& node : architecture.nodes) {
    const auto found = layers.find(node.layer);
    if (found == layers.end())
      throw MalformedFile("\"" + shortened(node.name) + "\" calls \"" + shortened(node.layer) +
                          "\", which is no layer");
    const Layer* layer = found->second;
    for (const Value& value : node.values()) use(value, describe(*layer));
    const LayerType& type = Registry::instance().type_of(*layer);
    if (const std::string wrong = wrong_arguments(type.operands, node.arguments); !wrong.empty())
      throw MalformedFile(describe(*layer) + " " + wrong);
    declare(node.name, "layer");
  }
  check_open_integers(architecture);
  check_outputs(architecture.outputs);
  for (const Output& output : architecture.outputs) use(output.value, "the list of outputs");
  check_scopes(architecture);
}

Shapes infer_shapes(const Architecture& architecture) {
  const Types types = infer_types(architecture);
  Shapes shapes;
  const auto take = [&](const std::string& node) {
    std::vector<SymbolicShape> outputs;
    for (const TensorType& type : types.outputs_of(node)) outputs.push_back(type.shape);
    shapes.set(node, std::move(outputs));
  };
  for (const Input& input : architecture.inputs) take(input.name);
  for (const Node& node : architecture.nodes) take(node.name);
  return shapes;
}

void check_tensor_names(const Architecture& architecture) {
  std::vector<std::string> known = architecture.unused;
  for (const NamedParameter& parameter : parameters_of(architecture)) known.push_back(parameter.name);
  for (const auto& [alias, name] : architecture.aliases) known.push_back(alias);
  const std::set<std::string_view> names(known.begin(), known.end());
  const auto check = [&](const std::string& name, const char* member) {
    if (!names.contains(name))
      throw MalformedFile(std::string("\"") + member + "\" has \"" + shortened(name) +
                          "\", which is no tensor of the network" + did_you_mean(name, known));
  };
  for (const std::string& name : architecture.frozen) check(name, "frozen");
  for (const std::string& name : architecture.state_dict) check(name, "state_dict");
  for (const std::string& name : architecture.buffers) check(name, "buffers");
  for (const auto& [alias, name] : architecture.aliases) check(name, "aliases");
  for (const std::vector<std::string>& group : architecture.ties)
    for (const std::string& name : group) check(name, "tied");
}

Architecture checked(Architecture architecture) {
  check_graph(architecture);
  check_tensor_names(architecture);
  infer_shapes(architecture);
  return architecture;
}

Architecture with_all_attributes(Architecture architecture) {
  check_types(architecture);
  for (Layer& layer : architecture.layers)
    layer.attributes = complete_attributes(Registry::instance().type_of(layer), layer.attributes, describe(layer));
  for (Node& node : architecture.nodes) {
    if (node.attributes.empty()) continue;
    const Layer& layer = architecture.layer_of(node);
    node.attributes = complete_call_attributes(Registry::instance().type_of(layer), node.attributes, layer.attributes,
                                               describe(layer) + ", called by \"" + shortened(node.name) + "\"");
  }
  return architecture;
}

std::vector<NamedParameter> parameters_of(const Architecture& architecture) {
  std::vector<NamedParameter> result;
  for (const Layer& layer : architecture.layers) {
    const LayerType& type = Registry::instance().type_of(layer);
    for (ParameterSpec& spec : type.parameters(layer.attributes)) {
      std::string name = tensor_name(layer.name, spec.name);
      result.push_back({std::move(name), std::move(spec)});
    }
  }
  return result;
}

}  // namespace h5bridge
