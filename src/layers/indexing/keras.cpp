#include <algorithm>

#include "h5bridge/error.h"
#include "layers/indexing/index.h"
#include "layers/keras_operation.h"

namespace h5bridge::indexing {
namespace {

using Kind = Item::Kind;
using Shapes = std::vector<SymbolicShape>;

Json object(const char* class_name, Json::Object config) { return Json::Object{{"class_name", class_name}, {"config", std::move(config)}}; }

Json number(const std::optional<Size>& size) {
  if (!size) return nullptr;
  if (const auto value = size->value()) return *value;
  throw Unsupported("an index at the open size " + size->str() + " has no Keras operation; --fix-size may help");
}

Json to_keras(const Item& item) {
  switch (item.kind) {
    case Kind::Ellipsis: return object("__ellipsis__", {});
    case Kind::NewAxis: return nullptr;
    case Kind::Integer: return number(item.start);
    case Kind::Slice: break;
  }
  return object("__slice__", {{"start", number(item.start)}, {"stop", number(item.stop)}, {"step", item.step == 1 ? Json() : Json(item.step)}});
}

std::optional<Size> size_of(const Json& json) { return json.is_null() ? std::nullopt : std::optional(Size(json.as_integer())); }

Item from_keras(const Json& json) {
  if (json.is_null()) return {.kind = Kind::NewAxis};
  if (json.is_integer()) return {.kind = Kind::Integer, .start = json.as_integer()};
  const Json* class_name = json.find("class_name");
  if (class_name && *class_name == Json("__ellipsis__")) return {.kind = Kind::Ellipsis};
  if (!class_name || *class_name != Json("__slice__")) throw Unsupported("an index by " + json.dump() + " has no layer type");
  const Json& config = json.at("config");
  const Json& step = config.at("step");
  Item item{.start = size_of(config.at("start")), .stop = size_of(config.at("stop")), .step = step.is_null() ? 1 : step.as_integer()};
  if (item.step < 1) throw Unsupported("a slice with the step " + std::to_string(item.step) + " has no layer type");
  return item;
}

// Keras's key: one item, or a list of them.
Json to_keras(const Index& index) {
  if (!index.is_tuple && index.items.size() == 1) return to_keras(index.items[0]);
  Json::Array key;
  for (const Item& item : index.items) key.push_back(to_keras(item));
  return key;
}

KerasMapping get_item() {
  KerasMapping mapping = operation("getitem", "GetItem", {}, {"x", "key"});
  mapping.attributes = {{"index", "key",
                         {[](const AttributeValue& value) { return to_keras(parse_index(std::get<std::string>(value))); },
                          [](const Json& json) -> AttributeValue {
                            Index index{{}, json.is_array()};
                            if (json.is_array())
                              for (const Json& item : json.as_array()) index.items.push_back(from_keras(item));
                            else
                              index.items.push_back(from_keras(json));
                            return to_text(index);
                          }}}};
  // Keras writes an ellipsis, but cannot read it.
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    Index index = parse_index(a.text("index"));
    const bool has_ellipsis = std::any_of(index.items.begin(), index.items.end(), [](const Item& item) { return item.kind == Kind::Ellipsis; });
    if (has_ellipsis) index.items = items_of("getitem", a, emitter.input_shapes()[0].size());
    config.set("key", to_keras(index));
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

KerasMapping part(const std::string& type) {
  KerasMapping mapping = write_only(operation(type, "GetItem", {}, {"x", "key"}));
  mapping.lower = [type](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Index index{items_of(type, a, emitter.input_shapes()[0].size()), true};
    while (index.items.size() > 1 && index.items.back() == Item{}) index.items.pop_back();
    return last_call(emitter, kNumpy, "GetItem", {}, {emitter.input(0), to_keras(index)});
  };
  return mapping;
}

KerasMapping take() {
  KerasMapping mapping = operation("index_select", "Take", {{"dim", "axis", spelling::integer()}, {"index", "indices", spelling::integer_list()}}, {"x", "indices"});
  mapping.accepts = [](const Shapes& inputs) { return inputs.size() == 1 || inputs.at(1).size() == 1; };
  return mapping;
}

// Keras's indices have the sizes of the elements on the other axes.
KerasMapping gather() {
  KerasMapping mapping = write_only(operation("gather", "TakeAlongAxis", {{"dim", "axis", spelling::integer()}}, {"x", "indices"}));
  mapping.fits = [](const Attributes& a, const Shapes& inputs) {
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(inputs.at(0).size()));
    SymbolicShape values = inputs[0];
    values[axis] = inputs.at(1)[axis];
    return values == inputs[1];
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      get_item(), part("slice"), part("select"), part("narrow"), take(), gather(),
      operation("take_along_dim", "TakeAlongAxis", {{"dim", "axis", spelling::integer()}}, {"x", "indices"}),
  };
}

}  // namespace h5bridge::indexing
