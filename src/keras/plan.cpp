#include "keras/plan.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <variant>

#include "facets/keras/fused_activation.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/activations.h"
#include "keras/bindings.h"
#include "keras/build_configs.h"
#include "keras/dtype_policies.h"
#include "keras/inferred_sizes.h"
#include "keras/nest_models.h"
#include "keras/object_paths.h"
#include "keras/planned_layer.h"
#include "keras/planned_model.h"
#include "keras/print_tree.h"
#include "keras/recording_emitter.h"
#include "keras/result_types.h"
#include "keras/spelling.h"
#include "keras/stated_graph.h"
#include "keras/tied_layers.h"
#include "keras/wrappers.h"
#include "model/architecture_index.h"
#include "model/promotion.h"
#include "model/work_counts.h"
#include "passes/infer_shapes.h"
#include "passes/infer_types.h"

namespace h5bridge {
namespace {

// What was a wrapper's cannot be written as one.
struct NoWrapper : Unsupported {
  using Unsupported::Unsupported;
};

struct PlannedModel {
  KerasPlan plan;  // but for its configuration, which is to be printed
  KerasModel model;
};

class Planner {
 public:
  Planner(const Architecture& architecture, const std::map<std::string, std::vector<WeightStep>>& weight_steps,
          const FloatTypes& floats, TakesActivation takes_within, TiedLayers ties)
      : own_(has_implied(architecture) ? std::optional(without_implied(architecture)) : std::nullopt),
        architecture_(own_ ? *own_ : architecture),
        index_(architecture_),
        policies_(architecture, floats),
        types_(infer_types(architecture_, floats)),
        shapes_(infer_shapes(architecture_)),
        takes_within_(takes_within),
        ties_(std::move(ties)),
        names_(architecture_),
        maker_(weight_steps) {
    for (const ScopeCall& call : architecture_.scope_calls) scope_calls_.emplace(call.name, &call);
  }

  PlannedModel run() {
    ++work().models_planned;
    plan_.tied = ties_.tied;
    plan_.bindings.reserve(architecture_.layers.size());
    layers_.reserve(architecture_.inputs.size() + architecture_.nodes.size());
    for (const Input& input : architecture_.inputs) add_input(input);
    std::string problems;
    const std::set<std::string> needed = needed_nodes(architecture_);
    find_used_outputs(needed);
    for (const Node& node : architecture_.nodes) {
      if (!needed.contains(node.name)) continue;
      try {
        add_node(node);
      } catch (const Unsupported& error) {
        // All problems are reported at once; what depends on this node goes on with a value that is never written.
        problems += (problems.empty() ? "" : "; ") + describe(index_.layer_of(node)) + ": " + error.what();
        for (std::size_t i = 0; i < shapes_.outputs_of(node.name).size(); ++i)
          values_[{node.name, static_cast<std::int64_t>(i)}] = {};
        inferred_.note_outputs(node.name, shapes_.outputs_of(node.name));
      }
    }
    if (!problems.empty()) throw Unsupported(problems);
    drop_unused();
    fuse();
    KerasModel model = nested();
    settle(model);
    // A Sequential model does not count its input among its layers.
    for (const auto& layer : model.layers)
      if (!layer.is_operation() && !(model.is_sequential() && layer.class_name == "InputLayer"))
        plan_.layer_names.push_back(layer.keras_name);
    place_bindings(model);
    name_outputs(model);
    plan_.bindings.shrink_to_fit();
    return {std::move(plan_), std::move(model)};
  }

 private:
  const ScopeCall* find_scope_call(const std::string& name) const {
    const auto call = scope_calls_.find(name);
    return call == scope_calls_.end() ? nullptr : call->second;
  }

  std::string scope_of(const Node& node) const {
    const ScopeCall* call = find_scope_call(node.scope_call);
    return call ? call->scope : "";
  }

  void find_used_outputs(const std::set<std::string>& needed) {
    std::map<std::string_view, std::string_view> layer_of;
    for (const Node& node : architecture_.nodes) layer_of[node.name] = node.layer;
    const auto use = [&](const Value& value) {
      if (const auto node = layer_of.find(value.node); node != layer_of.end())
        used_outputs_[std::string(node->second)].insert(value.output);
    };
    for (const Output& output : architecture_.outputs) use(output.value);
    for (const Node& node : architecture_.nodes)
      if (needed.contains(node.name)) std::ranges::for_each(node.values(), use);
  }

  void add_input(const Input& input) {
    const std::string& name = names_.of_input(input.name);
    values_[{input.name, 0}] = {name, 0, 0, input.shape, input.dtype};
    layers_.push_back(input_layer(name, name, input, input.shape, architecture_.keras));
    inferred_.set_input(input);
    note_sizes(input.name);
  }

  void add_node(const Node& node) {
    if (tells_apart(index_.layer_of(node))) return add_told_apart(node);
    if (is_of_a_wrapper(index_.layer_of(node))) return add_wrappers_own(node);
    const auto stand = ties_.stands.find(node.layer);
    if (stand == ties_.stands.end()) return lower(node, index_.layer_of(node), nullptr);
    lower(node, as_called(*index_.find_layer(stand->second.host), node), stand->second.use);
  }

  // What another identity of a tensor is told by.
  void add_told_apart(const Node& node) {
    KerasTensor& made = values_[{node.name, 0}] = values_.at(node.values().at(0));
    made.told_apart.push_back(node.name);
    inferred_.note_outputs(node.name, shapes_.outputs_of(node.name));
    note_sizes(node.name);
  }

  // What a call is given.
  struct Given {
    PlainCall call;
    std::vector<SymbolicShape> shapes;      // of the inputs in order
    std::vector<TensorType> types;          // likewise
    RecordingEmitter::NamedTypes named;     // of those by name
    std::vector<KerasTensor> tensors = {};  // of all
  };

  // Every Keras layer needs an input: what takes none gets the model's.
  Given given_to(const Node& node) const {
    Given given{plain_call(index_.layer_of(node), node), {}, {}, {}};
    if (given.call.inputs.empty()) {
      const ScopeCall* part = find_scope_call(node.scope_call);
      given.call.inputs.push_back(part ? part->arguments.at(0) : Value{architecture_.inputs.at(0).name});
    }
    for (const Value& value : given.call.inputs) {
      given.shapes.push_back(shapes_.of(value));
      given.types.push_back(types_.of(value));
      given.tensors.push_back(values_.at(value));
    }
    for (const auto& [name, value] : given.call.named) {
      given.named.emplace_back(name, types_.of(value));
      given.tensors.push_back(values_.at(value));
    }
    return given;
  }

  // A call on its way to Keras: that of a node, whose layer is written as one that it stands for where there is `use`.
  struct Lowering {
    const Node& node;
    const Layer& layer;
    const SharedUse* use;
    const KerasMapping& mapping;
    const std::vector<SymbolicShape>& inputs;
    WeightRules rules = mapping.weights(layer.attributes, inputs);
  };

  void lower(const Node& node, const Layer& layer, const SharedUse* use) {
    Given given = given_to(node);
    ++work().calls_lowered;
    const Lowering lowering{node, layer, use, mapping_of(layer, given.shapes), given.shapes};
    RecordingEmitter emitter(given.types, shapes_.outputs_of(node.name), lowering.mapping, used_outputs_[layer.name],
                             given.named, [&](const Size& size) { return axis_of_size(size); });
    emitter.note_values(given.call.inputs);
    const std::vector<std::size_t> to_state = lowering.rules.rules.empty() || is_from_keras()
                                                  ? std::vector<std::size_t>{}
                                                  : inferred_.to_state(layer, given.call.inputs);
    for (const std::size_t i : to_state) emitter.state_sizes(i);
    const KerasTypes keras_types = prepare_integers(node, layer, lowering.mapping, emitter);
    KerasEmitter::Results results = use ? write_use(*use, lowering.mapping, layer, emitter)
                                        : write_with_activation(lowering.mapping, layer, emitter, takes_within_);
    if (!use) emitter.refuse_unused_names(results);
    restore_integers(node, keras_types, emitter, results);
    const std::vector<KerasTensor> tensors = emitter.replay(
        std::move(given.tensors), [&](const RecordingEmitter::Axis& borrowed) { return values_.at(borrowed.value); },
        [&](KerasEmitter::Call emitted, const std::vector<KerasTensor>& known) {
          return add_emitted(lowering, emitter, std::move(emitted), known);
        });
    maker_.add_residuals(layer, lowering.rules, plan_);
    for (std::size_t i = 0; i < results.values.size(); ++i)
      values_[{node.name, static_cast<std::int64_t>(i)}] = tensors.at(results.values[i]);
    inferred_.note(node.name, layer, given.call, to_state, emitter, results);
    note_sizes(node.name);
  }

  // One of the calls that a mapping emits, given the tensors that were known before it: what comes of it.
  std::vector<KerasTensor> add_emitted(const Lowering& lowering, const RecordingEmitter& emitter,
                                       KerasEmitter::Call emitted, const std::vector<KerasTensor>& known) {
    const Layer& layer = lowering.layer;
    const DType policy = policies_.of_node(lowering.node.name);
    if (layer.keras.trainable == false) freeze_within(emitted.config);
    if (emitted.suffix.empty()) restore_spelling(lowering.mapping, layer, lowering.inputs, emitted.config);
    apply_policy(policy, layer, emitted);
    KerasCall planned;
    for (const auto& argument : emitted.arguments) planned.arguments.push_back(resolved(argument, known));
    for (const auto& [name, argument] : emitted.keywords)
      planned.keywords.emplace_back(name, resolved(argument, known));
    planned.part_of = lowering.node.scope_call;
    if (emitted.suffix.empty() && !lowering.use) restore_silent_arguments(lowering.mapping, layer, planned);
    const bool has_weights = std::ranges::count(lowering.rules.rules, emitted.suffix, &WeightRule::part) > 0;
    if (const auto host = ties_.hosts.find(layer.name); host != ties_.hosts.end() && has_weights) {
      emitted.class_name = host->second->class_name;
      for (const auto& [key, value] : host->second->config) emitted.config.set(key, value);
    }
    KerasTensor made = add_call(lowering.node, layer, emitted, std::move(planned), has_weights);
    made.dtype = policy;  // as Keras notes it of what a layer gives, whatever comes of integers when it runs
    if (has_weights)
      maker_.bind(layer, emitted.suffix, {made.layer, emitted.class_name, emitted.config}, lowering.rules, plan_);
    std::vector<KerasTensor> outputs(emitted.outputs.size(), made);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i].shape = emitted.outputs[i];
      const DType own = emitter.dtype(known.size() + i);
      const bool is_cast = emitted.module == "keras.layers" && is_floating_point(own);  // by the policy
      if (is_stated(emitted) && !is_cast) outputs[i].dtype = own;
      outputs[i].tensor = static_cast<std::int64_t>(i);
    }
    return outputs;
  }

  // Stands for what a wrapper does until that is put together again. All calls of one do the same, whatever the sizes.
  void add_wrappers_own(const Node& node) {
    const std::string name = scope_of(node) + "//" + *index_.layer_of(node).keras.variant;
    const auto [place, is_new] = made_.try_emplace({name, ""}, layers_.size());
    if (is_new)
      layers_.push_back({.name = name,
                         .module = "keras.layers",
                         .class_name = *index_.layer_of(node).keras.variant,
                         .config = {{"name", name}},
                         .calls = {},
                         .keras_name = name});
    KerasLayer& layer = layers_[place->second];
    KerasTensor made = values_.at(node.values().at(0));
    KerasCall call{.arguments = {made}, .part_of = node.scope_call};
    // Where the steps are taken apart, it is as in what the wrapper was given.
    if (layer.class_name == kTakesStepsApart)
      call.arguments.emplace_back(values_.at(find_scope_call(node.scope_call)->arguments.at(0)));
    layer.calls.push_back(std::move(call));
    made.layer = name;
    made.call = static_cast<std::int64_t>(layer.calls.size()) - 1;
    made.tensor = 0;
    made.shape = shapes_.outputs_of(node.name).at(0);
    made.told_apart.clear();
    values_[{node.name, 0}] = std::move(made);
    inferred_.note_outputs(node.name, shapes_.outputs_of(node.name));
    note_sizes(node.name);
  }

  // Keras has built it before, with the sizes that it knew.
  bool is_from_keras() const { return architecture_.keras.class_name.has_value(); }

  using KerasTypes = std::vector<DType>;

  // What Keras makes of integers, where it is for us to see to it that they stay what they are in PyTorch. What it
  // computes in the type of its input is given a larger one.
  KerasTypes prepare_integers(const Node& node, const Layer& layer, const KerasMapping& mapping,
                              RecordingEmitter& emitter) {
    const DType wanted = types_.of({node.name, 0}).dtype;
    if (is_from_keras()) return {};
    if (is_integral(wanted)) emitter.keep_integers(wanted);
    if (!mapping.dtypes || mapping.keeps_integers) return {};
    std::vector<TensorType> inputs;
    for (const Value& value : plain_call(layer, node).inputs) inputs.push_back(types_.of(value));
    const KerasTypes plain = keras_types(mapping, layer, inputs);
    const DType given = inputs.at(0).dtype;
    if (!is_integral(given) || given == DType::Bool || size_of(plain[0]) >= size_of(wanted)) return plain;
    inputs[0].dtype = DType::Int64;
    KerasTypes of_larger = keras_types(mapping, layer, inputs);
    const bool is_place = mapping.dtypes->of(layer.attributes).at(0).source == DTypeRule::Source::Fixed;
    if (size_of(of_larger[0]) < size_of(wanted) && !is_place)
      plan_.notes.push_back(describe(layer) + ": Keras computes it in " + std::string(name_of(of_larger[0])) +
                            ", so that numbers which exceed that differ from PyTorch's, which are " +
                            std::string(name_of(wanted)));
    if (size_of(of_larger[0]) <= size_of(plain[0])) return plain;
    emitter.cast_input(0, DType::Int64);
    return of_larger;
  }

  static KerasTypes keras_types(const KerasMapping& mapping, const Layer& layer,
                                const std::vector<TensorType>& inputs) {
    KerasTypes result;
    for (const DTypeRule& rule : mapping.dtypes->of(layer.attributes))
      result.push_back(dtype_by(rule, layer.attributes, inputs, {}));
    return result;
  }

  // Casts what has become of integers back.
  void restore_integers(const Node& node, const KerasTypes& keras_types, RecordingEmitter& emitter,
                        KerasEmitter::Results& results) const {
    for (std::size_t i = 0; i < std::min(results.values.size(), keras_types.size()); ++i) {
      const DType wanted = types_.of({node.name, static_cast<std::int64_t>(i)}).dtype;
      if (is_integral(wanted) && wanted != keras_types[i] && emitter.is_used(i))
        results.values[i] = emitter.cast(std::string(name_of(wanted)), results.values[i], wanted);
    }
  }

  // The call of a layer that stands for another one.
  static KerasEmitter::Results write_use(const SharedUse& use, const KerasMapping& mapping, const Layer& host,
                                         KerasEmitter& emitter) {
    KerasEmitter::Call call{.class_name = mapping.class_name,
                            .config = config_of(mapping, host),
                            .arguments = {emitter.input(0)},
                            .outputs = {emitter.output_shape()}};
    for (const auto& [name, value] : use.call) call.keywords.emplace_back(name, value);
    return emitter.call(std::move(call)).at(0);
  }

  static void restore_silent_arguments(const KerasMapping& mapping, const Layer& layer, KerasCall& call) {
    const auto by_position = static_cast<std::ptrdiff_t>(std::min(call.arguments.size(), mapping.call.size()));
    const auto is_given = [&](const std::string& name) {
      return std::find(mapping.call.begin(), mapping.call.begin() + by_position, name) !=
                 mapping.call.begin() + by_position ||
             std::ranges::any_of(call.keywords, [&](const auto& keyword) { return keyword.first == name; });
    };
    for (const auto& [name, value] : layer.keras.silent_arguments)
      if (!is_given(name)) call.keywords.emplace_back(name, value);
  }

  // The first axis of each open size, for layers that have to take the size from somewhere.
  void note_sizes(const std::string& node) {
    const auto& outputs = shapes_.outputs_of(node);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      for (std::size_t axis = 0; axis < outputs[i].size(); ++axis)
        if (outputs[i][axis].is_open())
          sizes_.try_emplace(outputs[i][axis].str(), Value{node, static_cast<std::int64_t>(i)},
                             static_cast<std::int64_t>(axis));
  }

  std::optional<RecordingEmitter::Axis> axis_of_size(const Size& size) const {
    const auto found = sizes_.find(size.str());
    if (found == sizes_.end()) return std::nullopt;
    const auto& [value, axis] = found->second;
    return RecordingEmitter::Axis{value, axis, types_.of(value)};
  }

  // Where Keras has said one of the layer, it stays, unless it would cast the tensors.
  void apply_policy(DType policy, const Layer& layer, KerasEmitter::Call& emitted) const {
    const bool is_operation = emitted.module != "keras.layers";
    if (is_operation && emitted.suffix.empty() && layer.attributes.contains("dtype"))
      return;  // what it is told to give
    const bool is_said = layer.keras.config.contains("dtype");
    if (is_said && policies_.is_cast_as_a_whole())
      set_dtype(emitted.config, policies_.of_model());
    else if (is_said ? policies_.casts_tensors(layer.keras.config, layer) : policy != DType::Float32)
      set_dtype(emitted.config, policy);
  }

  // Of a layer, and of those that a wrapper wraps. Integers among operations stay what they are.
  static void set_dtype(Json::Object& config, DType dtype) {
    const Json* own = config.find("dtype");
    const auto named = own && own->is_string() ? dtype_named(own->as_string()) : std::nullopt;
    if (own && !own->is_null() && (!named || is_floating_point(*named))) config.set("dtype", name_of(dtype));
    for (const char* member : {"layer", "backward_layer", "cell", "cells"})
      if (const Json* wrapped = config.find(member)) {
        Json changed = *wrapped;
        if (changed.is_array())
          for (Json& each : changed.as_array()) set_wrapped_dtype(each, dtype);
        else
          set_wrapped_dtype(changed, dtype);
        config.set(member, std::move(changed));
      }
  }

  static void set_wrapped_dtype(Json& layer, DType dtype) {
    if (!layer.find("config")) return;
    Json::Object config = layer.at("config").as_object();
    set_dtype(config, dtype);
    layer.as_object().set("config", std::move(config));
  }

  static KerasArgument resolved(const KerasEmitter::Argument& argument, const std::vector<KerasTensor>& handles) {
    if (const auto* handle = std::get_if<KerasEmitter::Handle>(&argument)) return handles.at(*handle);
    if (const auto* constant = std::get_if<Json>(&argument)) return *constant;
    KerasArgument::List list;
    if (const auto* values = std::get_if<std::vector<KerasEmitter::Handle>>(&argument)) {
      for (const KerasEmitter::Handle handle : *values) list.emplace_back(handles.at(handle));
      return list;
    }
    for (const std::optional<KerasEmitter::Handle>& handle : std::get<KerasEmitter::List>(argument))
      list.push_back(handle ? KerasArgument(handles.at(*handle)) : KerasArgument(Json()));
    return list;
  }

  // Calls a layer again if this is the same one; operations and layers that differ between calls get a name of their
  // own.
  KerasTensor add_call(const Node& node, const Layer& layer, const KerasEmitter::Call& emitted, KerasCall call,
                       bool has_weights) {
    const auto key = std::pair(layer.name, emitted.suffix);
    KerasLayer planned{{}, emitted.module, emitted.class_name, emitted.config, {}};
    if (const auto& host = layer.keras.fused_into; host && emitted.suffix.empty())
      if (const std::string* name = names_.find_layer(*host)) planned.fused_into = *name;
    planned.fused_as = layer.keras.fused_as.value_or("");
    if (const auto known = made_.find(key); known != made_.end()) {
      KerasLayer& first = layers_[known->second];
      Json::Object config = emitted.config;
      config.set("name", first.keras_name);
      // Of an inner model's operations each call of the model makes the same.
      const bool may_be_same = !planned.is_operation() || !node.scope_call.empty();
      if (may_be_same && first.class_name == emitted.class_name && same_members(first.config, config)) {
        first.calls.push_back(std::move(call));
        return {first.name, static_cast<std::int64_t>(first.calls.size()) - 1, 0, {}};
      }
      if (has_weights) throw Unsupported("it is called twice in ways that one Keras layer cannot serve");
    }
    const bool is_first = !made_.contains(key);
    const std::string scope = scope_of(node).empty() ? "" : scope_of(node) + "/";
    const std::string base = is_first ? names_.of_layer(layer.name) : scope + keras_name(node.name);
    planned.name =
        emitted.suffix.empty() ? (is_first ? base : names_.unique(base)) : names_.unique(base + "_" + emitted.suffix);
    planned.keras_name = planned.name.starts_with(scope) ? planned.name.substr(scope.size()) : planned.name;
    Json::Object config{{"name", planned.keras_name}};
    for (const auto& [name, value] : planned.config)
      if (name != "name") config.set(name, value);
    planned.config = std::move(config);
    planned.calls = {std::move(call)};
    if (is_first) made_[key] = layers_.size();
    layers_.push_back(std::move(planned));
    return {layers_.back().name, 0, 0, {}};
  }

  static bool same_members(const Json::Object& a, const Json::Object& b) {
    return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const Json::Member& member) {
             const Json* twin = b.find(member.first);
             return twin && *twin == member.second;
           });
  }

  // What a layer emitted for outputs that nobody uses. An input that nobody uses stays.
  void drop_unused() {
    std::map<std::string, const KerasLayer*> by_name;
    for (const KerasLayer& layer : layers_) by_name[layer.name] = &layer;
    std::vector<KerasTensor> open;
    for (const Output& output : architecture_.outputs) open.push_back(values_.at(output.value));
    std::set<std::string_view> calls;
    // Of a model within the model all is used, or nothing.
    const auto use_call = [&](const std::string& name) {
      for (const ScopeCall* call = find_scope_call(name); call && calls.insert(call->name).second;
           call = find_scope_call(call->parent))
        for (const Value& value : call->values()) open.push_back(values_.at(value));
    };
    std::set<std::string> used;
    while (!open.empty()) {
      const KerasTensor tensor = std::move(open.back());
      open.pop_back();
      for (const std::string& node : tensor.told_apart) use_call(index_.find_node(node)->scope_call);
      if (!used.insert(tensor.layer).second) continue;
      for (const KerasCall& call : by_name.at(tensor.layer)->calls) {
        for (const KerasTensor& input : call.tensors()) open.push_back(input);
        use_call(call.part_of);
      }
    }
    std::erase_if(layers_, [&](const KerasLayer& layer) {
      return !used.contains(layer.name) && layer.class_name != "InputLayer";
    });
    std::erase_if(plan_.bindings, [&](const KerasBinding& binding) { return !used.contains(binding.layer); });
  }

  void fuse() {
    std::vector<KerasTensor> outputs;
    for (const Output& output : architecture_.outputs) outputs.push_back(values_.at(output.value));
    for (const ScopeCall& call : architecture_.scope_calls)
      for (const Value& result : call.results)
        if (const auto made = values_.find(result); made != values_.end()) outputs.push_back(made->second);
    // Keras counts the variables of what is another's activation among that one's, and makes them when that is called
    // with numbers. A layer behind it says the same, and has them from the beginning.
    std::set<std::string_view> bound;
    for (const KerasBinding& binding : plan_.bindings) bound.insert(binding.layer);
    for (KerasLayer& layer : layers_)
      if (takes_within_ || bound.contains(layer.name)) layer.fused_into.clear();
    const auto fused = fuse_activations(layers_, outputs);
    const std::map<std::string, std::string> hosts(fused.begin(), fused.end());
    for (auto& [value, tensor] : values_)
      if (const auto host = hosts.find(tensor.layer); host != hosts.end()) tensor.layer = host->second;
  }

  // The model with those within it.
  KerasModel nested() {
    const KerasModelOrigin& said = architecture_.keras;
    KerasModel model{
        .name = said.name ? *said.name : keras_name(architecture_.name.empty() ? "model" : architecture_.name),
        .said = said,
        .trainable = said.trainable.value_or(true),
        .dtype = policies_.of_model(),
        .layers = std::move(layers_),
        .inputs = {},
        .outputs = {}};
    for (const Input& input : architecture_.inputs) model.inputs.push_back(values_.at({input.name, 0}));
    for (const Output& output : architecture_.outputs) {
      model.outputs.push_back(values_.at(output.value));
      if (!output.name.empty()) model.output_names.push_back(output.name);
    }
    std::vector<PlannedScopeCall> calls;
    for (const ScopeCall& call : architecture_.scope_calls) {
      if (!std::ranges::all_of(call.values(), [&](const Value& value) { return values_.contains(value); })) continue;
      PlannedScopeCall planned{call.name, call.scope, call.parent, {}, {}, {}, call.keras_arguments};
      for (const Value& value : call.arguments) planned.arguments.push_back(values_.at(value));
      for (const Value& value : call.results) planned.results.push_back(values_.at(value));
      for (const std::optional<Value>& mask : call.masks)
        planned.masks.push_back(mask ? std::optional(values_.at(*mask)) : std::nullopt);
      calls.push_back(std::move(planned));
    }
    nest(model, architecture_.scopes, std::move(calls));
    for (const KerasLayer& layer : model.layers)
      if (layer.class_name == kMergesSteps || layer.class_name == kTakesStepsApart)
        throw NoWrapper("what is in the TimeDistributed \"" + layer.name.substr(0, layer.name.find("//")) +
                        "\" is no longer one layer");
    return model;
  }

  // Keras loads a .h5 in the order of the model that it has made, in which a Sequential one forgets that it is frozen.
  static bool heeds_its_flag(const KerasModel& model) { return !model.trainable && !model.is_sequential(); }

  // Where Keras has the variables of each layer: those of inner models in their place.
  void place_bindings(const KerasModel& model) {
    std::map<std::string, KerasPlace> places;
    std::map<std::string, Json> builds;
    for_each_layer(model, [&](const KerasLayer& layer, const std::vector<const KerasModel*>& within) {
      KerasPlace place{places.size(),
                       layer.keras_name,
                       within.size() > 1 ? within[1]->name : layer.keras_name,
                       within.back()->scope,
                       variable_path(within) + layer.keras_name + "/",
                       layer.keras_name,
                       within.size() > 1 && heeds_its_flag(*within[1])};
      for (std::size_t i = within.size() - 1; i > 0; --i) place.layer = within[i]->name + "/" + place.layer;
      // Unsaid in a model within the model, where sizes may be open that are known to its callers.
      if (!layer.calls.empty() && within.size() == 1) builds.emplace(place.layer, build_config(layer));
      places.emplace(layer.name, place);
      add_wrappers_own(layer.name, place, within, places);
    });
    place(plan_.bindings, places, architecture_.ties);
    for (const KerasBinding& binding : plan_.bindings)
      if (const auto build = builds.find(binding.layer); build != builds.end() && !build->second.is_null())
        plan_.builds.emplace(*build);
  }

  // The variables that the wrappers around a layer have themselves. In Keras they stand behind its first one, but that
  // all trained ones come before (a wrapper has the kernel that it works on as its own, too).
  void add_wrappers_own(const std::string& layer, const KerasPlace& of_layer,
                        const std::vector<const KerasModel*>& within, std::map<std::string, KerasPlace>& places) {
    for (std::size_t i = within.size() - 1; i > 0; --i) {
      const std::string variable = own_variable(within[i]->said);
      const auto first = std::ranges::find(plan_.bindings, layer, &KerasBinding::layer);
      if (variable.empty() || first == plan_.bindings.end()) continue;
      KerasPlace place = of_layer;
      place.keras_name = within[i]->name;
      place.scope = within[i]->scope;
      place.path = variable_path({within.begin(), within.begin() + static_cast<std::ptrdiff_t>(i) + 1});
      place.layer = within[1]->name;
      for (std::size_t j = 2; j <= i; ++j) place.layer += "/" + within[j]->name;
      KerasBinding own = wrappers_binding(place.scope + "//" + variable, variable);
      own.trainable = own.frozen = first->frozen || place.in_frozen_group;
      places.emplace(own.layer, std::move(place));
      plan_.bindings.insert(std::next(first), std::move(own));
    }
  }

  void name_outputs(const KerasModel& model) {
    for (const KerasTensor& output : model.outputs)
      plan_.output_names.push_back(std::ranges::find(model.layers, output.layer, &KerasLayer::name)->keras_name);
  }

  const std::optional<Architecture> own_;  // where the one that is given says more than Keras does
  const Architecture& architecture_;
  const ArchitectureIndex index_;
  const DTypePolicies policies_;
  const Types types_;
  const Shapes shapes_;
  const TakesActivation takes_within_;
  const TiedLayers ties_;
  std::map<std::string_view, const ScopeCall*> scope_calls_;
  std::map<std::string, std::set<std::int64_t>> used_outputs_;  // by our layer, over all of its calls
  KerasNames names_;
  BindingMaker maker_;
  std::map<Value, KerasTensor> values_;
  std::map<std::string, std::pair<Value, std::int64_t>> sizes_;  // by their spelling: a value and its axis
  InferredSizes inferred_;
  std::vector<KerasLayer> layers_;
  std::map<std::pair<std::string, std::string>, std::size_t> made_;  // by our layer and suffix
  KerasPlan plan_;
};

// `architecture` with its wrappers as they are.
PlannedModel plan(const Architecture& architecture, const std::map<std::string, std::vector<WeightStep>>& weight_steps,
                  const FloatTypes& floats, TakesActivation takes_within) {
  std::set<std::string> moved;
  for (const auto& [name, steps] : weight_steps) moved.insert(name);
  TiedLayers ties = tied_layers(architecture, moved);
  const bool is_untied = ties.stands.empty();
  try {
    return Planner(architecture, weight_steps, floats, takes_within, std::move(ties)).run();
  } catch (const NoWrapper&) {
    throw;
  } catch (const Unsupported&) {
    // Layers that share tensors may be called in ways that one Keras layer cannot serve.
    if (is_untied) throw;
  }
  return Planner(architecture, weight_steps, floats, takes_within, {}).run();
}

}  // namespace

KerasPlan plan_keras(const Architecture& architecture,
                     const std::map<std::string, std::vector<WeightStep>>& weight_steps, const FloatTypes& floats,
                     TakesActivation takes_within) {
  PlannedModel planned = [&] {
    try {
      return plan(architecture, weight_steps, floats, takes_within);
    } catch (const NoWrapper&) {
      return plan(without_wrappers(architecture), weight_steps, floats, takes_within);
    }
  }();
  // What the planner kept of each layer is gone by now.
  planned.plan.model_config = print_model(std::move(planned.model));
  return std::move(planned.plan);
}

}  // namespace h5bridge
