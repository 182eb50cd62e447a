#include "keras/inline_models.h"

#include <algorithm>
#include <set>
#include <utility>

#include "h5bridge/error.h"
#include "keras/from_older/nodes.h"
#include "keras/wrappers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Models that call models twice that call models twice ... would fill the memory.
constexpr std::size_t kMostCalls = 200'000;

// What has a graph of its own.
bool is_inlined(const Json& layer) { return is_model_entry(layer) || is_wrapper_entry(layer); }

bool has_models(const Json& model_config) {
  const Json* config = model_config.find("config");
  const Json* layers = config ? config->find("layers") : nullptr;
  return layers && layers->is_array() && std::ranges::any_of(layers->as_array(), is_inlined);
}

Json port(const History& history) { return Json::Array{history.layer, history.call, history.tensor}; }

Json tensor_argument(const History& history) { return keras_tensor(port(history)); }

Json call_with(Json argument) {
  return Json::Object{{"args", Json::Array{std::move(argument)}}, {"kwargs", Json::Object{}}};
}

// None, or a list or a dict of such: a mask for each of a model's inputs.
bool says_nothing(const Json& value) {
  if (value.is_array()) return std::ranges::all_of(value.as_array(), says_nothing);
  if (value.is_object())
    return std::ranges::all_of(value.as_object(),
                               [](const Json::Member& member) { return says_nothing(member.second); });
  return value.is_null();
}

// Changes every tensor in `json` to what `change` gives for it.
template <typename Change>
void change_tensors(Json& json, Change&& change) {
  if (is_history(json)) {
    json = port(change(history_of(json)));
  } else if (json.is_array()) {
    for (Json& element : json.as_array()) change_tensors(element, change);
  } else if (json.is_object()) {
    for (auto& [name, member] : json.as_object()) change_tensors(member, change);
  }
}

// The tensors of an argument, in Keras's order: a dict's by their sorted keys.
void collect(const Json& argument, std::vector<History>& tensors) {
  if (const Json* class_name = argument.find("class_name"); class_name && *class_name == Json("__keras_tensor__")) {
    tensors.push_back(history_of(argument.at("config").at("keras_history")));
  } else if (argument.is_array()) {
    for (const Json& element : argument.as_array()) collect(element, tensors);
  } else if (argument.is_object()) {
    std::map<std::string, const Json*> members;
    for (const auto& [name, member] : argument.as_object()) members[name] = &member;
    for (const auto& [name, member] : members) collect(*member, tensors);
  } else {
    throw Unsupported("a model within the model is called with " + quoted(argument) + ", which is no tensor");
  }
}

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

// The tensors of input_layers or output_layers in that order.
std::vector<History> ports_of(const Json& ports) {
  std::vector<History> result;
  for_each_port(with_sorted_keys(ports),
                [&](const std::string&, const History& history) { result.push_back(history); });
  return result;
}

// Changes every tensor of a call to what `change` gives for it.
template <typename Change>
void change_ports(InlinedCall& call, Change&& change) {
  for (History& argument : call.arguments) argument = change(argument);
  for (History& result : call.results) result = change(result);
  for (std::optional<History>& mask : call.masks)
    if (mask) mask = change(*mask);
}

// A graph as it is defined once.
struct Graph {
  struct Entry {
    Json layer;
    std::vector<Json> nodes;
  };
  std::vector<Entry> entries;
  Json inputs, outputs;  // input_layers, output_layers
  std::vector<InlinedModel> models;
  std::vector<InlinedCall> calls;
  std::map<std::string, std::string> names;
  std::map<std::string, std::string> wrapped;  // of a wrapper's layers, what stands behind its name in theirs
};

// An InputLayer for a Sequential model that has none: the shape that it was built with, or that of a first model.
Json input_for(const Json& first, const Json& config) {
  const Json* shape = config.find("build_input_shape");
  Json dtype = "float32";
  if (const Json* own = first.at("config").find("batch_input_shape")) shape = own;
  if (is_model_entry(first))
    if (const Json* layers = first.at("config").find("layers"))
      for (const Json& layer : layers->as_array())
        if (layer.at("class_name") == Json("InputLayer")) {
          if (!shape) shape = layer.at("config").find("batch_shape");
          if (const Json* said = layer.at("config").find("dtype")) dtype = *said;
          break;
        }
  if (!shape || !shape->is_array())
    throw Unsupported("a Sequential model in it was never built, so that its input's shape is not known");
  return Json::Object{
      {"module", "keras.layers"},
      {"class_name", "InputLayer"},
      {"config", Json::Object{{"batch_shape", *shape}, {"dtype", dtype}, {"name", entry_name(first) + "_input"}}},
      {"registered_name", nullptr}};
}

// A chain as a graph.
Graph graph_of_sequential(const Json& config) {
  Graph graph;
  Json::Array layers = config.at("layers").as_array();
  if (layers.empty()) throw MalformedFile("a Sequential model in it has no layers");
  if (layers[0].at("class_name") != Json("InputLayer")) layers.insert(layers.begin(), input_for(layers[0], config));
  std::string last;
  for (Json& layer : layers) {
    std::vector<Json> nodes;
    if (!last.empty()) nodes.push_back(call_with(tensor_argument({last, 0, 0})));
    last = entry_name(layer);
    graph.entries.push_back({std::move(layer), std::move(nodes)});
  }
  graph.inputs = port({entry_name(graph.entries[0].layer), 0, 0});
  graph.outputs = port({last, 0, 0});
  return graph;
}

Graph graph_of(const Json& model) {
  const Json& config = model.at("config");
  if (model.at("class_name") == Json("Sequential")) return graph_of_sequential(config);
  if (is_wrapper_entry(model)) return graph_of(functional_of_wrapper(model));
  Graph graph;
  for (const Json& layer : config.at("layers").as_array()) {
    const Json* nodes = layer.find("inbound_nodes");
    graph.entries.push_back({layer, nodes ? nodes->as_array() : Json::Array{}});
  }
  if (const Json* wrapped = config.find("wrapped"))
    for (const auto& [layer, name_behind] : wrapped->as_object()) graph.wrapped[layer] = name_behind.as_string();
  graph.inputs = config.at("input_layers");
  graph.outputs = config.at("output_layers");
  return graph;
}

class Inliner {
 public:
  explicit Inliner(std::size_t& calls_made) : calls_made_(calls_made) {}

  /// The graph with what its models hold in their place.
  Graph inlined(const Json& model) {
    Graph graph = graph_of(model);
    Graph result;
    for (const Graph::Entry& entry : graph.entries) taken_.insert(entry_name(entry.layer));
    for (Graph::Entry& entry : graph.entries) {
      if (!is_inlined(entry.layer)) {
        result.entries.push_back(std::move(entry));
        continue;
      }
      try {
        expand(entry, counts_from(graph, entry), result);
      } catch (const Error& error) {
        rethrow_in_file(error, describe_entry(entry.layer));
      }
    }
    result.wrapped = std::move(graph.wrapped);
    result.inputs = std::move(graph.inputs);
    result.outputs = std::move(graph.outputs);
    follow(result);
    rename(result, wrapped_);
    return result;
  }

 private:
  // What the calls of a model give, by its name, and from which number they are counted: among arguments, and among the
  // outputs of the model that it is in.
  struct Results {
    std::vector<std::vector<History>> calls;
    std::int64_t among_arguments = 0;
    std::int64_t among_outputs = 0;
  };

  // Keras 1 and 2 count a model's own making as its call number 0. Keras 3 does so for Functional models among the
  // outputs, and not among arguments (models/functional.py: get_config, serialize_node).
  static Results counts_from(const Graph& graph, const Graph::Entry& model) {
    if (is_wrapper_entry(model.layer)) return {};
    const std::string& name = entry_name(model.layer);
    const auto count = static_cast<std::int64_t>(model.nodes.size());
    std::vector<std::int64_t> arguments, outputs;
    bool is_before_3 = false;
    for (const Graph::Entry& entry : graph.entries)
      for (Json node : entry.nodes) {
        is_before_3 = is_before_3 || node.find(kHandsMaskOn);
        change_tensors(node, [&](const History& history) {
          if (history.layer == name) arguments.push_back(history.call);
          return history;
        });
      }
    for_each_port(graph.outputs, [&](const std::string&, const History& history) {
      if (history.layer == name) outputs.push_back(history.call);
    });
    const bool is_sequential = model.layer.at("class_name") == Json("Sequential");
    const auto first = [&](const std::vector<std::int64_t>& calls, bool usual) -> std::int64_t {
      if (std::ranges::find(calls, 0) != calls.end()) return 0;
      if (std::ranges::find(calls, count) != calls.end()) return 1;
      return usual ? 1 : 0;
    };
    return {{}, first(arguments, is_before_3), first(outputs, is_before_3 || !is_sequential)};
  }

  // Puts what the model holds among the entries of `into`, once for each call.
  void expand(const Graph::Entry& entry, Results results, Graph& into) {
    const std::string keras_name = entry_name(entry.layer);
    Graph inner = Inliner(calls_made_).inlined(entry.layer);
    prefix(inner, keras_name);
    for (const auto& [layer, name_behind] : inner.wrapped) wrapped_[layer] = keras_name + name_behind;
    const bool is_wrapper = is_wrapper_entry(entry.layer);
    InlinedModel model{keras_name, {}, is_wrapper ? wrapper_origin(entry.layer) : model_origin(entry.layer)};
    for (const History& input : ports_of(inner.inputs)) model.inputs.push_back(input.layer);
    for (std::optional<Json>* ports : {&model.origin.input_layers, &model.origin.output_layers})
      if (*ports) **ports = with_sorted_keys(**ports);
    std::map<std::string, std::int64_t> counts;  // of the calls that one call of the model makes
    for (Graph::Entry& layer : inner.entries)
      counts[entry_name(layer.layer)] = std::max<std::int64_t>(1, static_cast<std::int64_t>(layer.nodes.size()));
    std::vector<std::vector<Json>> nodes(inner.entries.size());
    std::vector<Graph::Entry> passed_on;
    for (std::size_t call = 0; call < entry.nodes.size(); ++call) {
      const std::size_t number = into.calls.size();
      const auto shift = [&](History history) {
        if (const auto count = counts.find(history.layer); count != counts.end())
          history.call += static_cast<std::int64_t>(call) * count->second;
        return history;
      };
      const auto [arguments, masks, keywords] = arguments_of(entry.nodes[call], model);
      InlinedCall made{model.name, std::nullopt, {}, {}, masks, keywords};
      for (const std::string& input : model.inputs)
        made.arguments.push_back({input, static_cast<std::int64_t>(call), 0});
      for (std::size_t i = 0; i < inner.entries.size(); ++i) {
        const auto port = std::ranges::find(model.inputs, entry_name(inner.entries[i].layer));
        if (port != model.inputs.end()) {
          const auto input = static_cast<std::size_t>(port - model.inputs.begin());
          Json node = call_with(tensor_argument(arguments[input]));
          if (input < masks.size() && masks[input])
            node.as_object().find("kwargs")->as_object().set("mask", tensor_argument(*masks[input]));
          node.as_object().set(kScopeCall, number);
          nodes[i].push_back(std::move(node));
        }
        for (Json node : inner.entries[i].nodes) {
          if (++calls_made_ > kMostCalls)
            throw Unsupported("the models in it make more than " + std::to_string(kMostCalls) + " calls");
          change_tensors(node, shift);
          const Json* part = node.find(kScopeCall);
          node.as_object().set(kScopeCall, part ? number + 1 + static_cast<std::size_t>(part->as_integer()) : number);
          nodes[i].push_back(std::move(node));
        }
      }
      std::vector<History> given;
      for (const History& output : ports_of(inner.outputs))
        given.push_back(given_out(shift(output), given, model, number, call, passed_on));
      made.results = given;
      results.calls.push_back(std::move(given));
      into.calls.push_back(std::move(made));
      for (InlinedCall part : inner.calls) {
        part.parent = part.parent ? number + 1 + *part.parent : number;
        change_ports(part, shift);
        into.calls.push_back(std::move(part));
      }
    }
    for (std::size_t i = 0; i < inner.entries.size(); ++i)
      into.entries.push_back({std::move(inner.entries[i].layer), std::move(nodes[i])});
    std::ranges::move(passed_on, std::back_inserter(into.entries));
    into.models.push_back(std::move(model));
    std::ranges::move(inner.models, std::back_inserter(into.models));
    into.names.merge(inner.names);
    results_[keras_name] = std::move(results);
  }

  // What stands for output `output` outside: one that came in, or is given twice, is a layer of its own.
  History given_out(const History& output, const std::vector<History>& before, const InlinedModel& model,
                    std::size_t number, std::size_t call, std::vector<Graph::Entry>& passed_on) {
    const bool came_in = std::ranges::find(model.inputs, output.layer) != model.inputs.end();
    if (!came_in && std::ranges::find(before, output) == before.end()) return output;
    const std::string name = model.name + ".output_" + std::to_string(before.size());
    auto entry = std::ranges::find(passed_on, name, [](const Graph::Entry& e) { return entry_name(e.layer); });
    if (entry == passed_on.end()) {
      passed_on.push_back({Json::Object{{"class_name", kPassedOn}, {"config", Json::Object{{"name", name}}}}, {}});
      entry = std::prev(passed_on.end());
    }
    Json node = call_with(tensor_argument(output));
    node.as_object().set(kScopeCall, number);
    entry->nodes.push_back(std::move(node));
    return {name, static_cast<std::int64_t>(call), 0};
  }

  // The tensors for the model's inputs, their masks as far as they are told, and what else its call has.
  struct Arguments {
    std::vector<History> tensors;
    std::vector<std::optional<History>> masks;
    Json::Object keywords;
  };

  static Arguments arguments_of(const Json& node, const InlinedModel& model) {
    std::vector<History> tensors;
    std::vector<std::optional<History>> masks;
    Json::Object keywords;
    for (const Json& argument : node.at("args").as_array()) collect(argument, tensors);
    for (const auto& [name, value] : node.at("kwargs").as_object()) {
      if (name == "inputs") {
        collect(value, tensors);
      } else if (name == "mask" && !says_nothing(value)) {
        masks = masks_in(value);
      } else if (says_nothing(value) || (name == "training" && (value == Json(false) || value == Json(0)))) {
        keywords.set(name, value);
      } else if (name == "training" && value == Json(true) && !node.find(kHandsMaskOn)) {
        keywords.set(name, value);  // as of a layer: Keras 3's predict() does not heed it, and Keras 2's does
      } else {
        throw Unsupported("a model within the model is called with " + shortened(name) + "=" + quoted(value) +
                          (name == "training" ? ", which Keras 2 heeds in predict(), too, and Keras 3 does not"
                                              : ", which is not known yet"));
      }
    }
    if (is_wrapper(model.origin) && tensors.size() > 1)
      throw Unsupported("it is called with " + std::to_string(tensors.size()) +
                        " tensors, and what it does with more than one is not known yet");
    if (tensors.size() != model.inputs.size())
      throw MalformedFile("it is called with " + std::to_string(tensors.size()) + " tensors and has " +
                          std::to_string(model.inputs.size()) + " inputs");
    return {std::move(tensors), std::move(masks), std::move(keywords)};
  }

  // One tensor, or a list of such and None.
  static std::vector<std::optional<History>> masks_in(const Json& value) {
    std::vector<std::optional<History>> masks;
    for (const Json& mask : value.is_array() ? value.as_array() : Json::Array{value}) {
      std::vector<History> tensors;
      if (!mask.is_null()) collect(mask, tensors);
      if (tensors.size() > 1) throw Unsupported("a model within the model is given masks that are nested");
      masks.push_back(tensors.empty() ? std::nullopt : std::optional(tensors[0]));
    }
    return masks;
  }

  // Gives all in it names behind the model's.
  void prefix(Graph& inner, const std::string& model) {
    std::map<std::string, std::string> renamed;
    for (const Graph::Entry& entry : inner.entries) {
      const std::string& before = entry_name(entry.layer);
      renamed[before] = unique(model + (is_of_a_wrapper(entry.layer) ? "_" : ".") + before);
      if (entry.layer.at("class_name") != Json(kPassedOn)) inner.names.emplace(before, before);
    }
    rename(inner, renamed);
    for (InlinedModel& part : inner.models) part.name = model + "." + part.name;
    for (InlinedCall& call : inner.calls) call.model = model + "." + call.model;
  }

  static void rename(Graph& graph, const std::map<std::string, std::string>& renamed) {
    const auto name_of = [&](const std::string& before) {
      const auto found = renamed.find(before);
      return found == renamed.end() ? before : found->second;
    };
    const auto change = [&](History history) {
      history.layer = name_of(history.layer);
      return history;
    };
    for (Graph::Entry& entry : graph.entries) {
      const std::string after = name_of(entry_name(entry.layer));
      entry.layer.as_object().set("name", after);
      entry.layer.as_object().find("config")->as_object().set("name", after);
      for (Json& node : entry.nodes) change_tensors(node, change);
    }
    change_tensors(graph.inputs, change);
    change_tensors(graph.outputs, change);
    for (InlinedModel& model : graph.models)
      for (std::string& input : model.inputs) input = name_of(input);
    for (InlinedCall& call : graph.calls) change_ports(call, change);
    for (std::map<std::string, std::string>* by_name : {&graph.names, &graph.wrapped}) {
      std::map<std::string, std::string> changed;
      for (const auto& [before, text] : *by_name) changed[name_of(before)] = text;
      *by_name = std::move(changed);
    }
  }

  std::string unique(const std::string& wanted) {
    std::string name = wanted;
    for (int count = 1; !taken_.insert(name).second; ++count) name = wanted + "_" + std::to_string(count);
    return name;
  }

  // What took a model's result takes the layer's that makes it.
  void follow(Graph& graph) const {
    const auto change = [&](const History& history, std::int64_t Results::* first) {
      const auto model = results_.find(history.layer);
      if (model == results_.end()) return history;
      const auto& calls = model->second.calls;
      const auto call = static_cast<std::size_t>(history.call - model->second.*first);
      const auto tensor = static_cast<std::size_t>(history.tensor);
      if (call >= calls.size() || tensor >= calls[call].size())
        throw MalformedFile("no call of the model \"" + shortened(history.layer) + "\" makes the tensor " +
                            port(history).dump());
      return calls[call][tensor];
    };
    for (Graph::Entry& entry : graph.entries)
      for (Json& node : entry.nodes)
        change_tensors(node, [&](const History& history) { return change(history, &Results::among_arguments); });
    for (InlinedCall& call : graph.calls)
      change_ports(call, [&](const History& history) { return change(history, &Results::among_arguments); });
    change_tensors(graph.outputs, [&](const History& history) { return change(history, &Results::among_outputs); });
  }

  std::set<std::string> taken_;
  std::map<std::string, Results> results_;
  std::map<std::string, std::string> wrapped_;  // layers of wrappers, and what they are called: PyTorch has no wrapper
  std::size_t& calls_made_;                     // over all levels
};

// Whether it is a dict, more than one list, or a list of one, which Keras 3 tells from what is in it.
bool is_nested(const Json& ports) {
  if (ports.is_object()) return true;
  if (!ports.is_array() || is_history(ports)) return false;
  return ports.as_array().size() == 1 || !std::ranges::all_of(ports.as_array(), is_history);
}

}  // namespace

const std::string& entry_name(const Json& layer) {
  if (const Json* name = layer.find("name"); name && name->is_string()) return name->as_string();
  return layer.at("config").at("name").as_string();
}

namespace {

// "Odd" of a user's is "mine>Odd" where it was registered so, or else says the module that has it.
std::string class_with_package(const Json& layer) {
  std::string class_name = layer.at("class_name").as_string();
  const auto text_of = [&](const char* key) {
    const Json* value = layer.find(key);
    return value && value->is_string() ? value->as_string() : "";
  };
  const std::string registered = text_of("registered_name"), module = text_of("module");
  if (class_name == registered) return registered;
  if (!module.empty() && class_name.starts_with(module + ">")) class_name = class_name.substr(module.size() + 1);
  if (registered.ends_with(">" + class_name)) return registered;
  const bool is_users = !module.empty() && !module.starts_with("keras.") && module != "builtins";
  return is_users ? class_name + " of " + module : class_name;
}

}  // namespace

std::string describe_entry(const Json& layer) {
  return "layer \"" + shortened(entry_name(layer)) + "\" (" + shortened(class_with_package(layer)) + ")";
}

bool is_model_entry(const Json& layer) {
  const Json* class_name = layer.find("class_name");
  const Json* config = layer.find("config");
  return class_name && config && config->find("layers") && config->find("layers")->is_array() &&
         (*class_name == Json("Functional") || *class_name == Json("Model") || *class_name == Json("Sequential"));
}

KerasModelOrigin model_origin(const Json& model_config) {
  KerasModelOrigin origin;
  origin.class_name = model_config.at("class_name").as_string();
  for (const auto& [key, value] : model_config.at("config").as_object()) {
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

InlinedModels inline_models(Json model_config) {
  if (!model_config.is_object() || !has_models(model_config)) return {std::move(model_config), {}, {}, {}};
  std::size_t calls_made = 0;
  Graph graph = Inliner(calls_made).inlined(model_config);
  Json::Array layers;
  for (Graph::Entry& entry : graph.entries) {
    Json::Object layer = entry.layer.as_object();
    layer.set("name", entry_name(entry.layer));
    layer.set("inbound_nodes", Json::Array(entry.nodes.begin(), entry.nodes.end()));
    layers.push_back(std::move(layer));
  }
  Json::Object config = model_config.at("config").as_object();
  config.set("layers", std::move(layers));
  config.set("input_layers", std::move(graph.inputs));
  config.set("output_layers", std::move(graph.outputs));
  Json::Object model = model_config.as_object();
  model.set("config", std::move(config));
  return {std::move(model), std::move(graph.models), std::move(graph.calls), std::move(graph.names)};
}

}  // namespace h5bridge
