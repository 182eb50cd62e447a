// From a Keras configuration to an architecture.
#include "keras/lift.h"

#include <algorithm>
#include <array>
#include <deque>
#include <exception>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <variant>

#include "facets/keras/keras_plan.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/activations.h"
#include "keras/call.h"
#include "keras/constants.h"
#include "keras/dtype_policies.h"
#include "keras/implied_masks.h"
#include "keras/inline_models.h"
#include "keras/shared_uses.h"
#include "keras/spelling.h"
#include "keras/uncounted.h"
#include "keras/wrappers.h"
#include "model/promotion.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"
#include "passes/infer_types.h"
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
      : activations_(activations), inner_(inner) {
    std::map<std::string, int> calls;
    for (const InlinedCall& call : inner.calls) {
      const int number = calls[call.model]++;
      scope_calls_.push_back(number == 0 ? call.model : call.model + "_" + std::to_string(number));
    }
  }

  Architecture run(const Json& model_config) {
    const std::string& class_name = model_config.at("class_name").as_string();
    const Json& config = model_config.at("config");
    if (const Json* layers = config.find("layers"))
      for (const Json& layer : layers->as_array()) {
        if (!taken_names_.insert(entry_name(layer)).second)
          throw MalformedFile("two layers are called \"" + shortened(entry_name(layer)) + "\"");
        if (entry_name(layer).find(':') != std::string::npos)  // which parts a layer from the number of its output
          throw Unsupported(describe_entry(layer) +
                            ": a name with a ':' in it cannot be kept; give it another in Keras");
        note_policy(layer);
      }
    architecture_.keras = model_origin(model_config);
    architecture_.keras.config.erase("dtype");  // its layers say
    architecture_.name = architecture_.keras.name.value_or("");
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
    note_scopes();
    check_graph(architecture_);
    if (differs_from(architecture_, DataFormat::ChannelsFirst))
      architecture_.keras.data_format = DataFormat::ChannelsLast;
    else if (differs_from(architecture_, DataFormat::ChannelsLast))
      architecture_.keras.data_format = DataFormat::ChannelsFirst;
    return std::move(architecture_);
  }

 private:
  // Of an operation there is none.
  void note_policy(const Json& layer) {
    const auto mappings = mappings_of(layer);
    if (layer.at("class_name") == Json("InputLayer") || std::ranges::all_of(mappings, &KerasMapping::is_operation))
      return;
    const Json& config = layer.at("config");
    if (const auto policy = config.is_object() ? stated_policy(config.as_object()) : std::nullopt)
      different_policies_.insert(policies_[entry_name(layer)] = *policy);
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
                       {History{last.empty() ? architecture_.inputs[0].name : last, 0, 0}}}},
                   .keywords = {}}});
      }
      last = entry_name(layer);
    }
    if (last.empty()) throw MalformedFile("the model has no layers");
    architecture_.outputs.push_back({"", values_.at({last, 0, 0})});
  }

  // A Sequential model without an InputLayer: the shape it was built with.
  void add_built_input(const Json& first, const Json& config) {
    const Json* shape = first.at("config").find("batch_input_shape");
    if (!shape) shape = config.find("build_input_shape");
    if (!shape || !shape->is_array())
      throw Unsupported("the Sequential model was never built, so that its input's shape is not known");
    add_input(new_name("input"), *shape, DType::Float32);
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
        pending.push_back({&layer, entry_name(layer), count++, arguments_of(layer, node),
                           part ? std::optional(static_cast<std::size_t>(part->as_integer())) : std::nullopt});
      }
    }
    for_each_port(config.at("input_layers"), [&](const std::string&, const History& input) {
      const auto layer = input_layers_.find(input.layer);
      if (layer == input_layers_.end())
        throw MalformedFile("the model's input \"" + shortened(input.layer) + "\" is no InputLayer");
      add_input(*layer->second);
    });
    if (architecture_.inputs.empty()) throw MalformedFile("the model has no inputs");
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
      if (!name.empty() && std::ranges::count(architecture_.outputs, name, &Output::name) > 0)
        throw Unsupported("two outputs of the model would be called \"" + shortened(name) + '"');
      architecture_.outputs.push_back({name, *value});
    });
  }

  static CallArguments arguments_of(const Json& layer, const Json& node) {
    try {
      return CallArguments::from_node(node);
    } catch (const Error& error) {
      rethrow_in_file(error, describe_entry(layer));
    }
  }

  // Whether it may be an operation of keras.ops: a layer says whether it is trainable, whatever its class.
  static bool is_operation(const Json& layer) {
    const Json& config = layer.at("config");
    const auto mappings = mappings_of(layer);
    return config.is_object() && !config.find("trainable") && !is_port_of_model(layer) &&
           (mappings.empty() || std::ranges::any_of(mappings, &KerasMapping::is_operation));
  }

  void add_input(const Json& layer) {
    const auto [shape, dtype] = declared_by(layer);
    add_input(entry_name(layer), *shape, dtype);
    if (is_optional(layer)) architecture_.keras.optional_inputs.push_back(entry_name(layer));
  }

  static bool is_optional(const Json& input_layer) {
    const Json* optional = input_layer.at("config").find("optional");
    return optional && *optional == Json(true);
  }

  // The shape and the type that an InputLayer declares.
  static std::pair<const Json*, DType> declared_by(const Json& layer) {
    const Json& config = layer.at("config");
    const Json* shape = config.find("batch_shape");
    if (!shape) shape = config.find("batch_input_shape");
    if (!shape) throw MalformedFile(describe_entry(layer) + " has no batch_shape");
    const Json* dtype = config.find("dtype");
    const auto known = dtype && dtype->is_string() ? dtype_named(dtype->as_string()) : DType::Float32;
    if (!known) throw Unsupported(describe_entry(layer) + " has dtype " + quoted(*dtype));
    return {shape, *known};
  }

  SymbolicShape declared_shape(const Json& shape) {
    SymbolicShape result;
    for (std::size_t i = 0; i < shape.as_array().size(); ++i) {
      const Json& size = shape.as_array()[i];
      if (!size.is_null())
        result.push_back(size.as_integer());
      else
        result.push_back(i == 0 ? Size::symbol("batch") : open_size());
    }
    return result;
  }

  void add_input(const std::string& name, const Json& shape, DType dtype) {
    Input input{name, declared_shape(shape), dtype};
    values_[{name, 0, 0}] = {name, 0};
    types_.set(name, {{dtype, input.shape}});
    architecture_.inputs.push_back(std::move(input));
  }

  // What a call has made. Of a layer that is not known, that is any number of outputs; and how its calls are counted is
  // not known either: those of a Functional model within a model begin at 1.
  std::optional<Value> find_value(const History& history) const {
    if (const auto found = values_.find(key(history)); found != values_.end()) return found->second;
    const auto given_up = given_up_.find(history.layer);
    return given_up == given_up_.end() ? std::nullopt : std::optional(Value{given_up->second, history.tensor});
  }

  // Keras does not say which open sizes are equal, so each gets a symbol of its own.
  Size open_size() { return Size::symbol("size" + std::to_string(++open_sizes_)); }

  // A name that no input, layer or node has.
  std::string new_name(const std::string& wanted) {
    const auto taken = [&](const std::string& name) { return taken_names_.contains(name); };
    return *taken_names_.insert(unique_name(wanted, taken)).first;
  }

  void add_call(PendingCall call) {
    const std::string described = describe_entry(*call.layer);
    part_of_ = call.part_of;
    // The first call has its layer's name, which is taken from the beginning.
    const std::string node = call.call == 0 ? call.name : new_name(call.name);
    ++calls_made_[call.name];
    const auto give_up = [&] {
      unknown_.insert(node);
      given_up_.emplace(call.name, node);
      values_[{call.name, call.call, 0}] = {node, 0};
    };
    // Of a layer that its first call could not make nothing more is to be said.
    const bool is_port = is_port_of_model(*call.layer);
    if (call.call > 0 && !is_port && !is_of_a_wrapper(*call.layer) && !mapping_of_.contains(call.name))
      return give_up();
    try {
      // What comes after a layer that is not known cannot be checked; all such layers are reported together.
      const bool known_inputs = std::ranges::none_of(
          call.arguments.tensors(), [&](const History& input) { return unknown_.contains(find_value(input)->node); });
      if (!known_inputs && (is_port || is_of_a_wrapper(*call.layer) || !mappings_of(*call.layer).empty()))
        return give_up();
      if (is_port) return add_port(call);
      if (is_of_a_wrapper(*call.layer)) return add_wrappers_own(call);
      make_arrays(call);
      Node made_node{node, call.name, {}};
      if (call.call == 0) {
        add_layer_with_constants(call);
      } else {
        if (with_constants_.contains(call.name)) call.arguments = constants_as_tensors(call);
        made_node.attributes = attributes_of_further(call);
      }
      const Layer layer = as_called(layer_called(call.name), made_node);  // a copy: casts and masks come beside it
      const BoundCall arguments = bound(call.arguments, *mapping_of_.at(call.name));
      std::vector<Value> inputs;
      for (const History& input : arguments.inputs) inputs.push_back(values_.at(key(input)));
      const std::vector<DType> wanted = keras_types(layer, inputs);
      const std::optional<DType> rounded_to = type_rounded_to(layer, inputs);
      for (Value& input : inputs) {
        if (rounded_to) input = cast(input, DType::Float32, "float");
        if (mapping_of_.at(call.name)->casts_inputs) input = integers_as(input, wanted.at(0));
        input = cast_by_keras(input, call.name, Registry::instance().type_of(layer).integers);
      }
      set_types(node, layer, inputs, policy_of(call.name));
      for (std::size_t i = 0; i < types_.outputs_of(node).size(); ++i) {
        const auto output = static_cast<std::int64_t>(i);
        values_[{call.name, call.call, output}] = {node, output};
      }
      PlainCall made{std::move(inputs)};
      for (const auto& [name, input] : arguments.named) made.named.emplace_back(name, values_.at(key(input)));
      for (const auto& [name, value] : made.named)
        if (cast_by_keras(value, call.name, Integers::Stay) != value)
          throw Unsupported("Keras casts its " + name + " to its dtype policy, which is not known yet");
      const std::vector<std::optional<Value>> counted = follow_masks(call.arguments, layer, node, made);
      made_node.arguments = node_of(node, layer, made).arguments;
      add_node(std::move(made_node));
      give_keras_types(call, node, wanted);
      if (rounded_to) values_[{call.name, call.call, 0}] = rounded({node, 0}, *rounded_to);
      give_what_counts(call, layer, counted);
    } catch (const Unsupported& error) {
      problems_ += (problems_.empty() ? "" : "; ") + described + ": " + error.what();
      is_operation_unknown_ = is_operation_unknown_ || is_operation(*call.layer);
      give_up();
    } catch (const Error& error) {
      rethrow_in_file(error, described);
    }
  }

  void add_node(Node node) {
    if (part_of_) node.scope_call = scope_calls_.at(*part_of_);
    architecture_.nodes.push_back(std::move(node));
  }

  static bool is_port_of_model(const Json& layer) {
    const Json& class_name = layer.at("class_name");
    return std::ranges::any_of(std::array{"InputLayer", kPassedOn, kWrapperInput, kWrapperResult},
                               [&](const char* port) { return class_name == Json(port); });
  }

  // What comes into a model within the model is what its call is given, of the type that it declares. Where that is
  // given to two of its inputs, or with a mask, and for what it gives out as it came, a layer tells whose it is.
  void add_port(const PendingCall& call) {
    Value value = values_.at(key(call.arguments.tensors().at(0)));
    const Json& class_name = call.layer->at("class_name");
    bool is_told_apart = class_name == Json(kPassedOn) || class_name == Json(kWrapperResult);
    std::optional<Value> mask;
    for (const auto& [name, argument] : call.arguments.keywords)
      if (const auto* tensors = std::get_if<CallArguments::Tensors>(&argument))
        mask = values_.at(key(*tensors->elements.at(0)));
    if (class_name == Json(kWrapperInput)) {
      is_told_apart = mask.has_value();
    } else if (!is_told_apart) {
      const auto [shape, dtype] = declared_by(*call.layer);
      if (types_.of(value).shape.size() != shape->as_array().size())
        throw Unsupported("it is given a tensor of another rank than its shape " + quoted(*shape) + " has");
      const DType given = types_.of(value).dtype;
      if (given != dtype && !(is_floating_point(given) && is_floating_point(dtype)))
        value = cast(value, dtype, std::string(name_of(dtype)));
      is_told_apart = !given_to_.emplace(*call.part_of, value).second || mask;
    }
    if (is_told_apart) {
      Layer told_apart{{}, "Identity", Registry::instance().find("Identity")->defaults(), {}};
      told_apart.keras.implied = true;
      const Value result = add_own_layer(std::move(told_apart), call.name, {value});
      if (mask)
        masks_.give(*mask, result);
      else
        masks_.hand_on(class_name == Json(kWrapperResult) ? values_.at(key(call.arguments.tensors().at(1))) : value,
                       result);
      value = result;
    }
    values_[{call.name, call.call, 0}] = value;
  }

  // What a wrapper does to the tensors that it and its layer take and give.
  void add_wrappers_own(const PendingCall& call) {
    const std::vector<History> given = call.arguments.tensors();
    const Value value = values_.at(key(given.at(0)));
    const bool merges = call.layer->at("class_name") == Json(kStepsMerged);
    Layer layer{{}, merges ? "Flatten" : "Unflatten", {}, {}};
    if (merges) {
      if (types_.of(value).shape.size() < 3)
        throw MalformedFile("it is given a tensor of " + std::to_string(types_.of(value).shape.size()) +
                            " axes, expected at least 3: batch, steps, and what the layer takes of each");
      layer.attributes = Registry::instance().find("Flatten")->defaults();
      layer.attributes.set("start_dim", std::int64_t{0});
      layer.attributes.set("end_dim", std::int64_t{1});
    } else {
      const SymbolicShape& whole = shape_of(given.at(1));
      layer.attributes.set("dim", std::int64_t{0});
      layer.attributes.set("unflattened_size", SymbolicShape{whole[0], whole[1]});
    }
    layer.keras.implied = true;
    layer.keras.class_name = "TimeDistributed";
    layer.keras.variant = merges ? kMergesSteps : kTakesStepsApart;
    const std::string name = call.call == 0 ? call.name : new_name(call.name);
    const Value result = add_named_layer(std::move(layer), name, {value});
    if (merges)
      masks_.refuse_if_masked(value, result,
                              "TimeDistributed hands each step's part of a mask to the layer that it "
                              "wraps, which is not known yet");
    else if (!masks_.hand_on(values_.at(key(given.at(1))), result) && !call.arguments.is_keras_3)
      masks_.refuse_if_masked(value, result,
                              "Keras 2 gives it that of the layer that is wrapped, which is not known yet");
    values_[{call.name, call.call, 0}] = result;
  }

  // Which layers and calls were an inner model's.
  void note_scopes() {
    for (const InlinedModel& model : inner_.models) {
      Scope scope{model.name, {}, model.origin};
      for (const std::string& input : model.inputs) {
        if (const auto layer = input_layers_.find(input); layer != input_layers_.end()) {
          const auto [shape, dtype] = declared_by(*layer->second);
          scope.inputs.push_back({inner_.names.at(input), declared_shape(*shape), dtype});
          if (is_optional(*layer->second)) scope.keras.optional_inputs.push_back(inner_.names.at(input));
        } else {  // a wrapper's, which declares nothing
          const TensorType& given = types_.of(values_.at({input, 0, 0}));
          scope.inputs.push_back({inner_.names.at(input), given.shape, given.dtype});
        }
      }
      architecture_.scopes.push_back(std::move(scope));
    }
    std::vector<std::size_t> order(inner_.calls.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](std::size_t call) {
      return std::ranges::find(inner_.models, inner_.calls[call].model, &InlinedModel::name) - inner_.models.begin();
    });
    for (const std::size_t i : order) {
      const InlinedCall& call = inner_.calls[i];
      ScopeCall made{scope_calls_[i], call.model, call.parent ? scope_calls_.at(*call.parent) : "", {}, {}, {},
                     call.keywords};
      for (const History& argument : call.arguments) made.arguments.push_back(values_.at(key(argument)));
      for (const History& result : call.results) made.results.push_back(values_.at(key(result)));
      for (const std::optional<History>& mask : call.masks)
        made.masks.push_back(mask ? std::optional(values_.at(key(*mask))) : std::nullopt);
      architecture_.scope_calls.push_back(std::move(made));
    }
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

  // Whether a value is made, in some steps, from what a node gives.
  bool is_made_from(const Value& value, const std::string& node) const {
    std::set<std::string_view> known{value.node};
    if (value.node == node) return true;
    for (auto i = architecture_.nodes.rbegin(); i != architecture_.nodes.rend(); ++i)
      if (known.contains(i->name))
        for (const Value& input : i->values()) {
          if (input.node == node) return true;
          known.insert(input.node);
        }
    return false;
  }

  // Gives the call the masks that Keras would, and notes what becomes of them. An operation takes none and has none.
  // Gives where each of the inputs counts, if that matters to what the layer makes of them.
  std::vector<std::optional<Value>> follow_masks(const CallArguments& arguments, const Layer& layer,
                                                 const std::string& node, PlainCall& call) {
    const KerasMapping& mapping = *mapping_of_.at(layer.name);
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
    const auto rank = static_cast<std::int64_t>(types_.of(output).shape.size());
    const bool keeps_rank = types_.of(call.inputs.at(0)).shape.size() == types_.of(output).shape.size();
    masks_.follow(layer, type, call.inputs, output, rank, keeps_rank, handing);
    if (!arguments.is_keras_3) return {};
    std::vector<std::optional<Value>> counted = uncounted_.counted(type.mask, call.inputs);
    call.inputs = uncounted_.replaced(type.mask, call.inputs, counted);
    return counted;
  }

  void give_what_counts(const PendingCall& call, const Layer& layer, const std::vector<std::optional<Value>>& counted) {
    if (std::ranges::none_of(counted, &std::optional<Value>::has_value)) return;
    const Value merged = values_.at({call.name, call.call, 0});
    const Value result = uncounted_.result(Registry::instance().type_of(layer).mask, merged, counted);
    if (result == merged) return;
    masks_.hand_on(merged, result);
    values_[{call.name, call.call, 0}] = result;
  }

  // `floats`: what the layer's floating-point tensors have, where it is not what its type declares.
  void set_types(const std::string& node, const Layer& layer, const std::vector<Value>& inputs,
                 std::optional<DType> floats = {}) {
    types_.set(node, Registry::instance().type_of(layer).outputs(layer.attributes, types_of(inputs), floats));
  }

  std::vector<TensorType> types_of(const std::vector<Value>& values) const {
    std::vector<TensorType> result;
    for (const Value& value : values) result.push_back(types_.of(value));
    return result;
  }

  // The types of a call's results in Keras, where they may be others than PyTorch's.
  std::vector<DType> keras_types(const Layer& layer, const std::vector<Value>& inputs) const {
    std::vector<DType> result;
    const KerasMapping& mapping = *mapping_of_.at(layer.name);
    if (!mapping.dtypes) return result;
    for (const DTypeRule& rule : mapping.dtypes->of(layer.attributes))
      result.push_back(dtype_by(rule, layer.attributes, types_of(inputs), {}));
    return result;
  }

  // PyTorch is told to cast them: integers then overflow as Keras's do.
  void give_keras_types(const PendingCall& call, const std::string& node, const std::vector<DType>& wanted) {
    for (std::size_t i = 0; i < std::min(wanted.size(), types_.outputs_of(node).size()); ++i) {
      const auto output = static_cast<std::int64_t>(i);
      const Value value{node, output};
      if (is_integral(types_.of(value).dtype) && types_.of(value).dtype != wanted[i])
        values_[{call.name, call.call, output}] = cast(value, wanted[i], word_for(wanted[i]));
    }
  }

  // The type of integers that Keras computes with in floats and brings back to it.
  std::optional<DType> type_rounded_to(const Layer& layer, const std::vector<Value>& inputs) const {
    if (inputs.empty() || !is_integral(types_.of(inputs[0]).dtype)) return std::nullopt;
    const DType dtype = types_.of(inputs[0]).dtype;
    const OfIntegers way = mapping_of_.at(layer.name)->of_integers(layer.attributes, dtype);
    if (way == OfIntegers::NotKnown)
      throw Unsupported("takes " + std::string(name_of(dtype)) +
                        ", with which Keras computes otherwise than with floats (numbers overflow, or lose their "
                        "fractions), which is not known yet: a cast to float32 before it says what is meant");
    return way == OfIntegers::Rounded ? std::optional(dtype) : std::nullopt;
  }

  // float32 has all integers of the shorter types, so that their limits can be told in it.
  Value rounded(const Value& value, DType dtype) {
    Value result = add_implied("round", {}, value);
    const std::int64_t bits = 8 * static_cast<std::int64_t>(size_of(dtype));
    if (const bool is_unsigned = name_of(dtype).starts_with("uint"); bits < 32) {
      const std::int64_t count = std::int64_t{1} << bits;
      result = add_implied(
          "clamp", {{"min", is_unsigned ? 0 : -count / 2}, {"max", (is_unsigned ? count : count / 2) - 1}}, result);
    }
    return cast(result, dtype, word_for(dtype));
  }

  Value add_implied(const std::string& type, const std::map<std::string, std::int64_t>& settings, const Value& value) {
    Layer layer{{}, type, Registry::instance().find(type)->defaults(), {}};
    for (const auto& [name, number] : settings) layer.attributes.set(name, number);
    layer.keras.implied = true;
    const Value result = add_own_layer(std::move(layer), value.node + "_" + type, {value});
    masks_.hand_on(value, result);
    return result;
  }

  static std::string word_for(DType dtype) { return is_floating_point(dtype) ? "float" : std::string(name_of(dtype)); }

  Value integers_as(const Value& value, DType dtype) {
    const DType own = types_.of(value).dtype;
    return is_integral(own) && own != dtype ? cast(value, dtype, word_for(dtype)) : value;
  }

  // The policy of a layer. Where all have the same, the model computes in the type of its weights, whatever its inputs
  // come in, and there is nothing to tell.
  std::optional<DType> policy_of(const std::string& layer) const {
    const auto policy = policies_.find(layer);
    return different_policies_.size() > 1 && policy != policies_.end() ? std::optional(policy->second) : std::nullopt;
  }

  // Keras casts by itself what a layer takes: integers and truth values where it computes with floats, and floats to
  // the type of its policy. PyTorch is told to.
  Value cast_by_keras(const Value& value, const std::string& layer, Integers integers) {
    const DType dtype = types_.of(value).dtype;
    if (is_integral(dtype)) {
      if (integers != Integers::BecomeFloats) return value;
      const auto policy = policies_.find(layer);
      return cast(value, policy == policies_.end() ? DType::Float32 : policy->second, "float");
    }
    const std::optional<DType> policy = policy_of(layer);
    if (!policy || *policy == dtype || !is_floating_point(dtype) || integers == Integers::AreIndices) return value;
    return cast(value, *policy, std::string(name_of(*policy)));
  }

  Value cast(const Value& value, DType dtype, const std::string& suffix) {
    if (const auto known = casts_.find({value, dtype}); known != casts_.end()) return known->second;
    Layer cast{{}, "to", Registry::instance().find("to")->defaults(), {}};
    cast.attributes.set("dtype", dtype);
    cast.keras.implied = true;
    const Value result = add_own_layer(std::move(cast), value.node + "_" + suffix, {value});
    masks_.hand_on(value, result);
    return casts_.emplace(std::pair(value, dtype), result).first->second;
  }

  // Arrays among the arguments become values that a layer makes, but for lists that are settings of the layer's type.
  // Where such a list stands in place of a tensor, one that is a table is that tensor; where only a tensor can stand,
  // every list is.
  void make_arrays(PendingCall& call) {
    const auto mappings = mappings_of(*call.layer);
    const auto make = [&](std::size_t position, const std::string& name, CallArguments::Argument& argument) {
      const Json* constant = std::get_if<Json>(&argument);
      if (!constant) return;
      bool is_setting = false;
      bool takes_array = false;
      bool is_operand = false;
      bool is_known = false;
      for (const KerasMapping* mapping : mappings) {
        const std::string& parameter = position < mapping->call.size() ? mapping->call[position] : name;
        const LayerType& type = *Registry::instance().find(mapping->type);
        is_known = is_known || std::ranges::find(mapping->call, parameter) != mapping->call.end();
        for (const Correspondence& row : mapping->attributes) {
          if (row.keras != parameter) continue;
          is_setting = true;
          takes_array = takes_array || type.find_attribute(row.attribute)->kind->takes_array();
          is_operand =
              is_operand || std::ranges::find(type.operands, row.attribute, &Operand::attribute) != type.operands.end();
        }
      }
      if (takes_array && !is_operand) return;
      std::optional<Layer> layer;
      if (!takes_array) layer = array_layer(*constant);
      if (!layer && is_operand) layer = table_layer(*constant);
      if (!layer && is_known && !is_setting) layer = list_layer(*constant);
      if (layer) argument = constant_value(call.name, std::move(*layer));
    };
    for (std::size_t i = 0; i < call.arguments.positional.size(); ++i) make(i, "", call.arguments.positional[i]);
    for (auto& [name, argument] : call.arguments.keywords)
      make(std::numeric_limits<std::size_t>::max(), name, argument);
  }

  CallArguments::Tensors constant_value(const std::string& user, Layer layer) {
    const Value value = add_own_layer(std::move(layer), user + "_constant", {{architecture_.inputs.at(0).name}});
    values_[{value.node, 0, 0}] = value;
    return {{History{value.node, 0, 0}}};
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
    other.arguments = constants_as_tensors(call);
    if (other.arguments.tensors().size() == call.arguments.tensors().size()) std::rethrow_exception(refusal);
    try {
      add_layer(other);
    } catch (const Error&) {
      std::rethrow_exception(refusal);
    }
    call = std::move(other);
    with_constants_.insert(call.name);
  }

  CallArguments constants_as_tensors(const PendingCall& call) {
    CallArguments result = call.arguments;
    const auto make = [&](CallArguments::Argument& argument) {
      const Json* constant = std::get_if<Json>(&argument);
      if (std::optional<Layer> layer = constant ? number_layer(*constant) : std::nullopt)
        argument = constant_value(call.name, std::move(*layer));
    };
    std::ranges::for_each(result.positional, make);
    for (auto& [name, argument] : result.keywords)
      if (name != "training") make(argument);
    return result;
  }

  // One that Keras's file does not have as a layer: a constant, a cast, a mask.
  Value add_own_layer(Layer layer, const std::string& wanted_name, std::vector<Value> inputs) {
    return add_named_layer(std::move(layer), new_name(wanted_name), std::move(inputs));
  }

  Value add_named_layer(Layer layer, const std::string& name, std::vector<Value> inputs) {
    layer.name = name;
    set_types(layer.name, layer, inputs);
    add_node(node_of(layer.name, layer, {std::move(inputs)}));
    architecture_.layers.push_back(std::move(layer));
    return {architecture_.layers.back().name, 0};
  }

  const SymbolicShape& shape_of(const History& tensor) const { return types_.of(values_.at(key(tensor))).shape; }

  std::vector<SymbolicShape> shapes_of(const std::vector<History>& tensors) const {
    std::vector<SymbolicShape> result;
    for (const History& tensor : tensors) result.push_back(shape_of(tensor));
    return result;
  }

  // The mappings of a layer's class. Keras's .h5 writer leaves out where a class lives, so that an operation and a
  // layer may look alike there.
  static std::vector<const KerasMapping*> mappings_of(const Json& layer) {
    auto mappings = Registry::instance().keras_class(layer.at("class_name").as_string());
    const Json* module = layer.find("module");
    if (!module || !module->is_string()) return mappings;
    const auto is_in = [&](const char* package) { return module->as_string().starts_with(package); };
    const bool is_operation = is_in("keras.src.ops") || is_in("keras.ops") || is_in("keras.src.activations");
    if (is_operation || is_in("keras.layers"))
      std::erase_if(mappings, [&](const KerasMapping* mapping) { return mapping->is_operation() != is_operation; });
    return mappings;
  }

  void add_layer(const PendingCall& call) {
    const auto mappings = mappings_of(*call.layer);
    if (mappings.empty()) {
      const std::string why = why_not_shared(*call.layer);
      throw Unsupported(why.empty() ? "there is no layer type for it yet" : why);
    }
    std::string refusal;
    std::string misfit;
    bool takes_inputs = false;
    for (const KerasMapping* mapping : mappings) {
      try {
        const BoundCall arguments = bound(call.arguments, *mapping);
        if (const std::string wrong = wrong_count(arguments, *mapping); !wrong.empty()) {
          misfit = wrong;
          continue;
        }
        takes_inputs = true;
        if (add_layer_as(*mapping, call, arguments)) return;
      } catch (const Unsupported& error) {
        refusal = error.what();
      }
    }
    if (!refusal.empty()) throw Unsupported(refusal);
    const auto is_number = [](const CallArguments::Argument& argument) {
      const Json* constant = std::get_if<Json>(&argument);
      return constant && number_layer(*constant);
    };
    if (!takes_inputs && std::ranges::any_of(call.arguments.positional, is_number))
      throw Unsupported(misfit + ", and a number among its arguments has no layer type");
    // An operation may take more than is known of it; and a .h5 does not say whether it is one.
    const bool may_be_operation =
        std::ranges::any_of(mappings, &KerasMapping::is_operation) || is_operation(*call.layer);
    if (!takes_inputs && may_be_operation) throw Unsupported(misfit + ", in what is known of it");
    if (!takes_inputs) throw MalformedFile(misfit);
    throw Unsupported("its configuration " + quoted(call.layer->at("config")) + " has no layer type yet");
  }

  // What is wrong with the number of a call's inputs; empty if it fits.
  static std::string wrong_count(const BoundCall& arguments, const KerasMapping& mapping) {
    const std::vector<Operand>& operands = Registry::instance().find(mapping.type)->operands;
    if (operands.empty() && arguments.inputs.size() == 1) return {};  // in Keras all layers have one
    return h5bridge::wrong_count(operands, arguments.inputs.size());
  }

  static Json::Object config_with_constants(const PendingCall& call, const BoundCall& arguments) {
    Json::Object config = call.layer->at("config").as_object();
    for (const auto& [name, constant] : arguments.constants) config.set(name, constant);
    return config;
  }

  const Layer& layer_called(const std::string& name) const { return architecture_.layers[places_.at(name)]; }

  // What a further call of a layer sets for itself. It has to make the same of the layer as the first did.
  Attributes attributes_of_further(const PendingCall& call) const {
    const KerasMapping& mapping = *mapping_of_.at(call.name);
    const BoundCall arguments = bound(call.arguments, mapping);
    if (const std::string wrong = wrong_count(arguments, mapping); !wrong.empty()) throw MalformedFile(wrong);
    const std::string which = "its call number " + std::to_string(call.call + 1);
    const Layer& layer = layer_called(call.name);
    const LayerType& type = Registry::instance().type_of(layer);
    const auto is_of_call = [&](const std::string& parameter) {
      const auto row = std::ranges::find(mapping.attributes, parameter, &Correspondence::keras);
      return row != mapping.attributes.end() && type.find_attribute(row->attribute)->of_call;
    };
    const Json::Object& first = constants_of_.at(call.name);
    for (const auto* constants : {&first, &arguments.constants})
      for (const auto& [name, constant] : *constants) {
        const Json* firsts = first.find(name);
        const Json* own = arguments.constants.find(name);
        if ((firsts && own && *firsts == *own) || is_of_call(name)) continue;
        throw Unsupported(which + " has " + name + "=" + (own ? quoted(*own) : "None") + ", its first has " + name +
                          "=" + (firsts ? quoted(*firsts) : "None") + ", and calls that differ are not known yet");
      }
    const std::vector<SymbolicShape> shapes = shapes_of(arguments.inputs);
    type.shapes(layer.attributes, shapes);
    const auto again = layer_from_config(mapping, config_with_constants(call, arguments), shapes);
    Node node;
    for (const AttributeSpec& spec : type.attributes)
      if (again && spec.of_call && again->attributes.at(spec.name) != layer.attributes.at(spec.name))
        node.attributes.set(spec.name, again->attributes.at(spec.name));
    if (!again || again->attributes != as_called(layer, node).attributes)
      throw Unsupported(which + " has an input of another shape than its first, which makes another layer of it");
    return node.attributes;
  }

  bool add_layer_as(const KerasMapping& mapping, const PendingCall& call, const BoundCall& arguments) {
    const std::vector<SymbolicShape> shapes = shapes_of(arguments.inputs);
    const Json::Object config = config_with_constants(call, arguments);
    std::optional<Layer> layer = layer_from_config(mapping, config, shapes);
    if (!layer) return false;
    layer->name = call.name;
    const std::string& said = name_in_keras(call.name);
    const std::string scope = call.part_of ? inner_.calls.at(*call.part_of).model + "." : "";
    const std::string usual = call.name.starts_with(scope) ? call.name.substr(scope.size()) : call.name;
    if (keras_name(usual) != said) layer->keras.name = said;  // with a '.', as JAX lets it have
    if (const auto activation = activations_.find(call.name); activation != activations_.end()) {
      layer->keras.fused_into = activation->second.host;
      layer->keras.fused_as = activation->second.name;
    }
    keep_silent_arguments(mapping, call, *layer);
    keep_spelling(mapping, *layer, config, shapes,
                  Registry::instance().type_of(*layer).shapes(layer->attributes, shapes));
    const auto all = Registry::instance().keras_of(layer->type);
    const auto preferred = std::ranges::find_if(
        all, [&](const KerasMapping* candidate) { return candidate->fits(layer->attributes, shapes); });
    if (preferred == all.end() || *preferred != &mapping) {
      layer->keras.class_name = mapping.class_name;
      if (mapping.is_operation()) layer->keras.module = mapping.module;
      layer->keras.unfit = !mapping.fits(layer->attributes, shapes);
      if (!mapping.variant.empty()) layer->keras.variant = mapping.variant;
    }
    mapping_of_[call.name] = &mapping;
    constants_of_[call.name] = arguments.constants;
    places_[call.name] = architecture_.layers.size();
    architecture_.layers.push_back(std::move(*layer));
    return true;
  }

  // Arguments that say nothing come back where they stand in every call of the layer that says nothing else by them.
  static void keep_silent_arguments(const KerasMapping& mapping, const PendingCall& call, Layer& layer) {
    const Json* nodes = call.layer->find("inbound_nodes");
    if (!nodes) return;
    for (const auto& [name, argument] : call.arguments.keywords) {
      const Json* constant = std::get_if<Json>(&argument);
      if (!constant || !mapping.says_nothing(name, *constant)) continue;
      const bool is_in_all = std::ranges::all_of(nodes->as_array(), [&](const Json& node) {
        const CallArguments other = arguments_of(*call.layer, node);
        const auto given =
            std::ranges::find(other.keywords, name, &std::pair<std::string, CallArguments::Argument>::first);
        if (given == other.keywords.end()) return false;
        const Json* value = std::get_if<Json>(&given->second);
        return !value || *value == *constant || !mapping.says_nothing(name, *value);
      });
      if (is_in_all) layer.keras.silent_arguments.set(name, *constant);
    }
  }

  using Key = std::tuple<std::string, std::int64_t, std::int64_t>;
  static Key key(const History& history) { return {history.layer, history.call, history.tensor}; }

  const std::map<std::string, ActivationApart>& activations_;
  const InlinedModels& inner_;
  std::vector<std::string> scope_calls_;              // their names
  std::optional<std::size_t> part_of_;                // the one whose calls are being added
  std::set<std::pair<std::size_t, Value>> given_to_;  // what each of them takes
  Architecture architecture_;
  Types types_;
  std::map<std::string, const Json*> input_layers_;
  std::map<Key, Value> values_;
  std::map<std::string, std::size_t> places_;              // of the layers in the architecture
  std::map<std::string, const KerasMapping*> mapping_of_;  // what each layer was read by
  std::map<std::string, Json::Object> constants_of_;       // of each layer's first call
  std::set<std::string> with_constants_;                   // layers that are given tensors for numbers
  std::map<std::string, std::int64_t> calls_made_;         // of each layer
  std::set<std::string> taken_names_;                      // of inputs, layers and nodes
  std::set<std::string> unknown_;                          // nodes of layers that are not known
  std::map<std::string, std::string> given_up_;            // by the layers' names, the first of these
  ImpliedMasks masks_{[this](Layer layer, const std::string& of, std::vector<Value> inputs) {
                        return add_own_layer(std::move(layer), of + "_mask", std::move(inputs));
                      },
                      [this](const Value& value, const std::string& node) { return is_made_from(value, node); }};
  Uncounted uncounted_{masks_,
                       [this](Layer layer, const std::string& name, std::vector<Value> inputs) {
                         return add_own_layer(std::move(layer), name, std::move(inputs));
                       },
                       [this](const Value& value) { return types_.of(value).shape.size(); }};
  std::map<std::string, DType> policies_;  // of layers, in which they have their tensors and take floats
  std::set<DType> different_policies_;
  std::map<std::pair<Value, DType>, Value> casts_;
  std::string problems_;
  bool is_operation_unknown_ = false;
  int open_sizes_ = 0;
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
