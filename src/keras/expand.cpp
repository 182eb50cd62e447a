#include "keras/expand.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "h5bridge/error.h"
#include "keras/print_tree.h"
#include "keras/wrappers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Models that call models twice that call models twice ... would fill the memory.
constexpr std::size_t kMostCalls = 200'000;

// What has a graph of its own.
bool is_scope(const KerasLayer& layer) { return layer.model || !layer.wrapped.empty(); }

// None, or a list or a dict of such: a mask for each of a model's inputs.
bool says_nothing(const Json& value) {
  if (value.is_array()) return std::ranges::all_of(value.as_array(), says_nothing);
  if (value.is_object())
    return std::ranges::all_of(value.as_object(),
                               [](const Json::Member& member) { return says_nothing(member.second); });
  return value.is_null();
}

// The tensors of an argument, in Keras's order: a dict's by their sorted keys.
void collect(const KerasArgument& argument, std::vector<History>& tensors) {
  if (const KerasTensor* tensor = argument.tensor()) {
    tensors.push_back(*tensor);
  } else if (const KerasArgument::List* list = argument.list()) {
    for (const KerasArgument& element : *list) collect(element, tensors);
  } else if (const KerasArgument::Dict* dict = argument.dict()) {
    std::map<std::string, const KerasArgument*> members;
    for (const auto& [name, member] : *dict) members[name] = &member;
    for (const auto& [name, member] : members) collect(*member, tensors);
  } else if (const Json& constant = *argument.constant(); !constant.is_array() || !constant.as_array().empty()) {
    throw Unsupported("a model within the model is called with " + quoted(constant) + ", which is no tensor");
  }
}

// A graph as it is defined once.
struct Graph {
  std::vector<KerasLayer> layers;
  std::vector<KerasTensor> inputs, outputs;
  std::vector<ExpandedScope> models;
  std::vector<ExpandedCall> calls;
  std::map<std::string, std::string> wrapped;  // of a wrapper's layers, what stands behind its name in theirs
};

Graph graph_of(KerasModel model) {
  return {std::move(model.layers), std::move(model.inputs), std::move(model.outputs), {}, {}, {}};
}

Graph graph_of(const KerasLayer& layer) {
  if (layer.model) return graph_of(*layer.model);
  Graph graph = graph_of(graph_of_wrapper(layer));
  graph.wrapped = names_behind(layer);
  return graph;
}

class Expander {
 public:
  explicit Expander(std::size_t& calls_made) : calls_made_(calls_made) {}

  /// The graph with what its models hold in their place.
  Graph expanded(Graph graph) {
    Graph result;
    for (const KerasLayer& layer : graph.layers) {
      taken_.insert(layer.name);
      if (is_scope(layer)) results_[layer.name] = counts_from(graph, layer);
    }
    for (KerasLayer& layer : graph.layers) {
      if (!is_scope(layer)) {
        result.layers.push_back(std::move(layer));
        continue;
      }
      try {
        expand_layer(layer, result);
      } catch (const Error& error) {
        rethrow_in_file(error, describe(layer));
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
  static Results counts_from(const Graph& graph, const KerasLayer& model) {
    if (!model.model) return {};
    const auto count = static_cast<std::int64_t>(model.calls.size());
    std::vector<std::int64_t> arguments, outputs;
    bool is_before_3 = false;
    for (const KerasLayer& layer : graph.layers)
      for (const KerasCall& call : layer.calls) {
        is_before_3 = is_before_3 || call.hands_mask_on;
        KerasCall::for_each_tensor(call, [&](const KerasTensor& tensor) {
          if (tensor.layer == model.name) arguments.push_back(tensor.call);
        });
      }
    for (const KerasTensor& output : graph.outputs)
      if (output.layer == model.name) outputs.push_back(output.call);
    const bool is_sequential = model.class_name == "Sequential";
    const auto first = [&](const std::vector<std::int64_t>& calls, bool usual) -> std::int64_t {
      if (std::ranges::find(calls, 0) != calls.end()) return 0;
      if (std::ranges::find(calls, count) != calls.end()) return 1;
      return usual ? 1 : 0;
    };
    return {{}, first(arguments, is_before_3), first(outputs, is_before_3 || !is_sequential)};
  }

  // Puts what the model holds among the layers of `into`, once for each call.
  void expand_layer(const KerasLayer& layer, Graph& into) {
    const std::string keras_name = layer.name;
    Graph inner = Expander(calls_made_).expanded(graph_of(layer));
    prefix(inner, keras_name);
    for (const auto& [wrapped, name_behind] : inner.wrapped) wrapped_[wrapped] = keras_name + name_behind;
    ExpandedScope model{keras_name, {}, layer.model ? layer.model->said : wrapper_origin(layer)};
    for (const KerasTensor& input : inner.inputs) model.inputs.push_back(input.layer);
    std::map<std::string, std::int64_t> counts;  // of the calls that one call of the model makes
    for (const KerasLayer& each : inner.layers)
      counts[each.name] = std::max<std::int64_t>(1, static_cast<std::int64_t>(each.calls.size()));
    std::vector<std::vector<KerasCall>> made_calls(inner.layers.size());
    std::vector<KerasLayer> passed_on;
    Results& results = results_.at(keras_name);
    for (std::size_t call = 0; call < layer.calls.size(); ++call) {
      const std::size_t number = into.calls.size();
      const auto shift = [&](History history) {
        if (const auto count = counts.find(history.layer); count != counts.end())
          history.call += static_cast<std::int64_t>(call) * count->second;
        return history;
      };
      const auto [arguments, masks, keywords] = arguments_of(layer.calls[call], model);
      ExpandedCall made{model.name, std::nullopt, {}, {}, masks, keywords};
      for (const std::string& input : model.inputs)
        made.arguments.push_back({input, static_cast<std::int64_t>(call), 0});
      for (std::size_t i = 0; i < inner.layers.size(); ++i) {
        const auto port = std::ranges::find(model.inputs, inner.layers[i].name);
        if (port != model.inputs.end()) {
          const auto input = static_cast<std::size_t>(port - model.inputs.begin());
          KerasCall given{.arguments = {arguments[input]}, .within_call = number};
          if (input < masks.size() && masks[input]) given.keywords.emplace_back("mask", *masks[input]);
          made_calls[i].push_back(std::move(given));
        }
        for (KerasCall each : inner.layers[i].calls) {
          if (++calls_made_ > kMostCalls)
            throw Unsupported("the models in it make more than " + std::to_string(kMostCalls) + " calls");
          change_tensors(each, shift);
          each.within_call = each.within_call ? number + 1 + *each.within_call : number;
          made_calls[i].push_back(std::move(each));
        }
      }
      std::vector<History> given;
      for (const KerasTensor& output : inner.outputs)
        given.push_back(given_out(shift(output), given, model, number, call, passed_on));
      made.results = given;
      results.calls.push_back(std::move(given));
      into.calls.push_back(std::move(made));
      for (ExpandedCall part : inner.calls) {
        part.parent = part.parent ? number + 1 + *part.parent : number;
        change_tensors(part, shift);
        into.calls.push_back(std::move(part));
      }
    }
    for (std::size_t i = 0; i < inner.layers.size(); ++i) {
      inner.layers[i].calls = std::move(made_calls[i]);
      into.layers.push_back(std::move(inner.layers[i]));
    }
    std::ranges::move(passed_on, std::back_inserter(into.layers));
    into.models.push_back(std::move(model));
    std::ranges::move(inner.models, std::back_inserter(into.models));
  }

  // What stands for output `output` outside: one that came in, or is given twice, is a layer of its own.
  History given_out(const History& output, const std::vector<History>& before, const ExpandedScope& model,
                    std::size_t number, std::size_t call, std::vector<KerasLayer>& passed_on) {
    const bool came_in = std::ranges::find(model.inputs, output.layer) != model.inputs.end();
    if (!came_in && std::ranges::find(before, output) == before.end()) return output;
    const std::string name = model.name + ".output_" + std::to_string(before.size());
    auto layer = std::ranges::find(passed_on, name, &KerasLayer::name);
    if (layer == passed_on.end()) {
      passed_on.push_back({.name = name, .class_name = kPassedOn, .config = {{"name", name}}, .keras_name = name});
      layer = std::prev(passed_on.end());
    }
    layer->calls.push_back({.arguments = {output}, .within_call = number});
    return {name, static_cast<std::int64_t>(call), 0};
  }

  // The tensors for the model's inputs, their masks as far as they are told, and what else its call has.
  struct Arguments {
    std::vector<History> tensors;
    std::vector<std::optional<History>> masks;
    Json::Object keywords;
  };

  static Arguments arguments_of(const KerasCall& call, const ExpandedScope& model) {
    std::vector<History> tensors;
    std::vector<std::optional<History>> masks;
    Json::Object keywords;
    for (const KerasArgument& argument : call.arguments) collect(argument, tensors);
    for (const auto& [name, value] : call.keywords) {
      const Json* constant = value.constant();
      if (name == "inputs") {
        collect(value, tensors);
      } else if (name == "mask" && !(constant && says_nothing(*constant))) {
        masks = masks_in(value);
      } else if (constant && (says_nothing(*constant) ||
                              (name == "training" && (*constant == Json(false) || *constant == Json(0))))) {
        keywords.set(name, *constant);
      } else if (constant && name == "training" && *constant == Json(true) && !call.hands_mask_on) {
        keywords.set(name, *constant);  // as of a layer: Keras 3's predict() does not heed it, and Keras 2's does
      } else {
        throw Unsupported("a model within the model is called with " + shortened(name) + "=" +
                          quoted(print_argument(value, print_origin)) +
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
  static std::vector<std::optional<History>> masks_in(const KerasArgument& value) {
    std::vector<std::optional<History>> masks;
    for (const KerasArgument& mask : value.list() ? *value.list() : KerasArgument::List{value}) {
      std::vector<History> tensors;
      if (const Json* constant = mask.constant(); !constant || !constant->is_null()) collect(mask, tensors);
      if (tensors.size() > 1) throw Unsupported("a model within the model is given masks that are nested");
      masks.push_back(tensors.empty() ? std::nullopt : std::optional(tensors[0]));
    }
    return masks;
  }

  // Gives all in it names behind the model's.
  void prefix(Graph& inner, const std::string& model) {
    std::map<std::string, std::string> renamed;
    for (const KerasLayer& layer : inner.layers)
      renamed[layer.name] = unique(model + (is_of_a_wrapper(layer) ? "_" : ".") + layer.name);
    rename(inner, renamed);
    for (ExpandedScope& part : inner.models) part.name = model + "." + part.name;
    for (ExpandedCall& call : inner.calls) call.model = model + "." + call.model;
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
    for (KerasLayer& layer : graph.layers) {
      layer.name = name_of(layer.name);
      layer.config.set("name", layer.name);
      if (layer.class_name == kPassedOn) layer.keras_name = layer.name;
      for (KerasCall& call : layer.calls) change_tensors(call, change);
    }
    for (std::vector<KerasTensor>* ports : {&graph.inputs, &graph.outputs})
      for (KerasTensor& tensor : *ports) tensor = KerasTensor{change(tensor)};
    for (ExpandedScope& model : graph.models)
      for (std::string& input : model.inputs) input = name_of(input);
    for (ExpandedCall& call : graph.calls) change_tensors(call, change);
    std::map<std::string, std::string> wrapped;
    for (const auto& [before, text] : graph.wrapped) wrapped[name_of(before)] = text;
    graph.wrapped = std::move(wrapped);
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
                            print_history(history).dump());
      return calls[call][tensor];
    };
    const auto argument = [&](const History& history) { return change(history, &Results::among_arguments); };
    for (KerasLayer& layer : graph.layers)
      for (KerasCall& call : layer.calls) change_tensors(call, argument);
    for (ExpandedCall& call : graph.calls) change_tensors(call, argument);
    for (KerasTensor& output : graph.outputs) output = KerasTensor{change(output, &Results::among_outputs)};
  }

  std::set<std::string> taken_;
  std::map<std::string, Results> results_;
  std::map<std::string, std::string> wrapped_;  // layers of wrappers, and what they are called: PyTorch has no wrapper
  std::size_t& calls_made_;                     // over all levels
};

}  // namespace

ExpandedModel expand(KerasModel model) {
  if (std::ranges::none_of(model.layers, is_scope)) return {std::move(model), {}, {}};
  std::size_t calls_made = 0;
  Graph graph = Expander(calls_made)
                    .expanded({std::move(model.layers), std::move(model.inputs), std::move(model.outputs), {}, {}, {}});
  model.layers = std::move(graph.layers);
  model.inputs = std::move(graph.inputs);
  model.outputs = std::move(graph.outputs);
  return {std::move(model), std::move(graph.models), std::move(graph.calls)};
}

}  // namespace h5bridge
