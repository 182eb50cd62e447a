#include "picture/picture.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/checked.h"
#include "model/one_line.h"
#include "model/quoted.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "passes/infer_types.h"
#include "passes/layout.h"
#include "passes/presentation.h"
#include "picture/groups.h"

namespace h5bridge {
namespace {

constexpr std::size_t kLongestName = 200;
constexpr std::size_t kLongestSetting = 300;

std::string typed(const TensorType& type) {
  return to_string(type.shape) + (type.dtype == DType::Float32 ? "" : " " + std::string(name_of(type.dtype)));
}

using ShapesOf = std::map<std::string, std::vector<std::string>>;

// The shapes of all calls, as a framework has the model; none where it cannot have it.
ShapesOf shapes_in(const Model& model, Framework framework) {
  ShapesOf result;
  try {
    const Architecture& own = *model.architecture;
    const Architecture architecture = change_layout(own, presented_format(own, framework), framework).architecture;
    const Types types = infer_types(architecture, FloatTypes(model.weights));
    for (const Input& input : architecture.inputs) result[input.name] = {typed(types.of(Value{input.name}))};
    for (const Node& node : architecture.nodes)
      for (const TensorType& type : types.outputs_of(node.name)) result[node.name].push_back(typed(type));
  } catch (const Unsupported&) {
    result.clear();
  }
  return result;
}

class Drawing {
 public:
  explicit Drawing(const Model& model)
      : architecture_(*model.architecture),
        torch_(shapes_in(model, Framework::Torch)),
        keras_(shapes_in(model, Framework::Keras)) {
    for (std::string& name : frozen_parameters(architecture_, model.trainable)) frozen_.insert(std::move(name));
  }

  Picture drawn() {
    picture_.name = shown_name(architecture_.name);
    for (const Input& input : architecture_.inputs) add_input(input);
    const NodeGroups groups = groups_of(architecture_, [this](const Node& node) { return keeps_shape(node); });
    for (const std::string& name : groups.names) picture_.groups.push_back({shown_name(name), {}});
    for (std::size_t i = 0; i < groups.parents.size(); ++i) picture_.groups[i].parent = groups.parents[i];
    for (std::size_t i = 0; i < architecture_.nodes.size(); ++i) add_call(architecture_.nodes[i], groups.of_nodes[i]);
    for (const Output& output : architecture_.outputs) add_output(output);
    return std::move(picture_);
  }

 private:
  std::vector<std::string> found(const ShapesOf& shapes, const std::string& name) const {
    const auto known = shapes.find(name);
    return known == shapes.end() ? std::vector<std::string>() : known->second;
  }

  Picture::Box& add_box(const std::string& name, const std::string& type, Picture::Kind kind) {
    Picture::Box box;
    box.name = shown_name(name);
    box.type = type;
    box.kind = kind;
    return picture_.boxes.emplace_back(std::move(box));
  }

  void add_input(const Input& input) {
    boxes_[input.name] = picture_.boxes.size();
    Picture::Box& box = add_box(input.name, "input", Picture::Kind::Input);
    box.torch_shapes = found(torch_, input.name);
    box.keras_shapes = found(keras_, input.name);
  }

  void add_call(const Node& node, std::optional<std::size_t> group) {
    const Layer& layer = architecture_.layer_of(node);
    const LayerType& type = Registry::instance().type_of(layer);
    boxes_[node.name] = picture_.boxes.size();
    Picture::Box& box = add_box(node.name, shown_type(as_called(layer, node)), Picture::Kind::Reshaping);
    box.group = group;
    box.torch_shapes = found(torch_, node.name);
    box.keras_shapes = found(keras_, node.name);
    if (node.layer != node.name) box.layer = shown_name(node.layer);
    for (const auto& [name, value] : attributes_to_json(type, as_called(layer, node).attributes))
      box.settings.emplace_back(
          name, shortened(one_line(value.is_string() ? value.as_string() : value.dump()), kLongestSetting));
    add_tensors(layer, type, box);
    box.kind = kind_of(node, !type.parameters(layer.attributes).empty());
    // What is added up in any order has no parts to tell from each other.
    const bool in_any_order = type.choice.group == "merge" && most_inputs(type.operands) > 2;
    for (std::size_t i = 0; i < node.arguments.size(); ++i)
      add_arrows(node, i, i < type.operands.size() && !in_any_order ? type.operands[i].name : "");
  }

  Picture::Kind kind_of(const Node& node, bool has_tensors) const {
    if (has_tensors) return Picture::Kind::Weighted;
    if (node.values().size() > 1) return Picture::Kind::Joining;
    return keeps_shape(node) ? Picture::Kind::Elementwise : Picture::Kind::Reshaping;
  }

  // Whether the call gives one value of the shape of the one that it takes.
  bool keeps_shape(const Node& node) const {
    const std::vector<Value> values = node.values();
    const std::vector<std::string> made = found(torch_, node.name);
    return values.size() == 1 && made.size() == 1 && found(torch_, values[0].node) == made;
  }

  void add_tensors(const Layer& layer, const LayerType& type, Picture::Box& box) {
    if (!drawn_layers_.insert(layer.name).second) return;
    for (const ParameterSpec& spec : type.parameters(layer.attributes)) {
      const std::string name = tensor_name(layer.name, spec.name);
      const bool is_buffer = spec.role == Role::Buffer;
      box.tensors.push_back({shown_name(name), to_string(spec.shape), std::string(name_of(spec.dtype)),
                             is_buffer                ? "buffer"
                             : frozen_.contains(name) ? "frozen"
                                                      : "trainable"});
      if (is_buffer) continue;
      const std::int64_t count = as_file_says([&] { return element_count(spec.shape); });
      box.parameters += count;
      if (frozen_.contains(name)) box.frozen_parameters += count;
    }
  }

  void add_arrows(const Node& node, std::size_t argument, const std::string& operand) {
    const std::string label = node.arguments.size() > 1 ? operand : "";
    const auto add = [&](const Value& value) { add_arrow(value, boxes_.at(node.name), label); };
    if (const Value* value = std::get_if<Value>(&node.arguments[argument])) add(*value);
    if (const auto* list = std::get_if<Node::List>(&node.arguments[argument]))
      for (const std::optional<Value>& value : *list)
        if (value) add(*value);
  }

  void add_arrow(const Value& value, std::size_t to, std::string label) {
    if (value.output > 0) label = "output " + std::to_string(value.output) + (label.empty() ? "" : " as " + label);
    picture_.arrows.push_back({boxes_.at(value.node), to, std::move(label)});
  }

  void add_output(const Output& output) {
    const std::size_t to = picture_.boxes.size();
    const std::vector<std::string> torch = found(torch_, output.value.node);
    const std::vector<std::string> keras = found(keras_, output.value.node);
    const auto number = static_cast<std::size_t>(std::max<std::int64_t>(output.value.output, 0));
    Picture::Box& box = add_box(output.name.empty() ? output.value.node : output.name, "output", Picture::Kind::Output);
    if (number < torch.size()) box.torch_shapes = {torch[number]};
    if (number < keras.size()) box.keras_shapes = {keras[number]};
    add_arrow(output.value, to, "");
  }

  const Architecture& architecture_;
  const ShapesOf torch_;
  const ShapesOf keras_;
  std::set<std::string> frozen_;
  std::set<std::string> drawn_layers_;
  std::map<std::string, std::size_t> boxes_;  // by the name of input or call
  Picture picture_;
};

}  // namespace

std::vector<std::string> Picture::Box::shape_lines() const {
  if (keras_shapes.empty() || keras_shapes == torch_shapes) return torch_shapes.empty() ? keras_shapes : torch_shapes;
  std::vector<std::string> lines;
  for (const std::string& shape : torch_shapes) lines.push_back("PyTorch " + shape);
  for (const std::string& shape : keras_shapes) lines.push_back("Keras " + shape);
  return lines;
}

std::string name_of(Picture::Kind kind) {
  switch (kind) {
    case Picture::Kind::Input: return "input";
    case Picture::Kind::Output: return "output";
    case Picture::Kind::Weighted: return "weighted";
    case Picture::Kind::Elementwise: return "elementwise";
    case Picture::Kind::Joining: return "joining";
    case Picture::Kind::Reshaping: return "reshaping";
  }
  return {};
}

std::string shown_name(const std::string& name) { return shortened(one_line(name), kLongestName); }

std::string shown_type(const Layer& layer) {
  const LayerType& type = Registry::instance().type_of(layer);
  if (!type.find_attribute("activation") || !layer.attributes.contains("activation")) return layer.type;
  const AttributeValue& own = layer.attributes.at("activation");
  const Attributes defaults = type.defaults();
  const auto* name = std::get_if<std::string>(&own);
  const bool is_default = defaults.contains("activation") && defaults.at("activation") == own;
  return name && !is_default ? layer.type + ", " + shown_name(*name) : layer.type;
}

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

Picture picture_of(const Model& model) {
  if (!model.architecture) throw UsageError("needs an architecture to draw, and the sources have none");
  check_graph(*model.architecture);
  return Drawing(model).drawn();
}

}  // namespace h5bridge
