// From a Keras configuration to an architecture.
#include "keras/lift.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>
#include <set>
#include <variant>

#include "facets/keras/keras_plan.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/activations.h"
#include "keras/argument_tensors.h"
#include "keras/call.h"
#include "keras/dtype_policies.h"
#include "keras/implied_casts.h"
#include "keras/implied_masks.h"
#include "keras/inline_models.h"
#include "keras/lift_scopes.h"
#include "keras/lifted_graph.h"
#include "keras/masked_merges.h"
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
  const Json* layer;
  std::string name;
  std::int64_t call;
  CallArguments arguments;
  std::optional<std::size_t> part_of = {};  // of the calls of inner models
};

// Of what a layer of PyTorch's became in Keras, the operations do not tell which layer it was.
constexpr const char* kWhoKnowsOperations =
    "; if the network was PyTorch's, its architecture JSON beside the file says what its operations are";

class Lifter {
 public:
  Lifter(const std::map<std::string, ActivationApart>& activations, const InlinedModels& inner)
      : activations_(activations), inner_(inner), scope_calls_(scope_call_names(inner)) {}

  Architecture run(const Json& model_config) {
    const std::string& class_name = model_config.at("class_name").as_string();
    const Json& config = model_config.at("config");
    if (const Json* layers = config.find("layers"))
      for (const Json& layer : layers->as_array()) {
        if (!graph_.take_name(entry_name(layer)))
          throw MalformedFile("two layers are called \"" + shortened(entry_name(layer)) + "\"");
        if (entry_name(layer).find(':') != std::string::npos)  // which parts a layer from the number of its output
          throw Unsupported(describe_entry(layer) +
                            ": a name with a ':' in it cannot be kept; give it another in Keras");
        note_policy(layer);
      }
    graph_.architecture.keras = model_origin(model_config);
    graph_.architecture.keras.config.erase("dtype");  // its layers say
    graph_.architecture.name = graph_.architecture.keras.name.value_or("");
    if (class_name == "Sequential" && !config.find("input_layers"))
      lift_sequential(config);
    else if (class_name == "Functional" || class_name == "Model" || class_name == "Sequential")
      lift_functional(config);
    else
      throw Unsupported("a model of class " + shortened(class_name) +
                        (config.find("layers") ? " may compute something else than its layers do: if it does not, save "
                                                 "keras.Model(model.inputs, model.outputs) instead"
                                               : " does not describe its layers; only Sequential and Functional "
                                                 "models do"));
    if (!problems_.empty()) throw Unsupported(problems_ + (is_operation_unknown_ ? kWhoKnowsOperations : ""));
    note_scopes(inner_, scope_calls_, input_layers_, graph_);
    check_graph(graph_.architecture);
    if (differs_from(graph_.architecture, DataFormat::ChannelsFirst))
      graph_.architecture.keras.data_format = DataFormat::ChannelsLast;
    else if (differs_from(graph_.architecture, DataFormat::ChannelsLast))
      graph_.architecture.keras.data_format = DataFormat::ChannelsFirst;
    return std::move(graph_.architecture);
  }

 private:
  // Of an operation there is none.
  void note_policy(const Json& layer) {
    const auto mappings = mappings_of_entry(layer);
    if (layer.at("class_name") == Json("InputLayer") || std::ranges::all_of(mappings, &KerasMapping::is_operation))
      return;
    const Json& config = layer.at("config");
    if (const auto policy = config.is_object() ? stated_policy(config.as_object()) : std::nullopt)
      casts_.note_policy(entry_name(layer), *policy);
  }

  void lift_sequential(const Json& config) {
    const Json::Array& layers = config.at("layers").as_array();
    std::string last;
    for (const Json& layer : layers) {
      if (layer.at("class_name") == Json("InputLayer")) {
        if (!last.empty())
          throw MalformedFile("the input layer \"" + shortened(entry_name(layer)) + "\" is not the first");
        add_input(layer);
      } else {
        if (last.empty()) add_built_input(layer, config);
        add_call({&layer,
                  entry_name(layer),
                  0,
                  {.positional = {CallArguments::Tensors{
                       {History{last.empty() ? graph_.architecture.inputs[0].name : last, 0, 0}}}},
                   .keywords = {}}});
      }
      last = entry_name(layer);
    }
    if (last.empty()) throw MalformedFile("the model has no layers");
    graph_.architecture.outputs.push_back({"", graph_.value_of({last, 0, 0})});
  }

  // A Sequential model without an InputLayer: the shape it was built with.
  void add_built_input(const Json& first, const Json& config) {
    const Json* shape = first.at("config").find("batch_input_shape");
    if (!shape) shape = config.find("build_input_shape");
    if (!shape || !shape->is_array())
      throw Unsupported("the Sequential model was never built, so that its input's shape is not known");
    graph_.add_input(graph_.new_name("input"), graph_.declared_shape(*shape), DType::Float32);
  }

  void lift_functional(const Json& config) {
    std::deque<PendingCall> pending;
    for (const Json& layer : config.at("layers").as_array()) {
      if (layer.at("class_name") == Json("InputLayer")) input_layers_[entry_name(layer)] = &layer;
      const Json* nodes = layer.find("inbound_nodes");
      if (!nodes) throw MalformedFile(describe_entry(layer) + " has no \"inbound_nodes\"");
      std::int64_t count = 0;
      for (const Json& node : nodes->as_array()) {
        const Json* part = node.find(kScopeCall);
        pending.push_back({&layer, entry_name(layer), count++, arguments_of_entry(layer, node),
                           part ? std::optional(static_cast<std::size_t>(part->as_integer())) : std::nullopt});
      }
    }
    for_each_port(config.at("input_layers"), [&](const std::string&, const History& input) {
      const auto layer = input_layers_.find(input.layer);
      if (layer == input_layers_.end())
        throw MalformedFile("the model's input \"" + shortened(input.layer) + "\" is no InputLayer");
      add_input(*layer->second);
    });
    if (graph_.architecture.inputs.empty()) throw MalformedFile("the model has no inputs");
    // Layers come in no promised order; a layer that is called twice may wait for one that stands behind it. Its calls
    // keep theirs, as in Keras: the first defines it.
    std::size_t waiting = 0;
    while (!pending.empty()) {
      PendingCall call = std::move(pending.front());
      pending.pop_front();
      const bool ready =
          call.call == calls_made_[call.name] &&
          std::ranges::all_of(call.arguments.tensors(), [&](const History& h) { return find_value(h).has_value(); });
      if (ready) {
        add_call(call);
        waiting = 0;
      } else {
        pending.push_back(std::move(call));
        if (++waiting > pending.size())
          throw MalformedFile("the layer \"" + shortened(pending.front().name) +
                              "\" is called with tensors that no layer makes");
      }
    }
    for_each_port(config.at("output_layers"), [&](const std::string& name, const History& output) {
      const std::optional<Value> value = find_value(output);
      if (!value) throw MalformedFile("the model's output " + shortened(output.layer) + " is made by no layer");
      if (!name.empty() && std::ranges::count(graph_.architecture.outputs, name, &Output::name) > 0)
        throw Unsupported("two outputs of the model would be called \"" + shortened(name) + '"');
      graph_.architecture.outputs.push_back({name, *value});
    });
  }

  void add_input(const Json& layer) {
    const DeclaredInput declared = declared_by(layer);
    graph_.add_input(entry_name(layer), graph_.declared_shape(declared.shape), declared.dtype);
    if (declared.is_optional) graph_.architecture.keras.optional_inputs.push_back(entry_name(layer));
  }

  // What a call has made. Of a layer that is not known, that is any number of outputs; and how its calls are counted is
  // not known either: those of a Functional model within a model begin at 1.
  std::optional<Value> find_value(const History& history) const {
    if (const Value* found = graph_.find(history)) return *found;
    const auto given_up = given_up_.find(history.layer);
    return given_up == given_up_.end() ? std::nullopt : std::optional(Value{given_up->second, history.tensor});
  }

  void add_call(PendingCall call) {
    const std::string described = describe_entry(*call.layer);
    graph_.enter(call.part_of ? scope_calls_.at(*call.part_of) : "");
    // The first call has its layer's name, which is taken from the beginning.
    const std::string node = call.call == 0 ? call.name : graph_.new_name(call.name);
    ++calls_made_[call.name];
    const auto give_up = [&] {
      unknown_.insert(node);
      given_up_.emplace(call.name, node);
      graph_.give({call.name, call.call, 0}, {node, 0});
    };
    // Of a layer that its first call could not make nothing more is to be said.
    const bool is_port = is_port_of_model(*call.layer);
    if (call.call > 0 && !is_port && !is_of_a_wrapper(*call.layer) && !read_.contains(call.name)) return give_up();
    try {
      // What comes after a layer that is not known cannot be checked; all such layers are reported together.
      const bool known_inputs = std::ranges::none_of(
          call.arguments.tensors(), [&](const History& input) { return unknown_.contains(find_value(input)->node); });
      if (!known_inputs && (is_port || is_of_a_wrapper(*call.layer) || !mappings_of_entry(*call.layer).empty()))
        return give_up();
      if (is_port) return add_port(call);
      if (is_of_a_wrapper(*call.layer)) return add_wrappers_own(call);
      make_arrays(*call.layer, call.arguments, constants_for(call.name));
      Node made_node{node, call.name, {}};
      if (call.call == 0) {
        add_layer_with_constants(call);
      } else {
        if (with_constants_.contains(call.name))
          call.arguments = numbers_as_tensors(std::move(call.arguments), constants_for(call.name));
        made_node.attributes = attributes_of_further({*call.layer, call.name, call.call, call.arguments},
                                                     read_.at(call.name), layer_called(call.name), graph_);
      }
      const Layer layer = as_called(layer_called(call.name), made_node);  // a copy: casts and masks come beside it
      const KerasMapping& mapping = *read_.at(call.name).mapping;
      const BoundCall arguments = bound(call.arguments, mapping);
      std::vector<Value> inputs;
      for (const History& input : arguments.inputs) inputs.push_back(graph_.value_of(input));
      const std::vector<DType> wanted = casts_.keras_types(mapping, layer, inputs);
      const std::optional<DType> rounded_to = casts_.type_rounded_to(mapping, layer, inputs);
      for (Value& input : inputs) {
        if (rounded_to) input = casts_.cast(input, DType::Float32, "float");
        if (mapping.casts_inputs) input = casts_.integers_as(input, wanted.at(0));
        input = casts_.taken(input, call.name, Registry::instance().type_of(layer).integers);
      }
      graph_.set_types(node, layer, inputs, casts_.policy_of(call.name));
      for (std::size_t i = 0; i < graph_.types.outputs_of(node).size(); ++i) {
        const auto output = static_cast<std::int64_t>(i);
        graph_.give({call.name, call.call, output}, {node, output});
      }
      PlainCall made{std::move(inputs)};
      for (const auto& [name, input] : arguments.named) made.named.emplace_back(name, graph_.value_of(input));
      for (const auto& [name, value] : made.named)
        if (casts_.taken(value, call.name, Integers::Stay) != value)
          throw Unsupported("Keras casts its " + name + " to its dtype policy, which is not known yet");
      const std::vector<std::optional<Value>> counted = follow_masks(call.arguments, layer, node, made);
      made_node.arguments = node_of(node, layer, made).arguments;
      graph_.add_node(std::move(made_node));
      casts_.give_keras_types(call.name, call.call, node, wanted);
      if (rounded_to) graph_.give({call.name, call.call, 0}, casts_.rounded({node, 0}, *rounded_to));
      give_what_counts(call, layer, counted);
    } catch (const Unsupported& error) {
      problems_ += (problems_.empty() ? "" : "; ") + described + ": " + error.what();
      is_operation_unknown_ = is_operation_unknown_ || may_be_operation(*call.layer);
      give_up();
    } catch (const Error& error) {
      rethrow_in_file(error, described);
    }
  }

  // What comes into a model within the model is what its call is given, of the type that it declares. Where that is
  // given to two of its inputs, or with a mask, and for what it gives out as it came, a layer tells whose it is.
  void add_port(const PendingCall& call) {
    Value value = graph_.value_of(call.arguments.tensors().at(0));
    const Json& class_name = call.layer->at("class_name");
    bool is_told_apart = class_name == Json(kPassedOn) || class_name == Json(kWrapperResult);
    std::optional<Value> mask;
    for (const auto& [name, argument] : call.arguments.keywords)
      if (const auto* tensors = std::get_if<CallArguments::Tensors>(&argument))
        mask = graph_.value_of(*tensors->elements.at(0));
    if (class_name == Json(kWrapperInput)) {
      is_told_apart = mask.has_value();
    } else if (class_name == Json(kWrapperTyped)) {
      const DType wanted = graph_.types.of(graph_.value_of(call.arguments.tensors().at(1))).dtype;
      if (graph_.types.of(value).dtype != wanted && is_integral(wanted))
        value = casts_.cast(value, wanted, std::string(name_of(wanted)));
    } else if (!is_told_apart) {
      const auto& [shape, dtype, is_optional] = declared_by(*call.layer);
      if (graph_.types.of(value).shape.size() != shape.as_array().size())
        throw Unsupported("it is given a tensor of another rank than its shape " + quoted(shape) + " has");
      const DType given = graph_.types.of(value).dtype;
      if (given != dtype && !(is_floating_point(given) && is_floating_point(dtype)))
        value = casts_.cast(value, dtype, std::string(name_of(dtype)));
      is_told_apart = !given_to_.emplace(*call.part_of, value).second || mask;
    }
    if (is_told_apart) {
      Layer told_apart{{}, "Identity", Registry::instance().find("Identity")->defaults(), {}};
      told_apart.keras.implied = true;
      const Value result = graph_.add_own_layer(std::move(told_apart), call.name, {value});
      if (mask)
        masks_.give(*mask, result);
      else
        masks_.hand_on(class_name == Json(kWrapperResult) ? graph_.value_of(call.arguments.tensors().at(1)) : value,
                       result);
      value = result;
    }
    graph_.give({call.name, call.call, 0}, value);
  }

  // What a wrapper does to the tensors that it and its layer take and give.
  void add_wrappers_own(const PendingCall& call) {
    const std::vector<History> given = call.arguments.tensors();
    const Value value = graph_.value_of(given.at(0));
    const bool merges = call.layer->at("class_name") == Json(kStepsMerged);
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
    const std::string name = call.call == 0 ? call.name : graph_.new_name(call.name);
    const Value result = graph_.add_layer(std::move(layer), name, {value});
    if (merges)
      masks_.refuse_if_masked(value, result,
                              "TimeDistributed hands each step's part of a mask to the layer that it "
                              "wraps, which is not known yet");
    else if (!masks_.hand_on(graph_.value_of(given.at(1)), result) && !call.arguments.is_keras_3)
      masks_.refuse_if_masked(value, result,
                              "Keras 2 gives it that of the layer that is wrapped, which is not known yet");
    graph_.give({call.name, call.call, 0}, result);
  }

  // What Keras calls a layer, in its own model.
  const std::string& name_in_keras(const std::string& name) const {
    const auto inner = inner_.names.find(name);
    return inner == inner_.names.end() ? name : inner->second;
  }

  // A layer that takes masks when it runs heeds no mask of its query that it is told; up to Keras 2, which of them it
  // heeds hangs on the version.
  void refuse_unheeded_masks(const CallArguments& arguments, const PlainCall& call) const {
    for (const auto& [name, value] : call.named)
      if (name == "query_mask") throw Unsupported("is called with query_mask, which Keras does not heed");
    if (!arguments.is_keras_3 && std::ranges::any_of(call.inputs, [&](const Value& v) { return masks_.has(v); }))
      throw Unsupported("its inputs have masks, and whether Keras 2 heeds them hangs on its version");
  }

  // Gives the call the masks that Keras would, and notes what becomes of them. An operation takes none and has none.
  // Gives where each of the inputs counts, if that matters to what the layer makes of them.
  std::vector<std::optional<Value>> follow_masks(const CallArguments& arguments, const Layer& layer,
                                                 const std::string& node, PlainCall& call) {
    const KerasMapping& mapping = *read_.at(layer.name).mapping;
    if (mapping.is_operation()) return {};
    const LayerType& type = Registry::instance().type_of(layer);
    const bool when_run = mapping.takes_masks_unsaid && arguments.is_keras_3;
    const ImpliedMasks::Handing handing{.by_itself = when_run || arguments.takes_implied_mask(),
                                        .by_itself_in_keras_3 = when_run || arguments.hands_mask_to_keras_3(),
                                        .joins = !arguments.is_keras_3,
                                        .joins_when_run = arguments.is_keras_3,
                                        .takes_away = when_run};
    if (mapping.takes_masks_unsaid) refuse_unheeded_masks(arguments, call);
    std::vector<std::string> takes = mapping.call;
    for (const ListParameter& list : mapping.lists)
      takes.insert(takes.end(), list.operands.begin(), list.operands.end());
    masks_.hand_to(call, type, takes, handing);
    const Value output{node, 0};
    const auto rank = static_cast<std::int64_t>(graph_.types.of(output).shape.size());
    const bool keeps_rank = graph_.types.of(call.inputs.at(0)).shape.size() == graph_.types.of(output).shape.size();
    masks_.follow(layer, type, call.inputs, output, rank, keeps_rank, handing);
    if (!arguments.is_keras_3) return {};
    std::vector<std::optional<Value>> counted = uncounted_.counted(type.mask, call.inputs);
    call.inputs = uncounted_.replaced(type.mask, call.inputs, counted);
    return counted;
  }

  void give_what_counts(const PendingCall& call, const Layer& layer, const std::vector<std::optional<Value>>& counted) {
    if (std::ranges::none_of(counted, &std::optional<Value>::has_value)) return;
    const Value merged = graph_.value_of({call.name, call.call, 0});
    const Value result = uncounted_.result(Registry::instance().type_of(layer).mask, merged, counted);
    if (result == merged) return;
    masks_.hand_on(merged, result);
    graph_.give({call.name, call.call, 0}, result);
  }

  // Layers that make constants for the layer `user`.
  MakeTensor constants_for(const std::string& user) {
    return [this, user](Layer layer) -> CallArguments::Tensors {
      const std::vector<Value> hung_on{{graph_.architecture.inputs.at(0).name}};
      const Value value = graph_.add_own_layer(std::move(layer), user + "_constant", hung_on);
      graph_.give({value.node, 0, 0}, value);
      return {{History{value.node, 0, 0}}};
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
    other.arguments = numbers_as_tensors(call.arguments, constants_for(call.name));
    if (other.arguments.tensors().size() == call.arguments.tensors().size()) std::rethrow_exception(refusal);
    try {
      add_layer(other);
    } catch (const Error&) {
      std::rethrow_exception(refusal);
    }
    call = std::move(other);
    with_constants_.insert(call.name);
  }

  void add_layer(const PendingCall& call) {
    ReadLayer read = read_layer({*call.layer, call.name, call.call, call.arguments}, graph_);
    name(read.layer, call);
    places_[call.name] = graph_.architecture.layers.size();
    graph_.architecture.layers.push_back(std::move(read.layer));
    read_.insert_or_assign(call.name, std::move(read));
  }

  const Layer& layer_called(const std::string& name) const { return graph_.architecture.layers[places_.at(name)]; }

  // What the layer is called, and what Keras calls it where that does not follow.
  void name(Layer& layer, const PendingCall& call) const {
    layer.name = call.name;
    const std::string& said = name_in_keras(call.name);
    const std::string scope = call.part_of ? inner_.calls.at(*call.part_of).model + "." : "";
    const std::string usual = call.name.starts_with(scope) ? call.name.substr(scope.size()) : call.name;
    if (keras_name(usual) != said) layer.keras.name = said;  // with a '.', as JAX lets it have
    if (const auto activation = activations_.find(call.name); activation != activations_.end()) {
      layer.keras.fused_into = activation->second.host;
      layer.keras.fused_as = activation->second.name;
    }
  }

  const std::map<std::string, ActivationApart>& activations_;
  const InlinedModels& inner_;
  std::vector<std::string> scope_calls_;              // their names
  std::set<std::pair<std::size_t, Value>> given_to_;  // what each of them takes
  LiftedGraph graph_;
  std::map<std::string, const Json*> input_layers_;
  std::map<std::string, std::size_t> places_;       // of the layers in the architecture
  std::map<std::string, ReadLayer> read_;           // what each layer was read by
  std::set<std::string> with_constants_;            // layers that are given tensors for numbers
  std::map<std::string, std::int64_t> calls_made_;  // of each layer
  std::set<std::string> unknown_;                   // nodes of layers that are not known
  std::map<std::string, std::string> given_up_;     // by the layers' names, the first of these
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
  InlinedModels inlined = inline_models(model_config);
  ActivationsApart apart = with_activations_apart(std::move(inlined.model));
  const SplitConfiguration split = split_shared_uses(std::move(apart.model));
  Architecture result = Lifter(apart.activations, inlined).run(split.model);
  tie_pairs(split.pairs, result);
  return result;
}

}  // namespace h5bridge
