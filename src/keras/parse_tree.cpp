#include "keras/parse_tree.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ranges>

#include "h5bridge/error.h"
#include "keras/inner_layers.h"
#include "keras/wrappers.h"
#include "model/quoted.h"
#include "model/work_counts.h"

namespace h5bridge {
namespace {

std::string text_of(const Json* json) { return json && json->is_string() ? json->as_string() : ""; }

bool is_model(const Json& entry) {
  const Json* class_name = entry.find("class_name");
  const Json* config = entry.find("config");
  const Json* layers = config ? config->find("layers") : nullptr;
  return class_name && class_name->is_string() && is_model_class(class_name->as_string()) && layers &&
         layers->is_array();
}

const std::string& name_of(const Json& entry) {
  if (const Json* name = entry.find("name"); name && name->is_string()) return name->as_string();
  return entry.at("config").at("name").as_string();
}

// --- Calls ---

bool is_tensor(const Json& json) {
  const Json* class_name = json.find("class_name");
  return class_name && *class_name == Json("__keras_tensor__");
}

bool has_tensors(const Json& json) {
  if (json.is_array()) return std::ranges::any_of(json.as_array(), has_tensors);
  if (!json.is_object()) return false;
  return is_tensor(json) ||
         std::ranges::any_of(json.as_object(), [](const Json::Member& member) { return has_tensors(member.second); });
}

// Of a tensor Keras notes shape and type, too, which are found anew.
KerasArgument parse_argument(const Json& json) {
  if (!has_tensors(json)) return json;
  if (is_tensor(json)) return history_of(json.at("config").at("keras_history"));
  if (json.is_array()) {
    KerasArgument::List list;
    for (const Json& element : json.as_array()) list.push_back(parse_argument(element));
    return list;
  }
  KerasArgument::Dict dict;
  for (const auto& [key, member] : json.as_object()) dict.emplace_back(key, parse_argument(member));
  return dict;
}

KerasCall parse_call(const Json& node) {
  KerasCall call;
  if (node.is_array()) {  // as Keras 1 and 2 have a call that says nothing more: [["x", 0, 0, {}], ...]
    call.hands_mask_on = true;
    for (const Json& input : node.as_array()) {
      call.arguments.emplace_back(history_of(input));
      if (input.as_array().size() > 3)
        for (const auto& [name, argument] : input.as_array()[3].as_object()) call.keywords.emplace_back(name, argument);
    }
    return call;
  }
  call.hands_mask_on = node.find(kHandsMaskOn) != nullptr;
  for (const Json& argument : node.at("args").as_array()) call.arguments.push_back(parse_argument(argument));
  for (const auto& [name, argument] : node.at("kwargs").as_object())
    call.keywords.emplace_back(name, parse_argument(argument));
  return call;
}

// --- Inputs and outputs ---

// Dicts as Keras walks through them.
Json with_sorted_keys(const Json& ports) {
  if (ports.is_array()) {
    Json::Array result;
    for (const Json& element : ports.as_array()) result.push_back(with_sorted_keys(element));
    return result;
  }
  if (!ports.is_object()) return ports;
  std::map<std::string, Json> members;
  for (const auto& [name, member] : ports.as_object()) members[name] = with_sorted_keys(member);
  return Json::Object(std::vector<Json::Member>(members.begin(), members.end()));
}

// Whether it is a dict, more than one list, or a list of one, which Keras 3 tells from what is in it.
bool is_nested(const Json& ports) {
  if (ports.is_object()) return true;
  if (!ports.is_array() || is_history(ports)) return false;
  return ports.as_array().size() == 1 || !std::ranges::all_of(ports.as_array(), is_history);
}

using VisitPort = std::function<void(const std::string&, const History&)>;

// `path`: what leads to `ports` in a dict; nullptr: they are in none, or in a list.
void visit_ports(const Json& ports, const std::string* path, const VisitPort& visit) {
  const auto visit_within = [&](const std::string& own, const Json& port) {
    const std::string name = path && !path->empty() ? *path + "." + own : own;
    visit_ports(port, path ? &name : nullptr, visit);
  };
  const bool is_list = ports.is_array() && !(!ports.as_array().empty() && ports.as_array()[0].is_string());
  if (ports.is_object()) {
    for (const auto& [name, port] : ports.as_object()) visit_within(name, port);
  } else if (is_list) {
    for (std::size_t i = 0; i < ports.as_array().size(); ++i) visit_within(std::to_string(i), ports.as_array()[i]);
  } else {
    visit(path ? *path : std::string(), history_of(ports));
  }
}

// With each tensor in input_layers or output_layers, in the order of the file. Where they are a dict, it has its key
// there, "a"; what is nested in that has all keys and places that lead to it, "b.0". In a list it has none.
void for_each_port(const Json& ports, const VisitPort& visit) {
  const std::string outermost;
  visit_ports(ports, ports.is_object() ? &outermost : nullptr, visit);
}

// --- Models ---

// The settings of a model alone.
Json::Object without_graph(const Json::Object& config) {
  std::vector<Json::Member> members;
  std::ranges::copy_if(config, std::back_inserter(members), [](const Json::Member& member) {
    return member.first != "layers" && member.first != "input_layers" && member.first != "output_layers";
  });
  return Json::Object(std::move(members));
}

KerasModel parse_graph(const Json& model_config, bool is_whole);

KerasModel model_of(const std::string& class_name, const Json::Object& config) {
  KerasModel model{.said = parse_origin(class_name, config)};
  model.name = model.said.name.value_or("");
  model.trainable = model.said.trainable.value_or(true);
  return model;
}

bool has_inner(const std::vector<KerasLayer>& layers) {
  return std::ranges::any_of(layers, [](const KerasLayer& layer) { return layer.model || !layer.wrapped.empty(); });
}

// An InputLayer for a Sequential model that has none: the shape that it was built with, or that of a first model.
KerasLayer input_for(const std::vector<KerasLayer>& layers, const Json::Object& config, bool is_whole) {
  const KerasLayer& first = layers.at(0);
  const Json* shape = config.find("build_input_shape");
  Json dtype = "float32";
  if (const Json* own = first.find("batch_input_shape")) shape = own;
  if (first.model) {
    const KerasLayer& input = first.model->layers.at(0);
    if (input.class_name == "InputLayer" && !shape) shape = input.find("batch_shape");
    if (const Json* said = input.class_name == "InputLayer" ? input.find("dtype") : nullptr) dtype = *said;
  }
  if (!shape || !shape->is_array())
    throw Unsupported(std::string(is_whole ? "the Sequential model" : "a Sequential model in it") +
                      " was never built, so that its input's shape is not known");
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::count(layers, name, &KerasLayer::name) > 0;
  };
  const std::string name = is_whole && !has_inner(layers) ? unique_name("input", is_taken) : first.name + "_input";
  return {.name = name,
          .module = "keras.layers",
          .class_name = "InputLayer",
          .config = {{"batch_shape", *shape}, {"dtype", dtype}, {"name", name}},
          .keras_name = name};
}

// A chain as a graph.
void link(KerasModel& model, const Json::Object& config, bool is_whole) {
  std::vector<KerasLayer>& layers = model.layers;
  if (layers.empty())
    throw MalformedFile(std::string(is_whole ? "the model" : "a Sequential model in it") + " has no layers");
  if (layers[0].class_name != "InputLayer") layers.insert(layers.begin(), input_for(layers, config, is_whole));
  for (std::size_t i = 1; i < layers.size(); ++i) {
    if (layers[i].class_name == "InputLayer")
      throw MalformedFile("the input layer \"" + shortened(layers[i].name) + "\" is not the first");
    layers[i].calls = {KerasCall{{KerasTensor{History{layers[i - 1].name}}}}};
  }
  model.inputs = {KerasTensor{History{layers[0].name}}};
  model.outputs = {KerasTensor{History{layers.back().name}}};
}

KerasLayer parse_layer(const Json& entry) {
  const std::string& name = name_of(entry);
  const Json::Object& config = entry.at("config").as_object();
  const std::string own_name = text_of(config.find("name"));
  KerasLayer layer{.name = name,
                   .module = text_of(entry.find("module")),
                   .class_name = entry.at("class_name").as_string(),
                   .config = is_model(entry) ? without_graph(config) : config,
                   .keras_name = own_name.empty() ? name : own_name,
                   .registered_name = text_of(entry.find("registered_name"))};
  try {
    if (is_model(entry))
      layer.model = std::make_shared<KerasModel>(parse_graph(entry, false));
    else
      for (const auto& [object, member] : wrapped_members(layer.class_name, layer.config))
        layer.wrapped.emplace_back(object, parse_layer(*member));
  } catch (const Error& error) {
    rethrow_in_file(error, describe(layer));
  }
  return layer;
}

void parse_calls(KerasLayer& layer, const Json& entry) {
  const Json* nodes = entry.find("inbound_nodes");
  if (!nodes) throw MalformedFile(describe(layer) + " has no \"inbound_nodes\"");
  try {
    for (const Json& node : nodes->as_array()) layer.calls.push_back(parse_call(node));
  } catch (const Error& error) {
    rethrow_in_file(error, describe(layer));
  }
}

void parse_ports(KerasModel& model, const Json::Object& config, bool is_whole) {
  const auto check = [&](const History& port, const char* what) {
    if (std::ranges::count(model.layers, port.layer, &KerasLayer::name) == 0)
      throw MalformedFile(std::string("the model's ") + what + " \"" + shortened(port.layer) +
                          "\" is none of its layers");
  };
  const auto ports = [&](const char* key) { return is_whole ? config.at(key) : with_sorted_keys(config.at(key)); };
  for_each_port(ports("input_layers"), [&](const std::string&, const History& input) {
    check(input, "input");
    model.inputs.push_back(KerasTensor{input});
  });
  for_each_port(ports("output_layers"), [&](const std::string& name, const History& output) {
    check(output, "output");
    model.outputs.push_back(KerasTensor{output});
    model.output_names.push_back(name);
  });
  if (is_whole) return;
  for (std::optional<Json>* nesting : {&model.said.input_layers, &model.said.output_layers})
    if (*nesting) **nesting = with_sorted_keys(**nesting);
}

KerasModel parse_graph(const Json& model_config, bool is_whole) {
  const std::string& class_name = model_config.at("class_name").as_string();
  const Json::Object& config = model_config.at("config").as_object();
  if (!is_model_class(class_name))
    throw Unsupported("a model of class " + shortened(class_name) +
                      (config.contains("layers") ? " may compute something else than its layers do: if it does not, "
                                                   "save keras.Model(model.inputs, model.outputs) instead"
                                                 : " does not describe its layers; only Sequential and Functional "
                                                   "models do"));
  const bool is_chain = class_name == "Sequential" && !config.contains("input_layers");
  KerasModel model = model_of(class_name, config);
  for (const Json& entry : config.at("layers").as_array()) {
    KerasLayer& layer = model.layers.emplace_back(parse_layer(entry));
    if (!is_chain) parse_calls(layer, entry);
  }
  if (is_chain)
    link(model, config, is_whole);
  else
    parse_ports(model, config, is_whole);
  return model;
}

// --- Layers alone ---

std::optional<KerasLayer> find_layer(const Json& entry);

KerasModel find_layers(const Json& model_config) {
  const Json* config = model_config.find("config");
  KerasModel model = config && config->is_object()
                         ? model_of(text_of(model_config.find("class_name")), config->as_object())
                         : KerasModel();
  const Json* layers = config ? config->find("layers") : nullptr;
  if (layers && layers->is_array())
    for (const Json& entry : layers->as_array())
      if (std::optional<KerasLayer> layer = find_layer(entry)) model.layers.push_back(*std::move(layer));
  return model;
}

std::optional<KerasLayer> find_layer(const Json& entry) {
  const Json* config = entry.find("config");
  const std::string name = config ? text_of(config->find("name")) : "";
  if (name.empty()) return std::nullopt;
  KerasLayer layer{.name = name,
                   .module = text_of(entry.find("module")),
                   .class_name = text_of(entry.find("class_name")),
                   .config = is_model(entry) ? without_graph(config->as_object()) : config->as_object(),
                   .keras_name = name,
                   .registered_name = text_of(entry.find("registered_name"))};
  if (is_model(entry)) {
    layer.model = std::make_shared<KerasModel>(find_layers(entry));
    return layer;
  }
  for (const auto& [object, member] : wrapped_members(layer.class_name, layer.config))
    if (std::optional<KerasLayer> wrapped = find_layer(*member))
      layer.wrapped.emplace_back(object, *std::move(wrapped));
  return layer;
}

void visit_layer(const KerasLayer& layer, const std::string& within,
                 const std::function<void(const std::string&, const KerasLayer&)>& visit) {
  const std::string path = within + layer.keras_name;
  if (layer.model) {
    for (const KerasLayer& inner : layer.model->layers) visit_layer(inner, path + "/", visit);
    return;
  }
  if (layer.wrapped.empty()) return visit(path, layer);
  for (const auto& [object, wrapped] : layer.wrapped) visit_layer(wrapped, path + "/", visit);
}

}  // namespace

// Functions are objects of class "function", or stand by their names.
std::optional<KerasLayer> parse_activation(const KerasLayer& layer) {
  const Json* activation = layer.find("activation");
  const Json* class_name = activation ? activation->find("class_name") : nullptr;
  return class_name && *class_name != Json("function") ? find_layer(*activation) : std::nullopt;
}

KerasModel parse_model(const Json& model_config) {
  ++work().trees_parsed;
  return parse_graph(model_config, true);
}

KerasModel parse_layers(const Json& model_config) {
  ++work().trees_parsed;
  return find_layers(model_config);
}

std::vector<std::pair<std::string, std::string>> parse_output_layers(const Json& model_config) {
  std::vector<std::pair<std::string, std::string>> result;
  const Json* config = model_config.find("config");
  if (const Json* ports = config ? config->find("output_layers") : nullptr) {
    for_each_port(*ports, [&](const std::string& key, const History& port) { result.emplace_back(key, port.layer); });
  } else if (const Json* layers = config ? config->find("layers") : nullptr; layers && layers->is_array()) {
    for (const Json& entry : layers->as_array() | std::views::reverse)
      if (const std::optional<KerasLayer> last = find_layer(entry)) return {{"", last->keras_name}};
  }
  return result;
}

KerasModelOrigin parse_origin(const std::string& class_name, const Json::Object& config) {
  KerasModelOrigin origin;
  origin.class_name = class_name;
  for (const auto& [key, value] : config) {
    if (key == "name" && value.is_string())
      origin.name = value.as_string();
    else if (key == "trainable" && value == Json(false))
      origin.trainable = false;
    else if ((key == "trainable" && value != Json(true)) ||
             key == "dtype")  // other truth values come back as they were
      origin.config.set(key, value);
    else if ((key == "input_layers" || key == "output_layers") && is_nested(value))
      (key == "input_layers" ? origin.input_layers : origin.output_layers) = value;
  }
  return origin;
}

void visit_layers(const KerasModel& model, const std::function<void(const std::string&, const KerasLayer&)>& visit) {
  for (const KerasLayer& layer : model.layers) visit_layer(layer, "", visit);
}

}  // namespace h5bridge
