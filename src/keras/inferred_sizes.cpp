#include "keras/inferred_sizes.h"

#include <algorithm>
#include <variant>

#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using Handle = KerasEmitter::Handle;

std::vector<Handle> tensors_of(const KerasEmitter::Call& call) {
  std::vector<Handle> result;
  const auto take = [&](const KerasEmitter::Argument& argument) {
    if (const auto* handle = std::get_if<Handle>(&argument)) result.push_back(*handle);
    if (const auto* list = std::get_if<std::vector<Handle>>(&argument))
      result.insert(result.end(), list->begin(), list->end());
    if (const auto* list = std::get_if<KerasEmitter::List>(&argument))
      for (const std::optional<Handle>& handle : *list)
        if (handle) result.push_back(*handle);
  };
  for (const auto& argument : call.arguments) take(argument);
  for (const auto& [name, argument] : call.keywords) take(argument);
  return result;
}

// The key of x[key].
const Json* key_of(const KerasEmitter::Call& call) {
  if (call.class_name != "GetItem") return nullptr;
  for (const auto& [name, argument] : call.keywords)
    if (name == "key") return std::get_if<Json>(&argument);
  return call.arguments.size() == 2 ? std::get_if<Json>(&call.arguments[1]) : nullptr;
}

}  // namespace

// The numbers that stand behind the symbols; `other` stands for another one than its own.
SymbolicShape InferredSizes::bound(const SymbolicShape& shape, const std::string& other) const {
  std::map<std::string, std::int64_t> sizes = sizes_;
  if (!other.empty()) ++sizes.at(other);
  SymbolicShape result;
  for (const Size& size : shape) result.push_back(size.bind(sizes));
  return result;
}

bool InferredSizes::is_unknown(const Size& size) const {
  return std::ranges::any_of(size.symbols(), [&](const std::string& symbol) { return sizes_.contains(symbol); });
}

// A layer cannot do without a size if with any other one its input would not fit.
std::vector<std::size_t> InferredSizes::to_state(const Layer& layer, const std::vector<Value>& inputs) const {
  std::vector<std::size_t> result;
  const LayerType& type = Registry::instance().type_of(layer);
  const auto fits = [&](const std::string& other) {
    std::vector<SymbolicShape> shapes;
    for (const Value& input : inputs) shapes.push_back(bound(shapes_.at(input), other));
    try {
      type.shapes(layer.attributes, shapes);
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const SymbolicShape& shape = shapes_.at(inputs[i]);
    const bool is_needed = std::ranges::any_of(shape, [&](const Size& size) {
      return std::ranges::any_of(size.symbols(),
                                 [&](const std::string& symbol) { return sizes_.contains(symbol) && !fits(symbol); });
    });
    if (is_needed) result.push_back(i);
  }
  return result;
}

void InferredSizes::note(const std::string& node, const Layer& layer, const PlainCall& taken,
                         const std::vector<std::size_t>& stated, const RecordingEmitter& emitter,
                         const KerasEmitter::Results& results) {
  std::vector<SymbolicShape> shapes;
  for (std::size_t i = 0; i < taken.inputs.size(); ++i) {
    const SymbolicShape& shape = shapes_.at(taken.inputs[i]);
    shapes.push_back(std::ranges::count(stated, i) > 0 ? bound(shape) : shape);
  }
  std::vector<SymbolicShape> made = shapes;
  for (const auto& [name, value] : taken.named) made.push_back(shapes_.at(value));
  std::set<Handle> reshaped;
  const std::vector<SymbolicShape> handles = emitter.replay(
      std::move(made), [&](const RecordingEmitter::Axis& borrowed) { return shapes_.at(borrowed.value); },
      [&](const KerasEmitter::Call& call, const std::vector<SymbolicShape>& known) {
        if (call.class_name == "Reshape") reshaped.insert(known.size());
        return inferred(call, known);
      });
  // Of a layer that Keras has as one, the sizes follow as ours do.
  std::vector<SymbolicShape> own;
  try {
    own = Registry::instance().type_of(layer).shapes(layer.attributes, shapes);
  } catch (const Error&) {
    // An open size and a number together are the number for Keras.
  }
  for (std::size_t i = 0; i < results.values.size(); ++i) {
    SymbolicShape shape = handles.at(results.values[i]);
    for (std::size_t axis = 0; i < own.size() && axis < shape.size() && own[i].size() == shape.size(); ++axis)
      if (!shape[axis].is_open() && is_unknown(own[i][axis]) && !reshaped.contains(results.values[i]))
        shape[axis] = own[i][axis];
    shapes_[{node, static_cast<std::int64_t>(i)}] = std::move(shape);
  }
}

void InferredSizes::note_outputs(const std::string& node, const std::vector<SymbolicShape>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) shapes_[{node, static_cast<std::int64_t>(i)}] = outputs[i];
}

// What an operation makes of sizes that are not known is taken to be not known where it is the same number.
std::vector<SymbolicShape> InferredSizes::inferred(const KerasEmitter::Call& call,
                                                   const std::vector<SymbolicShape>& known) {
  std::vector<SymbolicShape> result = call.outputs;
  const std::vector<Handle> tensors = tensors_of(call);
  if (const Json* key = key_of(call); key && tensors.size() == 1)
    return {indexed(known.at(tensors[0]), *key, result.at(0))};
  if (call.class_name == "Reshape") return result;
  for (SymbolicShape& shape : result)
    for (Size& size : shape)
      for (const Handle tensor : tensors)
        for (const Size& other : known.at(tensor))
          if (is_unknown(other) && !size.is_open() && other.bind(sizes_) == size) size = other;
  return result;
}

// The axes of x[key], of which `real` are the sizes.
SymbolicShape InferredSizes::indexed(const SymbolicShape& input, const Json& key, const SymbolicShape& real) {
  SymbolicShape result = real;
  const Json::Array items = key.is_array() ? key.as_array() : Json::Array{key};
  std::size_t made = 0, axis = 0;
  const auto take = [&](const Json& item) {
    if (item.is_integer()) {
      ++axis;
    } else if (item.is_null()) {
      ++made;
    } else {
      if (made < result.size() && axis < input.size() && input[axis].is_open() && !result[made].is_open()) {
        const bool is_whole = input[axis].bind(sizes_) == result[made];
        result[made] = is_whole ? input[axis] : unknown(input[axis].str() + " " + item.dump(), *result[made].value());
      }
      ++made, ++axis;
    }
  };
  for (const Json& item : items) take(item);
  static const Json all = Json::Object{};
  while (axis < input.size() && made < result.size()) take(all);
  return result;
}

// The same part of the same size is as long, wherever it is taken.
Size InferredSizes::unknown(const std::string& part, std::int64_t size) {
  const auto [known, is_new] = symbols_.try_emplace(part, "unknown_to_keras_" + std::to_string(symbols_.size()));
  if (is_new) sizes_[known->second] = size;
  return Size::symbol(known->second);
}

}  // namespace h5bridge
