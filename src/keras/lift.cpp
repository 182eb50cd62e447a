// From a Keras configuration to an architecture.
#include "keras/lift.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>
#include <set>

#include "facets/keras/keras_plan.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/activations.h"
#include "keras/argument_tensors.h"
#include "keras/call.h"
#include "keras/dtype_policies.h"
#include "keras/expand.h"
#include "keras/implied_casts.h"
#include "keras/implied_masks.h"
#include "keras/lift_scopes.h"
#include "keras/lifted_graph.h"
#include "keras/masked_merges.h"
#include "keras/parse_tree.h"
#include "keras/print_tree.h"
#include "keras/read_layer.h"
#include "keras/shared_uses.h"
#include "keras/wrappers.h"
#include "model/promotion.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"
#include "passes/layout.h"

namespace h5bridge {
namespace {

struct PendingCall {
  const KerasLayer* layer;
  std::int64_t number;
  KerasCall call;
};

// Of what a layer of PyTorch's became in Keras, the operations do not tell which layer it was.
constexpr const char* kWhoKnowsOperations =
    "; if the network was PyTorch's, its architecture JSON beside the file says what its operations are";

class Lifter {
 public:
  Lifter(const std::map<std::string, ActivationApart>& activations, const ExpandedModel& inner)
      : activations_(activations), inner_(inner), scope_calls_(scope_call_names(inner)) {}

  Architecture run() {
    const KerasModel& model = inner_.model;
    for (const KerasLayer& layer : model.layers) {
      layers_[layer.name] = &layer;
      if (!graph_.take_name(layer.name)) throw MalformedFile("two layers are called \"" + shortened(layer.name) + "\"");
      if (layer.name.find(':') != std::string::npos)  // which parts a layer from the number of its output
        throw Unsupported(describe(layer) + ": a name with a ':' in it cannot be kept; give it another in Keras");
      note_policy(layer);
    }
    KerasModelOrigin& origin = graph_.architecture.keras = model.said;
    origin.config.erase("dtype");  // its layers say
    if (origin.input_layers) origin.input_layers = nested(histories(model.inputs), {}, origin.input_layers);
    if (origin.output_layers) origin.output_layers = nested(histories(model.outputs), {}, origin.output_layers);
    graph_.architecture.name = origin.name.value_or("");
    add_inputs(model);
    add_calls(model);
    add_outputs(model);
    if (!problems_.empty()) throw Unsupported(problems_ + (is_operation_unknown_ ? kWhoKnowsOperations : ""));
    note_scopes(inner_, scope_calls_, layers_, graph_);
    check_graph(graph_.architecture);
    if (differs_from(graph_.architecture, DataFormat::ChannelsFirst))
      graph_.architecture.keras.data_format = DataFormat::ChannelsLast;
    else if (differs_from(graph_.architecture, DataFormat::ChannelsLast))
      graph_.architecture.keras.data_format = DataFormat::ChannelsFirst;
    return std::move(graph_.architecture);
  }

 private:
  static std::vector<Json> histories(const std::vector<KerasTensor>& tensors) {
    std::vector<Json> result;
    for (const KerasTensor& tensor : tensors) result.push_back(print_history(tensor));
    return result;
  }

  // Of an operation there is none.
  void note_policy(const KerasLayer& layer) {
    const auto mappings = mappings_of(layer);
    if (layer.class_name == "InputLayer" || std::ranges::all_of(mappings, &KerasMapping::is_operation)) return;
    if (const auto policy = stated_policy(layer.config)) casts_.note_policy(layer.name, *policy);
  }

  void add_inputs(const KerasModel& model) {
    for (const KerasTensor& input : model.inputs) {
      const KerasLayer& layer = *layers_.at(input.layer);
      if (layer.class_name != "InputLayer")
        throw MalformedFile("the model's input \"" + shortened(input.layer) + "\" is no InputLayer");
      const DeclaredInput declared = declared_by(layer);
      graph_.add_input(layer.name, graph_.declared_shape(declared.shape), declared.dtype);
      if (declared.is_optional) graph_.architecture.keras.optional_inputs.push_back(layer.name);
    }
    if (graph_.architecture.inputs.empty()) throw MalformedFile("the model has no inputs");
  }

  // Layers come in no promised order; a layer that is called twice may wait for one that stands behind it. Its calls
  // keep theirs, as in Keras: the first defines it.
  void add_calls(const KerasModel& model) {
    std::deque<PendingCall> pending;
    for (const KerasLayer& layer : model.layers)
      for (std::size_t i = 0; i < layer.calls.size(); ++i)
        pending.push_back({&layer, static_cast<std::int64_t>(i), layer.calls[i]});
    std::size_t waiting = 0;
    while (!pending.empty()) {
      PendingCall made = std::move(pending.front());
      pending.pop_front();
      const std::string& name = made.layer->name;
      const bool is_ready = made.number == calls_made_[name] &&
                            std::ranges::all_of(made.call.tensors(),
                                                [&](const History& tensor) { return find_value(tensor).has_value(); });
      if (is_ready) {
        add_call(std::move(made));
        waiting = 0;
      } else {
        pending.push_back(std::move(made));
        if (++waiting > pending.size())
          throw MalformedFile("the layer \"" + shortened(pending.front().layer->name) +
                              "\" is called with tensors that no layer makes");
      }
    }
  }

  void add_outputs(const KerasModel& model) {
    for (std::size_t i = 0; i < model.outputs.size(); ++i) {
      const KerasTensor& output = model.outputs[i];
      const std::string name = model.output_names.empty() ? "" : model.output_names.at(i);
      const std::optional<Value> value = find_value(output);
      if (!value) throw MalformedFile("the model's output " + shortened(output.layer) + " is made by no layer");
      if (!name.empty() && std::ranges::count(graph_.architecture.outputs, name, &Output::name) > 0)
        throw Unsupported("two outputs of the model would be called \"" + shortened(name) + '"');
      graph_.architecture.outputs.push_back({name, *value});
      std::vector<std::string>& masked = graph_.architecture.keras.masked_outputs;
      const std::string maker = keras_maker_of(output.layer);
      if (masks_.has(*value) && std::ranges::find(masked, maker) == masked.end()) masked.push_back(maker);
    }
  }

  // The layer of the model itself, of one that is in a model or a wrapper within it.
  std::string keras_maker_of(const std::string& layer) const {
    std::string maker = layer;
    for (const ExpandedScope& scope : inner_.models)
      if (layer.starts_with(scope.name) && layer.size() > scope.name.size() &&
          (layer[scope.name.size()] == '.' || layers_.at(layer)->class_name.starts_with("h5bridge>")) &&
          scope.name.size() < maker.size())
        maker = scope.name;
    return maker;
  }

  // What a call has made. Of a layer that is not known, that is any number of outputs; and how its calls are counted is
  // not known either: those of a Functional model within a model begin at 1.
  std::optional<Value> find_value(const History& history) const {
    if (const Value* found = graph_.find(history)) return *found;
    const auto given_up = given_up_.find(history.layer);
    return given_up == given_up_.end() ? std::nullopt : std::optional(Value{given_up->second, history.tensor});
  }

  void add_call(PendingCall pending) {
    const KerasLayer& called = *pending.layer;
    KerasCall& call = pending.call;
    const std::string described = describe(called);
    graph_.enter(call.within_call ? scope_calls_.at(*call.within_call) : "");
    // The first call has its layer's name, which is taken from the beginning.
    const std::string node = pending.number == 0 ? called.name : graph_.new_name(called.name);
    ++calls_made_[called.name];
    const auto give_up = [&] {
      unknown_.insert(node);
      given_up_.emplace(called.name, node);
      graph_.give({called.name, pending.number, 0}, {node, 0});
    };
    // Of a layer that its first call could not make nothing more is to be said.
    const bool is_port = is_port_of_model(called);
    if (pending.number > 0 && !is_port && !is_of_a_wrapper(called) && !read_.contains(called.name)) return give_up();
    try {
      // What comes after a layer that is not known cannot be checked; all such layers are reported together.
      const bool known_inputs = std::ranges::none_of(
          call.tensors(), [&](const History& input) { return unknown_.contains(find_value(input)->node); });
      if (!known_inputs && (is_port || is_of_a_wrapper(called) || !mappings_of(called).empty())) return give_up();
      if (is_port) return add_port(pending);
      if (is_of_a_wrapper(called)) return add_wrappers_own(pending);
      make_arrays(called, call, constants_for(called.name));
      Node made_node{node, called.name, {}};
      if (pending.number == 0) {
        add_layer_with_constants(pending);
      } else {
        if (with_constants_.contains(called.name))
          call = numbers_as_tensors(std::move(call), constants_for(called.name));
        made_node.attributes = attributes_of_further({called, pending.number, call}, read_.at(called.name),
                                                     layer_called(called.name), graph_);
      }
      const Layer layer = as_called(layer_called(called.name), made_node);  // a copy: casts and masks come beside it
      const KerasMapping& mapping = *read_.at(called.name).mapping;
      const BoundCall arguments = bound(call, mapping);
      std::vector<Value> inputs;
      for (const History& input : arguments.inputs) inputs.push_back(graph_.value_of(input));
      const std::vector<DType> wanted = casts_.keras_types(mapping, layer, inputs);
      const std::optional<DType> rounded_to = casts_.type_rounded_to(mapping, layer, inputs);
      for (Value& input : inputs) {
        if (rounded_to) input = casts_.cast(input, DType::Float32, "float");
        if (mapping.casts_inputs) input = casts_.integers_as(input, wanted.at(0));
        input = casts_.taken(input, called.name, Registry::instance().type_of(layer).integers);
      }
      graph_.set_types(node, layer, inputs, casts_.policy_of(called.name));
      for (std::size_t i = 0; i < graph_.types.outputs_of(node).size(); ++i) {
        const auto output = static_cast<std::int64_t>(i);
        graph_.give({called.name, pending.number, output}, {node, output});
      }
      PlainCall made{std::move(inputs)};
      for (const auto& [name, input] : arguments.named) made.named.emplace_back(name, graph_.value_of(input));
      for (const auto& [name, value] : made.named)
        if (casts_.taken(value, called.name, Integers::Stay) != value)
          throw Unsupported("Keras casts its " + name + " to its dtype policy, which is not known yet");
      const std::vector<std::optional<Value>> counted = follow_masks(call, layer, node, made);
      made_node.arguments = node_of(node, layer, made).arguments;
      graph_.add_node(std::move(made_node));
      casts_.give_keras_types(called.name, pending.number, node, wanted);
      if (rounded_to) graph_.give({called.name, pending.number, 0}, casts_.rounded({node, 0}, *rounded_to));
      give_what_counts(pending, layer, counted);
    } catch (const Unsupported& error) {
      problems_ += (problems_.empty() ? "" : "; ") + described + ": " + error.what();
      is_operation_unknown_ = is_operation_unknown_ || may_be_operation(called);
      give_up();
    } catch (const Error& error) {
      rethrow_in_file(error, described);
    }
  }

  // What comes into a model within the model is what its call is given, of the type that it declares. Where that is
  // given to two of its inputs, or with a mask, and for what it gives out as it came, a layer tells whose it is.
  void add_port(const PendingCall& pending) {
    const KerasLayer& called = *pending.layer;
    const KerasCall& call = pending.call;
    Value value = graph_.value_of(call.tensors().at(0));
    const std::string& class_name = called.class_name;
    bool is_told_apart = class_name == kPassedOn || class_name == kWrapperResult;
    std::optional<Value> mask;
    for (const auto& [name, argument] : call.keywords)
      if (const KerasTensor* tensor = argument.tensor()) mask = graph_.value_of(*tensor);
    if (class_name == kWrapperInput) {
      is_told_apart = mask.has_value();
    } else if (class_name == kWrapperTyped) {
      const DType wanted = graph_.types.of(graph_.value_of(call.tensors().at(1))).dtype;
      if (graph_.types.of(value).dtype != wanted && is_integral(wanted))
        value = casts_.cast(value, wanted, std::string(name_of(wanted)));
    } else if (!is_told_apart) {
      if (!call.within_call) throw MalformedFile("an input of the model is called");
      const auto& [shape, dtype, is_optional] = declared_by(called);
      if (graph_.types.of(value).shape.size() != shape.as_array().size())
        throw Unsupported("it is given a tensor of another rank than its shape " + quoted(shape) + " has");
      const DType given = graph_.types.of(value).dtype;
      if (given != dtype && !(is_floating_point(given) && is_floating_point(dtype)))
        value = casts_.cast(value, dtype, std::string(name_of(dtype)));
      is_told_apart = !given_to_.emplace(*call.within_call, value).second || mask;
    }
    if (is_told_apart) {
      Layer told_apart{{}, "Identity", Registry::instance().find("Identity")->defaults(), {}};
      told_apart.keras.implied = true;
      const Value result = graph_.add_own_layer(std::move(told_apart), called.name, {value});
      if (mask)
        masks_.give(*mask, result);
      else
        masks_.hand_on(class_name == kWrapperResult ? graph_.value_of(call.tensors().at(1)) : value, result);
      value = result;
    }
    graph_.give({called.name, pending.number, 0}, value);
  }

  // What a wrapper does to the tensors that it and its layer take and give.
  void add_wrappers_own(const PendingCall& pending) {
    const KerasLayer& called = *pending.layer;
    const KerasCall& call = pending.call;
    const std::vector<KerasTensor> given = call.tensors();
    const Value value = graph_.value_of(given.at(0));
    const bool merges = called.class_name == kStepsMerged;
    Layer layer{{}, merges ? "Flatten" : "Unflatten", {}, {}};
    if (merges) {
      if (graph_.types.of(value).shape.size() < 3)
        throw MalformedFile("it is given a tensor of " + std::to_string(graph_.types.of(value).shape.size()) +
                            " axes, expected at least 3: batch, steps, and what the layer takes of each");
      layer.attributes = Registry::instance().find("Flatten")->defaults();
      layer.attributes.set("start_dim", std::int64_t{0});
      layer.attributes.set("end_dim", std::int64_t{1});
    } else {
      const SymbolicShape& whole = graph_.shape_of(given.at(1));
      layer.attributes.set("dim", std::int64_t{0});
      layer.attributes.set("unflattened_size", SymbolicShape{whole[0], whole[1]});
    }
    layer.keras.implied = true;
    layer.keras.class_name = "TimeDistributed";
    layer.keras.variant = merges ? kMergesSteps : kTakesStepsApart;
    const std::string name = pending.number == 0 ? called.name : graph_.new_name(called.name);
    const Value result = graph_.add_layer(std::move(layer), name, {value});
    if (merges)
      masks_.refuse_if_masked(value, result,
                              "TimeDistributed hands each step's part of a mask to the layer that it "
                              "wraps, which is not known yet");
    else if (!masks_.hand_on(graph_.value_of(given.at(1)), result) && call.hands_mask_on)
      masks_.refuse_if_masked(value, result,
                              "Keras 2 gives it that of the layer that is wrapped, which is not known yet");
    graph_.give({called.name, pending.number, 0}, result);
  }

  // A layer that takes masks when it runs heeds no mask of its query that it is told; up to Keras 2, which of them it
  // heeds hangs on the version.
  void refuse_unheeded_masks(const KerasCall& said, const PlainCall& call) const {
    for (const auto& [name, value] : call.named)
      if (name == "query_mask") throw Unsupported("is called with query_mask, which Keras does not heed");
    if (said.hands_mask_on && std::ranges::any_of(call.inputs, [&](const Value& v) { return masks_.has(v); }))
      throw Unsupported("its inputs have masks, and whether Keras 2 heeds them hangs on its version");
  }

  // Gives the call the masks that Keras would, and notes what becomes of them. An operation takes none and has none.
  // Gives where each of the inputs counts, if that matters to what the layer makes of them.
  std::vector<std::optional<Value>> follow_masks(const KerasCall& said, const Layer& layer, const std::string& node,
                                                 PlainCall& call) {
    const KerasMapping& mapping = *read_.at(layer.name).mapping;
    if (mapping.is_operation()) return {};
    const LayerType& type = Registry::instance().type_of(layer);
    const bool when_run = mapping.takes_masks_unsaid && !said.hands_mask_on;
    const ImpliedMasks::Handing handing{.by_itself = when_run || takes_implied_mask(said),
                                        .by_itself_in_keras_3 = when_run || hands_mask_to_keras_3(said),
                                        .joins = said.hands_mask_on,
                                        .joins_when_run = !said.hands_mask_on,
                                        .takes_away = when_run};
    if (mapping.takes_masks_unsaid) refuse_unheeded_masks(said, call);
    std::vector<std::string> takes = mapping.call;
    for (const ListParameter& list : mapping.lists)
      takes.insert(takes.end(), list.operands.begin(), list.operands.end());
    masks_.hand_to(call, type, takes, handing);
    const Value output{node, 0};
    const auto rank = static_cast<std::int64_t>(graph_.types.of(output).shape.size());
    const bool keeps_rank = graph_.types.of(call.inputs.at(0)).shape.size() == graph_.types.of(output).shape.size();
    masks_.follow(layer, type, call.inputs, output, rank, keeps_rank, handing);
    if (said.hands_mask_on) return {};
    std::vector<std::optional<Value>> counted = uncounted_.counted(type.mask, call.inputs);
    call.inputs = uncounted_.replaced(type.mask, call.inputs, counted);
    return counted;
  }

  void give_what_counts(const PendingCall& pending, const Layer& layer,
                        const std::vector<std::optional<Value>>& counted) {
    if (std::ranges::none_of(counted, &std::optional<Value>::has_value)) return;
    const Value merged = graph_.value_of({pending.layer->name, pending.number, 0});
    const Value result = uncounted_.result(Registry::instance().type_of(layer).mask, merged, counted);
    if (result == merged) return;
    masks_.hand_on(merged, result);
    graph_.give({pending.layer->name, pending.number, 0}, result);
  }

  // Layers that make constants for the layer `user`.
  MakeTensor constants_for(const std::string& user) {
    return [this, user](Layer layer) {
      const std::vector<Value> hung_on{{graph_.architecture.inputs.at(0).name}};
      const Value value = graph_.add_own_layer(std::move(layer), user + "_constant", hung_on);
      graph_.give({value.node, 0, 0}, value);
      return History{value.node, 0, 0};
    };
  }

  // Most operations that take a number in place of a tensor have a setting for it; others are given a tensor of it.
  void add_layer_with_constants(PendingCall& call) {
    std::exception_ptr refusal;
    try {
      return add_layer(call);
    } catch (const Error&) {
      refusal = std::current_exception();
    }
    PendingCall other = call;
    other.call = numbers_as_tensors(call.call, constants_for(call.layer->name));
    if (other.call.tensors().size() == call.call.tensors().size()) std::rethrow_exception(refusal);
    try {
      add_layer(other);
    } catch (const Error&) {
      std::rethrow_exception(refusal);
    }
    call = std::move(other);
    with_constants_.insert(call.layer->name);
  }

  void add_layer(const PendingCall& call) {
    const std::string& layer = call.layer->name;
    ReadLayer read = read_layer({*call.layer, call.number, call.call}, graph_);
    name(read.layer, call);
    places_[layer] = graph_.architecture.layers.size();
    graph_.architecture.layers.push_back(std::move(read.layer));
    read_.insert_or_assign(layer, std::move(read));
  }

  const Layer& layer_called(const std::string& name) const { return graph_.architecture.layers[places_.at(name)]; }

  // What the layer is called, and what Keras calls it where that does not follow.
  void name(Layer& layer, const PendingCall& call) const {
    layer.name = call.layer->name;
    const std::string& said = call.layer->keras_name;
    const auto& within_call = call.call.within_call;
    const std::string scope = within_call ? inner_.calls.at(*within_call).model + "." : "";
    const std::string usual = layer.name.starts_with(scope) ? layer.name.substr(scope.size()) : layer.name;
    if (keras_name(usual) != said) layer.keras.name = said;  // with a '.', as JAX lets it have
    if (const auto activation = activations_.find(layer.name); activation != activations_.end()) {
      layer.keras.fused_into = activation->second.host;
      layer.keras.fused_as = activation->second.name;
    }
  }

  const std::map<std::string, ActivationApart>& activations_;
  const ExpandedModel& inner_;
  std::vector<std::string> scope_calls_;              // their names
  std::set<std::pair<std::size_t, Value>> given_to_;  // what each of them takes
  LiftedGraph graph_;
  std::map<std::string, const KerasLayer*> layers_;  // of the flat model
  std::map<std::string, std::size_t> places_;        // of the layers in the architecture
  std::map<std::string, ReadLayer> read_;            // what each layer was read by
  std::set<std::string> with_constants_;             // layers that are given tensors for numbers
  std::map<std::string, std::int64_t> calls_made_;   // of each layer
  std::set<std::string> unknown_;                    // nodes of layers that are not known
  std::map<std::string, std::string> given_up_;      // by the layers' names, the first of these
  ImpliedMasks masks_{[this](Layer layer, const std::string& of, std::vector<Value> inputs) {
                        return graph_.add_own_layer(std::move(layer), of + "_mask", std::move(inputs));
                      },
                      [this](const Value& value, const std::string& node) { return graph_.is_made_from(value, node); }};
  Uncounted uncounted_{masks_,
                       [this](Layer layer, const std::string& name, std::vector<Value> inputs) {
                         return graph_.add_own_layer(std::move(layer), name, std::move(inputs));
                       },
                       [this](const Value& value) { return graph_.types.of(value).shape.size(); }};
  ImpliedCasts casts_{graph_, masks_};
  std::string problems_;
  bool is_operation_unknown_ = false;
};

}  // namespace

Architecture architecture_from_keras(const Json& model_config) {
  ExpandedModel expanded = expand(parse_model(model_config));
  const auto activations = take_activations_apart(expanded.model, expanded.calls);
  const SharedPairs pairs = split_shared_uses(expanded.model, expanded.calls);
  Architecture result = Lifter(activations, expanded).run();
  tie_pairs(pairs, result);
  return result;
}

}  // namespace h5bridge
