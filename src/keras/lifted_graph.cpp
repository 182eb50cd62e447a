#include "keras/lifted_graph.h"

#include <string_view>

#include "facets/registry.h"

namespace h5bridge {

std::string LiftedGraph::new_name(const std::string& wanted) {
  const auto taken = [&](const std::string& name) { return taken_names_.contains(name); };
  return *taken_names_.insert(unique_name(wanted, taken)).first;
}

SymbolicShape LiftedGraph::declared_shape(const Json& shape) {
  SymbolicShape result;
  for (std::size_t i = 0; i < shape.as_array().size(); ++i) {
    const Json& size = shape.as_array()[i];
    if (!size.is_null())
      result.push_back(size.as_integer());
    else
      result.push_back(Size::symbol(i == 0 ? "batch" : "size" + std::to_string(++open_sizes_)));
  }
  return result;
}

void LiftedGraph::add_input(const std::string& name, SymbolicShape shape, DType dtype) {
  Input input{name, std::move(shape), dtype};
  give({name, 0, 0}, {name, 0});
  types.set(name, {{dtype, input.shape}});
  architecture.inputs.push_back(std::move(input));
}

void LiftedGraph::add_node(Node node) {
  node.scope_call = scope_call_;
  architecture.nodes.push_back(std::move(node));
}

Value LiftedGraph::add_layer(Layer layer, const std::string& name, std::vector<Value> inputs) {
  layer.name = name;
  set_types(layer.name, layer, inputs);
  add_node(node_of(layer.name, layer, {std::move(inputs)}));
  architecture.layers.push_back(std::move(layer));
  return {architecture.layers.back().name, 0};
}

void LiftedGraph::set_types(const std::string& node, const Layer& layer, const std::vector<Value>& inputs,
                            std::optional<DType> floats) {
  types.set(node, Registry::instance().type_of(layer).outputs(layer.attributes, types_of(inputs), floats));
}

const Value* LiftedGraph::find(const History& tensor) const {
  const auto found = values_.find(key(tensor));
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<SymbolicShape> LiftedGraph::shapes_of(const std::vector<History>& tensors) const {
  std::vector<SymbolicShape> result;
  for (const History& tensor : tensors) result.push_back(shape_of(tensor));
  return result;
}

std::vector<TensorType> LiftedGraph::types_of(const std::vector<Value>& values) const {
  std::vector<TensorType> result;
  for (const Value& value : values) result.push_back(types.of(value));
  return result;
}

bool LiftedGraph::is_made_from(const Value& value, const std::string& node) const {
  std::set<std::string_view> known{value.node};
  if (value.node == node) return true;
  for (auto i = architecture.nodes.rbegin(); i != architecture.nodes.rend(); ++i)
    if (known.contains(i->name))
      for (const Value& input : i->values()) {
        if (input.node == node) return true;
        known.insert(input.node);
      }
  return false;
}

}  // namespace h5bridge
