#include "convert/architecture_json.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/from_keras_1/keras_0.h"
#include "model/architecture_index.h"
#include "model/keras_origin.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::int64_t kNewestVersion = 2;

void refuse_unknown(const Json::Object& object, std::initializer_list<std::string_view> known,
                    const std::string& where) {
  for (const auto& [name, value] : object)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw MalformedFile(where + " has an unknown member \"" + shortened(name) + "\"");
}

Value value_from(const Json& json) {
  const std::string& text = json.as_string();
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {text, 0};
  std::int64_t output = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, output);
  if (error != std::errc() || rest != end || output < 0)
    throw MalformedFile("\"" + shortened(text) + "\" is no value: a number is expected behind the ':'");
  return {text.substr(0, colon), output};
}

Json value_to(const Value& value) {
  return value.output == 0 ? value.node : value.node + ":" + std::to_string(value.output);
}

// Null stands for what is left out.
Node::List list_from(const Json& json) {
  Node::List result;
  for (const Json& value : json.as_array())
    result.push_back(value.is_null() ? std::nullopt : std::optional(value_from(value)));
  return result;
}

Json list_to(const Node::List& list) {
  Json::Array result;
  for (const std::optional<Value>& value : list) result.push_back(value ? value_to(*value) : Json());
  return result;
}

SymbolicShape shape_from(const Json& json) {
  SymbolicShape result;
  for (const Json& size : json.as_array()) {
    result.push_back(size.is_string() ? Size::parse(size.as_string()) : Size(size.as_integer()));
    if (const auto number = result.back().value(); number && *number < 0)
      throw MalformedFile("a size is " + std::to_string(*number));
  }
  return result;
}

Json shape_to(const SymbolicShape& shape) {
  Json::Array result;
  for (const Size& size : shape) result.push_back(size.value() ? Json(*size.value()) : Json(size.str()));
  return result;
}

Input input_from(const Json& json) {
  refuse_unknown(json.as_object(), {"name", "shape", "dtype"}, "an input");
  Input input{json.at("name").as_string(), shape_from(json.at("shape")), DType::Float32};
  if (const Json* dtype = json.find("dtype")) {
    const auto known = dtype_named(dtype->as_string());
    if (!known) throw MalformedFile("input \"" + shortened(input.name) + "\": no dtype is called " + quoted(*dtype));
    input.dtype = *known;
  }
  return input;
}

Layer layer_from(const Json& entry, const std::string& name) {
  Layer layer{name, entry.at("type").as_string(), {}, {}};
  const Json* attributes = entry.find("attributes");
  // Types that are not known are reported together, when the graph is checked.
  if (const LayerType* type = Registry::instance().find(layer.type))
    layer.attributes =
        attributes_from_json(*type, attributes ? attributes->as_object() : Json::Object{}, describe(layer));
  if (const Json* keras = entry.find("keras"))
    layer.keras = in_file(describe(layer) + ": \"keras\"", [&] { return keras_origin_from_json(keras->as_object()); });
  return layer;
}

// Reads the entries of "layers", in order.
class EntryReader {
 public:
  explicit EntryReader(Architecture& architecture) : architecture_(architecture) {}

  void add(const Json& entry) {
    refuse_unknown(entry.as_object(),
                   {"name", "type", "layer", "call", "attributes", "inputs", "named_inputs", "part_of", "keras"},
                   "a layer");
    const std::string& name = entry.at("name").as_string();
    const Json* call = entry.find("call");
    if (call && entry.find("type"))
      throw MalformedFile("\"" + shortened(name) + "\" has both a \"type\" and a \"call\"");
    const Json* own = entry.find("layer");
    if (call && own) throw MalformedFile("\"" + shortened(name) + "\" has both a \"layer\" and a \"call\"");
    const std::string& layer = call ? call->as_string() : own ? own->as_string() : name;
    if (!call) {
      places_.try_emplace(layer, architecture_.layers.size());
      architecture_.layers.push_back(layer_from(entry, layer));
    }
    architecture_.nodes.push_back(node_from(name, layer, taken(entry)));
    if (const Json* part_of = entry.find("part_of")) architecture_.nodes.back().scope_call = part_of->as_string();
    if (const Json* attributes = entry.find("attributes"); call && attributes)
      set_attributes(architecture_.nodes.back(), attributes->as_object());
  }

 private:
  PlainCall taken(const Json& entry) const {
    PlainCall result;
    if (const Json* inputs = entry.find("inputs")) {
      for (const Json& input : inputs->as_array()) result.inputs.push_back(value_from(input));
    } else if (!architecture_.nodes.empty()) {
      result.inputs.push_back({architecture_.nodes.back().name, 0});
    } else if (!architecture_.inputs.empty()) {
      result.inputs.push_back({architecture_.inputs[0].name, 0});
    }
    const Json* named = entry.find("named_inputs");
    for (const auto& [argument, value] : named ? named->as_object() : Json::Object{})
      result.named.emplace_back(argument, value_from(value));
    return result;
  }

  const Layer* layer_called(const std::string& name) const {
    const auto place = places_.find(name);
    const Layer* layer = place == places_.end() ? nullptr : &architecture_.layers[place->second];
    return layer && Registry::instance().find(layer->type) ? layer : nullptr;
  }

  void set_attributes(Node& node, const Json::Object& attributes) const {
    if (const Layer* layer = layer_called(node.layer))
      node.attributes = call_attributes_from_json(Registry::instance().type_of(*layer), attributes, layer->attributes,
                                                  describe(*layer) + ", called by \"" + shortened(node.name) + "\"");
  }

  // That a layer is missing or its type not known is told when the graph is checked.
  Node node_from(const std::string& name, const std::string& layer, const PlainCall& call) const {
    const Layer* called = layer_called(layer);
    if (!called) return {name, layer, arguments_of({}, {}, {call.inputs})};
    try {
      return node_of(name, *called, call);
    } catch (const Error& error) {
      rethrow_in_file(error, describe(*called));
    }
  }

  Architecture& architecture_;
  std::unordered_map<std::string, std::size_t> places_;  // of the layers
};

std::vector<std::string> texts_from(const Json* list) {
  std::vector<std::string> result;
  if (!list) return result;
  for (const Json& text : list->as_array()) result.push_back(text.as_string());
  return result;
}

std::vector<Value> values_from(const Json& list) {
  std::vector<Value> result;
  for (const Json& value : list.as_array()) result.push_back(value_from(value));
  return result;
}

Json values_to(const std::vector<Value>& values) {
  Json::Array result;
  for (const Value& value : values) result.push_back(value_to(value));
  return result;
}

Json input_to(const Input& input) {
  return Json::Object{{"name", input.name}, {"shape", shape_to(input.shape)}, {"dtype", name_of(input.dtype)}};
}

// A scope stands with its calls.
void add_scope(const Json& entry, Architecture& architecture) {
  refuse_unknown(entry.as_object(), {"name", "inputs", "calls", "keras"}, "a scope");
  Scope scope{entry.at("name").as_string(), {}, {}};
  for (const Json& input : entry.at("inputs").as_array()) scope.inputs.push_back(input_from(input));
  if (const Json* keras = entry.find("keras"))
    scope.keras = in_file("scope \"" + shortened(scope.name) + "\": \"keras\"",
                          [&] { return keras_model_origin_from_json(keras->as_object()); });
  for (const Json& call : entry.at("calls").as_array()) {
    refuse_unknown(call.as_object(), {"name", "part_of", "arguments", "results", "masks", "keras_arguments"},
                   "a call of a scope");
    ScopeCall made{call.at("name").as_string(),     scope.name, "", values_from(call.at("arguments")),
                   values_from(call.at("results")), {},         {}};
    if (const Json* masks = call.find("masks")) made.masks = list_from(*masks);
    if (const Json* part_of = call.find("part_of")) made.parent = part_of->as_string();
    if (const Json* further = call.find("keras_arguments")) made.keras_arguments = further->as_object();
    architecture.scope_calls.push_back(std::move(made));
  }
  architecture.scopes.push_back(std::move(scope));
}

Json scope_to(const Scope& scope, const std::vector<ScopeCall>& calls) {
  Json::Array inputs, made;
  for (const Input& input : scope.inputs) inputs.push_back(input_to(input));
  for (const ScopeCall& call : calls) {
    if (call.scope != scope.name) continue;
    Json::Object entry{{"name", call.name}};
    if (!call.parent.empty()) entry.set("part_of", call.parent);
    entry.set("arguments", values_to(call.arguments));
    entry.set("results", values_to(call.results));
    if (!call.masks.empty()) entry.set("masks", list_to(call.masks));
    if (!call.keras_arguments.empty()) entry.set("keras_arguments", call.keras_arguments);
    made.push_back(std::move(entry));
  }
  Json::Object result{{"name", scope.name}, {"inputs", std::move(inputs)}, {"calls", std::move(made)}};
  if (Json::Object keras = keras_model_origin_to_json(scope.keras); !keras.empty())
    result.set("keras", std::move(keras));
  return result;
}

// A list of texts, where there are any.
void set_texts(Json::Object& object, const char* member, const std::vector<std::string>& texts) {
  if (!texts.empty()) object.set(member, Json::Array(texts.begin(), texts.end()));
}

// The first call of a layer defines it.
bool is_definition(const ArchitectureIndex& index, const Node& node) {
  return index.calls_of(node.layer).front() == &node;
}

// What a call has otherwise than the one that defines its layer.
Json::Object own_attributes(const ArchitectureIndex& index, const Node& node) {
  const Layer& defined = index.layer_of(*index.calls_of(node.layer).front());
  const Layer& called = index.layer_of(node);
  Json::Object result;
  for (const AttributeSpec& spec : Registry::instance().type_of(called).attributes)
    if (const AttributeValue& value = called.attributes.at(spec.name); value != defined.attributes.at(spec.name))
      result.set(spec.name, spec.kind->write(value));
  return result;
}

// `index` is that of the architecture.
Json entry_of(const ArchitectureIndex& index, const Node& node) {
  Json::Object entry{{"name", node.name}};
  if (is_definition(index, node)) {
    const Layer& layer = index.layer_of(node);
    entry.set("type", layer.type);
    if (node.name != layer.name) entry.set("layer", layer.name);
    Json::Object attributes = attributes_to_json(Registry::instance().type_of(layer), layer.attributes);
    if (!attributes.empty()) entry.set("attributes", std::move(attributes));
    if (Json::Object keras = keras_origin_to_json(layer.keras); !keras.empty()) entry.set("keras", std::move(keras));
  } else {
    entry.set("call", node.layer);
    if (Json::Object attributes = own_attributes(index, node); !attributes.empty())
      entry.set("attributes", std::move(attributes));
  }
  const PlainCall call = plain_call(index.layer_of(node), node);
  Json::Array inputs;
  for (const Value& value : call.inputs) inputs.push_back(value_to(value));
  entry.set("inputs", std::move(inputs));
  Json::Object named;
  for (const auto& [argument, value] : call.named) named.set(argument, value_to(value));
  if (!named.empty()) entry.set("named_inputs", std::move(named));
  if (!node.scope_call.empty()) entry.set("part_of", node.scope_call);
  return entry;
}

// A document is of the lowest version that can say it, so that older programs read what they can.
std::int64_t lowest_version(const Architecture& architecture) {
  std::int64_t version = architecture.scopes.empty() ? 1 : 2;
  for (const Layer& layer : architecture.layers)
    for (const AttributeSpec& spec : Registry::instance().type_of(layer).attributes)
      if (layer.attributes.contains(spec.name))
        version = std::max(version, spec.kind->since(layer.attributes.at(spec.name)));
  const ArchitectureIndex index(architecture);
  const auto wants_more = [&](const Node& node) {
    return !node.attributes.empty() || (is_definition(index, node) && node.name != node.layer);
  };
  if (std::ranges::any_of(architecture.nodes, wants_more)) version = std::max<std::int64_t>(version, 2);
  return version;
}

}  // namespace

bool looks_like_architecture(const Json& json) { return json.find("h5bridge") != nullptr; }

bool looks_like_keras_config(const Json& json) {
  return (json.find("class_name") && json.find("config")) || is_keras_0(json);
}

Architecture architecture_from_json(const Json& json) {
  refuse_unknown(json.as_object(),
                 {"h5bridge", "name", "inputs", "layers", "outputs", "aliases", "unused", "state_dict", "buffers",
                  "frozen", "tied", "notes", "scopes", "keras"},
                 "the architecture");
  if (const std::int64_t version = json.at("h5bridge").as_integer(); version < 1 || version > kNewestVersion)
    throw Unsupported("the architecture is of version " + std::to_string(version) + ", expected 1 to " +
                      std::to_string(kNewestVersion) + "; a newer h5bridge may read it");
  Architecture architecture;
  if (const Json* name = json.find("name")) architecture.name = name->as_string();
  for (const Json& input : json.at("inputs").as_array()) architecture.inputs.push_back(input_from(input));
  EntryReader entries(architecture);
  for (const Json& entry : json.at("layers").as_array()) entries.add(entry);
  architecture.layers.shrink_to_fit();
  architecture.nodes.shrink_to_fit();
  const Json& outputs = json.at("outputs");
  if (outputs.is_object()) {
    for (const auto& [name, value] : outputs.as_object()) architecture.outputs.push_back({name, value_from(value)});
  } else {
    for (const Json& value : outputs.as_array()) architecture.outputs.push_back({"", value_from(value)});
  }
  if (const Json* aliases = json.find("aliases"))
    for (const auto& [alias, name] : aliases->as_object()) architecture.aliases.emplace_back(alias, name.as_string());
  architecture.unused = texts_from(json.find("unused"));
  architecture.state_dict = texts_from(json.find("state_dict"));
  architecture.buffers = texts_from(json.find("buffers"));
  architecture.frozen = texts_from(json.find("frozen"));
  if (const Json* tied = json.find("tied"))
    for (const Json& group : tied->as_array()) architecture.ties.push_back(texts_from(&group));
  architecture.notes = texts_from(json.find("notes"));
  if (const Json* scopes = json.find("scopes"))
    for (const Json& scope : scopes->as_array()) add_scope(scope, architecture);
  if (const Json* keras = json.find("keras"))
    architecture.keras =
        in_file("\"keras\" of the architecture", [&] { return keras_model_origin_from_json(keras->as_object()); });
  return architecture;
}

Json architecture_to_json(const Architecture& architecture) {
  Json::Array inputs;
  for (const Input& input : architecture.inputs) inputs.push_back(input_to(input));
  Json::Array layers;
  const ArchitectureIndex index(architecture);
  for (const Node& node : architecture.nodes) layers.push_back(entry_of(index, node));
  Json::Object result{{"h5bridge", lowest_version(architecture)},
                      {"name", architecture.name},
                      {"inputs", std::move(inputs)},
                      {"layers", std::move(layers)}};
  const bool named = !architecture.outputs.empty() && !architecture.outputs[0].name.empty();
  if (named) {
    Json::Object outputs;
    for (const Output& output : architecture.outputs) outputs.set(output.name, value_to(output.value));
    result.set("outputs", std::move(outputs));
  } else {
    Json::Array outputs;
    for (const Output& output : architecture.outputs) outputs.push_back(value_to(output.value));
    result.set("outputs", std::move(outputs));
  }
  if (!architecture.aliases.empty()) {
    Json::Object aliases;
    for (const auto& [alias, name] : architecture.aliases) aliases.set(alias, name);
    result.set("aliases", std::move(aliases));
  }
  set_texts(result, "unused", architecture.unused);
  set_texts(result, "state_dict", architecture.state_dict);
  set_texts(result, "buffers", architecture.buffers);
  set_texts(result, "frozen", architecture.frozen);
  if (!architecture.ties.empty()) {
    Json::Array tied;
    for (const auto& group : architecture.ties) tied.push_back(Json::Array(group.begin(), group.end()));
    result.set("tied", std::move(tied));
  }
  set_texts(result, "notes", architecture.notes);
  if (!architecture.scopes.empty()) {
    Json::Array scopes;
    for (const Scope& scope : architecture.scopes) scopes.push_back(scope_to(scope, architecture.scope_calls));
    result.set("scopes", std::move(scopes));
  }
  if (Json::Object keras = keras_model_origin_to_json(architecture.keras); !keras.empty())
    result.set("keras", std::move(keras));
  return result;
}

}  // namespace h5bridge
