#include "passes/layout.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "facets/keras/fused_activation.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

// Thrown inside the pass: the flatten node `name` must keep its order, because a consumer cannot take another one.
struct OrderNeeded {
  std::string name;
};

// Axis `axis` of a parameter takes up the order of the features that meet it; or its axes are permuted.
struct Reorder {
  std::string parameter;
  std::int64_t axis = 0;
  FlattenedOrder order = {};
  std::vector<std::int64_t> permutation = {};
  bool operator==(const Reorder&) const = default;
};

// A layer whose calls would change it in two ways.
struct CallsDiffer {
  std::string layer;
};

// What earlier rounds found out.
struct Learned {
  std::set<std::string> keep_order;  // flattens whose reordering somebody cannot take
  std::set<std::string> unmoved;     // layers that get their inputs as the source has them, so that their calls agree
};

class LayoutPass {
 public:
  LayoutPass(const Architecture& source, DataFormat wanted, Framework framework, const Learned& learned)
      : source_(source),
        index_(source),
        shapes_(infer_shapes(source)),
        channels_last_(wanted == DataFormat::ChannelsLast),
        moves_images_(differs_from(source, wanted)),
        keras_(framework == Framework::Keras),
        learned_(learned) {
    find_wishes();
  }

  LayoutChange run() {
    result_.architecture = source_;
    result_.architecture.nodes.clear();
    for (const Input& input : source_.inputs) begin_input(input);
    for (const Node& node : source_.nodes) visit(node);
    part_of_.clear();
    for (Output& output : result_.architecture.outputs) end_output(output);
    move_scopes();
    drop_unused_layers();
    return std::move(result_);
  }

 private:
  friend class NodeCall;

  // Where a source value is now.
  struct Stored {
    Value value;
    Arrangement arrangement;
    std::string reordered_by;  // the flatten that put its elements into another order
    bool is_image = false;     // with channels and at least two more axes, stored one way or the other
  };

  // The values that are better moved: some layer behind them, with none in between that minds, has the other data
  // format, or works on them together with one that is moved. What is moved follows from what is wished, so both grow
  // until they settle.
  void find_wishes() {
    for (std::size_t known = 1; known != wishes_.size() + moved_.size();) {
      known = wishes_.size() + moved_.size();
      for (auto node = source_.nodes.rbegin(); node != source_.nodes.rend(); ++node) {
        const LayoutWish wish = wish_of(*node);
        const bool passes_on =
            wish == LayoutWish::PassesOn && (wishes_.contains({node->name, 0}) || meets_moved(*node));
        const std::vector<Value> inputs = inputs_of(*node);
        if (wish == LayoutWish::ChannelsLast) wishes_.insert(inputs.at(0));  // the others may be weights
        if (passes_on) wishes_.insert(inputs.begin(), inputs.end());
        if (wish != LayoutWish::PassesAlong || !wishes_.contains({node->name, 0})) continue;
        for (const Value& value : inputs)
          if (const Node* maker = index_.find_node(value.node); maker && wish_of(*maker) == LayoutWish::PassesAlong)
            wishes_.insert(value);
      }
      for (const Node& node : source_.nodes)
        if (const LayoutWish wish = wish_of(node);
            wish == LayoutWish::ChannelsLast || (wish == LayoutWish::PassesOn && meets_moved(node)))
          moved_.insert(node.name);
    }
  }

  LayoutWish wish_of(const Node& node) const {
    const Layer& layer = index_.layer_of(node);
    const LayoutWish wish = Registry::instance().type_of(layer).layout.wish;
    const std::string wanted = channels_last_ ? "channels_last" : "channels_first";
    return wish == LayoutWish::ChannelsLast && layer.attributes.text("data_format") == wanted ? LayoutWish::Neutral
                                                                                              : wish;
  }

  std::vector<Value> inputs_of(const Node& node) const { return plain_call(index_.layer_of(node), node).inputs; }

  bool meets_moved(const Node& node) const {
    return std::ranges::any_of(inputs_of(node), [&](const Value& value) { return moved_.contains(value.node); });
  }

  void begin_input(const Input& input) {
    const Value value{input.name, 0};
    Arrangement arrangement = Arrangement::original(input.shape.size());
    if (input.shape.size() > 2 && wishes_.contains(value))
      arrangement = channels_moved(input.shape.size(), channels_last_);
    Input& changed = *std::find_if(result_.architecture.inputs.begin(), result_.architecture.inputs.end(),
                                   [&](const Input& i) { return i.name == input.name; });
    for (std::size_t i = 0; i < changed.shape.size(); ++i) changed.shape[i] = input.shape[arrangement.axes[i]];
    result_.inputs[input.name] = arrangement.axes;
    stored_[value] = {value, arrangement, {}, is_moved_image(arrangement)};
  }

  bool is_moved_image(const Arrangement& arrangement) const {
    const std::size_t rank = arrangement.axes.size();
    return rank > 3 && arrangement == channels_moved(rank, channels_last_);
  }

  void visit(const Node& node);

  // What becomes of a layer of the source: permutes come behind all of these.
  Layer& changed(const Layer& layer) { return result_.architecture.layers[index_.place_of(layer.name)]; }

  // The layer that makes `value`, if it is a tensor of the model's own that no other node gives.
  Layer* tensor_behind(const Value& value) {
    const Node* node = index_.find_node(value.node);
    if (!node || index_.calls_of(node->layer).size() > 1) return nullptr;
    Layer& layer = changed(index_.layer_of(*node));
    return Registry::instance().type_of(layer).layout.permute_output ? &layer : nullptr;
  }

  // A tensor of the model's own is kept as its first consumer wants it.
  void keep_as(const Arrangement& wanted, Layer& layer) {
    const auto& permute_output = Registry::instance().type_of(layer).layout.permute_output;
    if (wanted.is_original()) return;
    for (const std::string& parameter : permute_output(layer.attributes, wanted.axes))
      result_.weights[tensor_name(layer.name, parameter)] = {PermuteAxes{wanted.axes}};
  }

  // As it lies now.
  SymbolicShape stored_shape(const Value& value) const {
    const SymbolicShape& shape = shapes_.of(value);
    SymbolicShape result;
    for (const std::int64_t axis : stored_.at(value).arrangement.axes) result.push_back(shape[axis]);
    return result;
  }

  // Whether axes of size 1 alone are moved; a reshape says that, where it has not to tell several open sizes.
  static bool keeps_elements_in_order(const SymbolicShape& shape, const std::vector<std::int64_t>& dims) {
    std::int64_t last = -1;
    for (const std::int64_t axis : dims) {
      if (shape[axis] == Size(1)) continue;
      if (axis < last) return false;
      last = axis;
    }
    return std::ranges::count_if(shape, &Size::is_open) <= 1;
  }

  // The value of `stored` arranged as `wanted`, by a permute if need be.
  Value arranged(Stored stored, const Arrangement& wanted) {
    if (Layer* tensor = tensor_behind(stored.value)) {
      // What is wanted of it may be wanted of its axes in another order.
      Arrangement own = wanted;
      for (std::int64_t& axis : own.axes) axis = stored.arrangement.stored_axis(axis);
      const auto [kept, is_first] = tensors_.try_emplace(stored.value, own);
      if (is_first) keep_as(own, *tensor);
      Arrangement now = kept->second;
      for (std::int64_t& axis : now.axes) axis = stored.arrangement.axes[axis];
      stored.arrangement = now;
    }
    if (stored.arrangement == wanted) return stored.value;
    if (stored.arrangement.flattened != wanted.flattened) throw OrderNeeded{stored.reordered_by};
    std::vector<std::int64_t> dims;
    for (const std::int64_t axis : wanted.axes) dims.push_back(stored.arrangement.stored_axis(axis));
    const auto key = std::tuple(stored.value, dims, part_of_);
    if (const auto made = permutes_.find(key); made != permutes_.end()) return made->second;
    const std::string name = unique_name(stored.value.node + "_permute", [&](const std::string& candidate) {
      return index_.find_layer(candidate) || index_.find_node(candidate) || index_.find_input(candidate) ||
             permute_names_.contains(candidate);
    });
    // It vanishes again; a Keras model's own do not.
    Layer permute{.name = name, .type = "permute", .attributes = {}, .keras = {.inserted = true}};
    permute.attributes.set("dims", dims);
    if (const SymbolicShape shape = stored_shape(stored.value); keras_ && keeps_elements_in_order(shape, dims)) {
      SymbolicShape wanted_shape;
      for (const std::int64_t axis : dims) wanted_shape.push_back(shape[axis]);
      permute.type = "reshape";
      permute.attributes = {};
      permute.attributes.set("shape", std::move(wanted_shape));
    }
    result_.architecture.layers.push_back(std::move(permute));
    result_.architecture.nodes.push_back({name, name, {stored.value}, {}, part_of_});
    permute_names_.insert(name);
    return permutes_[key] = Value{name, 0};
  }

  void end_output(Output& output) {
    const Stored& stored = stored_.at(output.value);
    const std::size_t rank = stored.arrangement.axes.size();
    Arrangement wanted = Arrangement::original(rank);
    const Arrangement moved = channels_moved(rank, channels_last_);
    // Of Keras's, channels are last in whatever became of an image, also where a layer on the way had to have them so.
    const bool is_to_move = !channels_last_ && stored.is_image && stored.arrangement == wanted;
    // Where no image is moved, axes that look moved are what the model itself has moved.
    if (moves_images_ && (stored.arrangement == moved || is_to_move)) wanted = moved;
    output.value = arranged(stored, wanted);
    result_.outputs.push_back(wanted.axes);
  }

  // What calls of scopes take and give is where it is now, and declared as it lies now.
  void move_scopes() {
    std::set<std::string> declared;
    for (ScopeCall& call : result_.architecture.scope_calls) {
      const auto scope = std::ranges::find(result_.architecture.scopes, call.scope, &Scope::name);
      for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        SymbolicShape& shape = scope->inputs.at(i).shape;
        const std::vector<std::int64_t>& axes = stored_.at(call.arguments[i]).arrangement.axes;
        const SymbolicShape before = shape;
        if (!declared.contains(call.scope) && axes.size() == shape.size())
          for (std::size_t axis = 0; axis < axes.size(); ++axis) shape[axis] = before[axes[axis]];
        call.arguments[i] = stored_.at(call.arguments[i]).value;
      }
      declared.insert(call.scope);
      for (Value& result : call.results) result = stored_.at(result).value;
      for (std::optional<Value>& mask : call.masks)
        if (mask) mask = stored_.at(*mask).value;
    }
  }

  void drop_unused_layers() {
    std::set<std::string> called;
    for (const Node& node : result_.architecture.nodes) called.insert(node.layer);
    std::erase_if(result_.architecture.layers, [&](const Layer& layer) { return !called.contains(layer.name); });
  }

  const Architecture& source_;
  const ArchitectureIndex index_;
  const Shapes shapes_;
  const bool channels_last_;
  const bool moves_images_;
  const bool keras_;
  const Learned& learned_;
  std::set<Value> wishes_;
  std::set<std::string> moved_;  // nodes whose outputs have their channels moved
  std::map<Value, Stored> stored_;
  std::string part_of_;  // the call of a scope whose nodes are visited
  std::map<std::tuple<Value, std::vector<std::int64_t>, std::string>, Value> permutes_;
  std::set<std::string> permute_names_;
  std::map<Value, Arrangement> tensors_;  // of the model's own, as they are kept
  // A layer as its first call left it.
  struct ChangedLayer {
    std::string type;
    Attributes attributes;
    KerasOrigin keras;
    std::vector<Reorder> reorders;
    bool operator==(const ChangedLayer&) const = default;
  };
  std::map<std::string, ChangedLayer> changed_layers_;
  LayoutChange result_;
};

// One call as a layer's rule sees it.
class NodeCall final : public LayoutCall {
 public:
  NodeCall(LayoutPass& pass, const Node& node)
      : pass_(pass),
        node_(node),
        layer_(*pass.index_.find_layer(node.layer)),
        call_(plain_call(layer_, node)),
        type_(layer_.type),
        attributes_(layer_.attributes),
        keras_(layer_.keras),
        unmoved_(pass.learned_.unmoved.contains(node.layer)) {
    for (const Value& value : call_.inputs) {
      inputs_.push_back(pass.stored_.at(value));
      wanted_.push_back(inputs_.back().arrangement);
      if (unmoved_) require(inputs_.size() - 1, Arrangement::original(wanted_.back().axes.size()));
    }
    for (const SymbolicShape& shape : pass.shapes_.outputs_of(node.name))
      outputs_.push_back(Arrangement::original(shape.size()));
  }

  std::size_t input_count() const override { return inputs_.size(); }
  std::size_t output_count() const override { return outputs_.size(); }
  const Arrangement& input(std::size_t i) const override { return wanted_.at(i); }
  const SymbolicShape& input_shape(std::size_t i) const override { return pass_.shapes_.of(call_.inputs.at(i)); }
  const SymbolicShape& output_shape(std::size_t i) const override {
    return pass_.shapes_.of({node_.name, static_cast<std::int64_t>(i)});
  }
  void require(std::size_t i, const Arrangement& wanted) override {
    if (wanted.flattened != inputs_.at(i).arrangement.flattened) throw OrderNeeded{inputs_[i].reordered_by};
    wanted_[i] = wanted;
  }
  Attributes& attributes() override { return attributes_; }
  void become(const std::string& type, Attributes attributes) override {
    type_ = type;
    attributes_ = std::move(attributes);
  }
  void vanish() override { vanishes_ = true; }
  void reorder_parameter(const std::string& parameter, std::int64_t axis, const FlattenedOrder& order) override {
    reorders_.push_back({.parameter = parameter, .axis = axis, .order = order});
  }
  void permute_parameter(const std::string& parameter, const std::vector<std::int64_t>& axes) override {
    reorders_.push_back({.parameter = parameter, .permutation = axes});
  }
  bool may_reorder() const override { return !pass_.learned_.keep_order.contains(node_.name); }
  bool is_wished(std::size_t i) const override {
    return !unmoved_ && pass_.wishes_.contains({node_.name, static_cast<std::int64_t>(i)});
  }
  bool wants_channels_last() const override { return pass_.channels_last_; }
  bool wants_keras() const override { return pass_.keras_; }
  bool activation_works_along_axis() const override { return works_along_axis(layer_.attributes.text("activation")); }
  bool is_keras_own() const override { return pass_.source_.keras.class_name && !layer_.keras.inserted; }
  KerasOrigin& keras() override { return keras_; }
  void keep_image() override { keeps_image_ = true; }
  void set_output(std::size_t i, Arrangement arrangement) override { outputs_.at(i) = std::move(arrangement); }

  void commit() {
    PlainCall call;
    for (std::size_t i = 0; i < inputs_.size(); ++i) call.inputs.push_back(pass_.arranged(inputs_[i], wanted_[i]));
    const std::string flatten = reordering_flatten();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Value value{node_.name, static_cast<std::int64_t>(i)};
      pass_.stored_[value] = {vanishes_ ? call.inputs.at(0) : value, outputs_[i], outputs_[i].flattened ? flatten : "",
                              is_image(outputs_[i])};
    }
    if (vanishes_) return;
    for (const auto& [name, value] : call_.named)
      call.named.emplace_back(name, pass_.arranged(pass_.stored_.at(value), arrangement_by_name(value)));
    Node changed = node_of(node_.name, change_layer(), call);
    changed.attributes = node_.attributes;
    changed.scope_call = node_.scope_call;
    pass_.result_.architecture.nodes.push_back(std::move(changed));
  }

 private:
  // Moved channels tell; else it is one where an input is, and nothing but the elements is changed.
  bool is_image(const Arrangement& output) const {
    if (pass_.is_moved_image(output)) return true;
    if (!keeps_image_ && pass_.wish_of(node_) != LayoutWish::PassesOn) return false;
    return std::ranges::any_of(inputs_, [&](const LayoutPass::Stored& input) {
      return input.is_image && input.arrangement.axes.size() == output.axes.size();
    });
  }

  // What is given by name for each element of the first input lies as that one does.
  Arrangement arrangement_by_name(const Value& value) const {
    const std::size_t rank = pass_.shapes_.of(value).size();
    return rank == wanted_.at(0).axes.size() ? wanted_[0] : Arrangement::original(rank);
  }

  std::string reordering_flatten() const {
    for (const auto& input : inputs_)
      if (!input.reordered_by.empty()) return input.reordered_by;
    return node_.name;
  }

  // A layer that is called twice must be changed alike by both calls.
  const Layer& change_layer() {
    const LayoutPass::ChangedLayer changed{type_, attributes_, keras_, reorders_};
    if (pass_.changed_layers_.try_emplace(layer_.name, changed).first->second != changed) {
      if (!unmoved_) throw CallsDiffer{layer_.name};
      throw Unsupported(
          describe(layer_) +
          " is called twice, with inputs whose axes would move in two ways, and one layer cannot serve both; a "
          "layer for each call can be written");
    }
    Layer& layer = pass_.changed(layer_);
    layer.type = type_;
    layer.attributes = attributes_;
    layer.keras = keras_;
    for (const Reorder& reorder : reorders_)
      pass_.result_.weights[tensor_name(layer_.name, reorder.parameter)] = reorder_steps(reorder);
    return layer;
  }

  // The axis is taken apart into the flattened extents, these are put in order, and joined again.
  std::vector<WeightStep> reorder_steps(const Reorder& reorder) const {
    if (!reorder.permutation.empty()) return {PermuteAxes{reorder.permutation}};
    Shape whole;
    for (const ParameterSpec& spec : Registry::instance().type_of(layer_).parameters(layer_.attributes))
      if (spec.name == reorder.parameter) whole = spec.shape;
    Shape apart(whole.begin(), whole.begin() + reorder.axis);
    apart.insert(apart.end(), reorder.order.extents.begin(), reorder.order.extents.end());
    apart.insert(apart.end(), whole.begin() + reorder.axis + 1, whole.end());
    std::vector<std::int64_t> axes = Arrangement::original(apart.size()).axes;
    Shape ordered = apart;
    for (std::size_t i = 0; i < reorder.order.order.size(); ++i) {
      axes[reorder.axis + i] = reorder.axis + reorder.order.order[i];
      ordered[reorder.axis + i] = apart[axes[reorder.axis + i]];
    }
    return {ChangeShape{whole, apart}, PermuteAxes{axes}, ChangeShape{ordered, whole}};
  }

  LayoutPass& pass_;
  const Node& node_;
  const Layer& layer_;
  const PlainCall call_;
  std::string type_;
  Attributes attributes_;
  KerasOrigin keras_;
  std::vector<LayoutPass::Stored> inputs_;
  std::vector<Arrangement> wanted_;
  std::vector<Arrangement> outputs_;
  std::vector<Reorder> reorders_;
  bool unmoved_ = false;
  bool vanishes_ = false;
  bool keeps_image_ = false;
};

void LayoutPass::visit(const Node& node) {
  const Layer& layer = index_.layer_of(node);
  part_of_ = node.scope_call;
  NodeCall call(*this, node);
  Registry::instance().type_of(layer).layout.apply(call);
  call.commit();
}

// A Keras model whose layers do not all have the data format of the model (a BatchNormalization over axis 1): Keras
// itself has it so, and it is to stay so.
bool is_mixed(const Architecture& architecture, DataFormat own) {
  if (architecture.keras.data_format != own) return false;
  return differs_from(architecture,
                      own == DataFormat::ChannelsLast ? DataFormat::ChannelsFirst : DataFormat::ChannelsLast);
}

// Whether a product of matrices is given one whose axes a network moved for it: attention that is written out.
bool moves_axes_of_matrices(const Architecture& architecture) {
  const ArchitectureIndex index(architecture);
  const auto is_moved = [&](const Value& value) {
    const Node* maker = index.find_node(value.node);
    if (!maker) return false;
    const std::string& type = index.layer_of(*maker).type;
    return type == "transpose" || type == "permute";
  };
  return std::ranges::any_of(architecture.nodes, [&](const Node& node) {
    const std::string& type = index.layer_of(node).type;
    return (type == "matmul" || type == "bmm") && std::ranges::any_of(node.values(), is_moved);
  });
}

// Whether attention is given heads that a network of PyTorch's moved before the steps; to Keras it is written without.
bool moves_heads(const Architecture& architecture) {
  if (architecture.keras.class_name) return false;
  return moves_axes_of_matrices(architecture) || std::ranges::any_of(architecture.layers, [](const Layer& layer) {
           return layer.attributes.contains("steps_first") && !layer.attributes.boolean("steps_first");
         });
}

}  // namespace

bool differs_from(const Architecture& architecture, DataFormat wanted) {
  const std::string other = wanted == DataFormat::ChannelsLast ? "channels_first" : "channels_last";
  const Shapes shapes = infer_shapes(architecture);
  const ArchitectureIndex index(architecture);
  // Features without spatial axes are the same in both formats.
  return std::any_of(architecture.nodes.begin(), architecture.nodes.end(), [&](const Node& node) {
    const Attributes& attributes = index.layer_of(node).attributes;
    return attributes.contains("data_format") && attributes.text("data_format") == other &&
           shapes.of(node.values().at(0)).size() > 2;
  });
}

// Keras's channels_first flatten is folded away on the way to PyTorch, and unfolded on the way back.
bool changes_layout(const Architecture& architecture, DataFormat wanted, Framework framework) {
  if (differs_from(architecture, wanted)) return framework == Framework::Torch || !is_mixed(architecture, wanted);
  if (framework == Framework::Keras && moves_heads(architecture)) return true;
  return wanted == DataFormat::ChannelsFirst &&
         std::any_of(architecture.layers.begin(), architecture.layers.end(), [&](const Layer& layer) {
           if (!layer.attributes.contains("channels_last_order")) return false;
           return layer.attributes.boolean("channels_last_order")
                      ? framework == Framework::Torch
                      : framework == Framework::Keras && layer.keras.folded_format;
         });
}

LayoutChange same_layout(Architecture own) {
  LayoutChange result{std::move(own), {}, {}, {}};
  const Architecture& architecture = result.architecture;
  const Shapes shapes = infer_shapes(architecture);
  for (const Input& input : architecture.inputs)
    result.inputs[input.name] = Arrangement::original(input.shape.size()).axes;
  for (const Output& output : architecture.outputs)
    result.outputs.push_back(Arrangement::original(shapes.of(output.value).size()).axes);
  return result;
}

LayoutChange change_layout(Architecture architecture, DataFormat wanted, Framework framework) {
  check_graph(architecture);
  if (!changes_layout(architecture, wanted, framework)) return same_layout(std::move(architecture));
  // Each round learns of one flatten or layer more; in the end there is nothing left to learn.
  Learned learned;
  while (true) {
    try {
      return LayoutPass(architecture, wanted, framework, learned).run();
    } catch (const OrderNeeded& needed) {
      if (!learned.keep_order.insert(needed.name).second)
        throw std::logic_error("the layout pass does not settle at " + needed.name);
    } catch (const CallsDiffer& differ) {
      learned.unmoved.insert(differ.layer);
    }
  }
}

}  // namespace h5bridge
