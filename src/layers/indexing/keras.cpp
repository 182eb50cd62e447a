#include <algorithm>
#include <map>
#include <utility>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "h5bridge/error.h"
#include "layers/indexing/by_tensors.h"
#include "layers/indexing/index.h"
#include "model/quoted.h"

namespace h5bridge::indexing {

Spelling taken_axis() {
  Spelling result = spelling::integer();
  result.from_keras = [of_number = result.from_keras](const Json& json) {
    if (json.is_null())
      throw Unsupported("it takes elements of all axes together (axis=None), which has no layer type");
    return of_number(json);
  };
  return result;
}

namespace {

using Handle = KerasEmitter::Handle;
using Kind = Item::Kind;
using Shapes = std::vector<SymbolicShape>;

Json object(const char* class_name, Json::Object config) {
  return Json::Object{{"class_name", class_name}, {"config", std::move(config)}};
}

Json number(const std::optional<Size>& size) {
  if (!size) return nullptr;
  return size->value().value();  // open places are written otherwise
}

Json to_keras(const Item& item) {
  switch (item.kind) {
    case Kind::Ellipsis: return object("__ellipsis__", {});
    case Kind::NewAxis: return nullptr;
    case Kind::Integer: return number(item.start);
    case Kind::Slice: break;
  }
  return object("__slice__", {{"start", number(item.start)},
                              {"stop", number(item.stop)},
                              {"step", item.step == 1 ? Json() : Json(item.step)}});
}

// Keras's key: one item, or a list of them.
Json to_keras(const Index& index) {
  if (!index.is_tuple && index.items.size() == 1) return to_keras(index.items[0]);
  Json::Array key;
  for (const Item& item : index.items) key.push_back(to_keras(item));
  return key;
}

std::optional<Size> size_of(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(Size(json.as_integer()));
}

Item from_keras(const Json& json) {
  if (json.is_null()) return {.kind = Kind::NewAxis};
  if (json.is_integer()) return {.kind = Kind::Integer, .start = json.as_integer()};
  const Json* class_name = json.find("class_name");
  if (class_name && *class_name == Json("__ellipsis__")) return {.kind = Kind::Ellipsis};
  if (!class_name || *class_name != Json("__slice__"))
    throw Unsupported("an index by " + quoted(json) + " has no layer type");
  const Json& config = json.at("config");
  const Json& step = config.at("step");
  Item item{.start = size_of(config.at("start")),
            .stop = size_of(config.at("stop")),
            .step = step.is_null() ? 1 : step.as_integer()};
  if (item.step < 1) throw Unsupported("a slice with the step " + std::to_string(item.step) + " has no layer type");
  return item;
}

// A place that is a number of elements before the end of the axis, so written.
void count_from_end(std::optional<Size>& place, const Size& extent) {
  if (!place || !place->is_open()) return;
  place = counted_from_start(*place, extent);
  if (const auto offset = (*place - extent).value(); offset && *offset <= 0)
    place = *offset == 0 ? std::nullopt : std::optional(Size(*offset));
}

bool is_open(const Item& item) { return (item.start && item.start->is_open()) || (item.stop && item.stop->is_open()); }

// The items as Keras can have them: with numbers. Those at open places are left to be taken afterwards, and are to be
// found in `open` by the axis that they stand for then.
std::vector<Item> with_numbers(std::vector<Item> items, const SymbolicShape& input,
                               std::map<std::int64_t, Item>& open) {
  std::int64_t made = 0;
  auto extent = input.begin();
  for (Item& item : items) {
    if (item.kind == Kind::Slice && item.start != *extent) count_from_end(item.start, *extent);
    if (item.kind == Kind::Slice) count_from_end(item.stop, *extent);
    if (is_open(item)) open[made] = std::exchange(item, Item{});
    made += item.kind != Kind::Integer;
    extent += item.kind != Kind::NewAxis;
  }
  return items;
}

Handle emit_open_items(KerasEmitter& emitter, Handle x, const std::map<std::int64_t, Item>& open) {
  OpenSizes sizes(emitter, "place_");
  // The last axes first, as one that is taken at an index is lost.
  for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {
    const auto& [axis, item] = *entry;
    const std::string suffix = std::next(entry) == open.rend() ? "" : "axis" + std::to_string(axis);
    if (item.kind == Kind::Integer) {
      x = named(sizes.emitter(), suffix).take(x, axis, std::get<Handle>(sizes.count(*item.start)));
      continue;
    }
    const Size extent = emitter.shape(x)[axis];
    const Size start = item.start ? counted_from_start(*item.start, extent) : Size(0);
    x = sizes.part(suffix, x, axis, start, indexed({item}, {extent}).at(0), item.step);
  }
  return x;
}

// Items for all axes.
KerasEmitter::Results emit_items(KerasEmitter& emitter, const std::vector<Item>& items) {
  const SymbolicShape input = emitter.input_shapes()[0];
  std::map<std::int64_t, Item> open;
  const std::vector<Item> fixed = with_numbers(items, input, open);
  Index index{fixed, true};
  while (index.items.size() > 1 && index.items.back() == Item{}) index.items.pop_back();
  if (open.empty()) return Composition(emitter).last("GetItem", {emitter.input(0), to_keras(index)});
  const bool takes_all = std::ranges::all_of(fixed, [](const Item& item) { return item == Item{}; });
  const Handle x =
      takes_all ? emitter.input(0)
                : named(emitter, "part").apply("GetItem", {emitter.input(0), to_keras(index)}, indexed(fixed, input));
  return emit_open_items(emitter, x, open);
}

KerasMapping get_item() {
  KerasMapping mapping = operation("getitem", "GetItem", {}, {"x", "key"});
  mapping.attributes = {{"index",
                         "key",
                         {[](const AttributeValue& value) {
                            const Index index = parse_index(std::get<std::string>(value));
                            return std::ranges::any_of(index.items, is_open)
                                       ? Json()
                                       : to_keras(index);  // `lower` writes open places
                          },
                          [](const Json& json) -> AttributeValue {
                            Index index{{}, json.is_array()};
                            if (json.is_array())
                              for (const Json& item : json.as_array()) index.items.push_back(from_keras(item));
                            else
                              index.items.push_back(from_keras(json));
                            return to_text(index);
                          }}}};
  // Keras writes an ellipsis, but cannot read it.
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    Index index = parse_index(a.text("index"));
    const std::vector<Item> all = items_of("getitem", a, emitter.input_shapes()[0].size());
    if (std::ranges::any_of(all, is_open)) return emit_items(emitter, all);
    if (std::ranges::any_of(index.items, [](const Item& item) { return item.kind == Kind::Ellipsis; }))
      index.items = all;
    config.set("key", to_keras(index));
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

KerasMapping part(const std::string& type) {
  KerasMapping mapping = write_only(operation(type, "GetItem", {}, {"x", "key"}));
  mapping.lower = [type](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    return emit_items(emitter, items_of(type, a, emitter.input_shapes()[0].size()));
  };
  return mapping;
}

bool is_table(const Json::Object& config) {
  const Json* indices = config.find("indices");
  return indices && indices->is_array() && !indices->as_array().empty() && indices->as_array()[0].is_array();
}

bool is_one_index(const Json::Object& config) {
  const Json* indices = config.find("indices");
  return indices && (indices->is_number() || indices->is_bool());
}

KerasMapping take() {
  KerasMapping mapping =
      operation("index_select", "Take", {{"dim", "axis", taken_axis()}, {"index", "indices", spelling::integer_list()}},
                {"x", "indices"});
  mapping.accepts = [](const Shapes& inputs) { return inputs.size() == 1 || inputs.at(1).size() == 1; };
  mapping.reads = [](const Json::Object& config) { return !is_one_index(config) && !is_table(config); };
  return mapping;
}

// By one number, which leaves no axis behind (compute_output_spec of Take, keras/src/ops/numpy.py).
KerasMapping take_one() {
  Spelling index{[](const AttributeValue& value) {
                   const auto fixed = std::get<SymbolicShape>(value).at(0).value();
                   return fixed ? Json(*fixed) : Json();
                 },
                 [](const Json& json) -> AttributeValue {
                   return SymbolicShape{json.is_bool() ? std::int64_t{json.as_bool()} : json.as_integer()};
                 }};
  KerasMapping mapping = operation(
      "select", "Take", {{"dim", "axis", taken_axis()}, {"index", "indices", std::move(index)}}, {"x", "indices"});
  mapping.reads = is_one_index;
  return mapping;
}

// Keras's indices have the sizes of the elements on the other axes.
KerasMapping gather() {
  KerasMapping mapping =
      write_only(operation("gather", "TakeAlongAxis", {{"dim", "axis", spelling::integer()}}, {"x", "indices"}));
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
      get_item(),
      part("slice"),
      part("select"),
      part("narrow"),
      take(),
      take_one(),
      index_by_tensors_in_keras(),
      gather(),
      operation("take_along_dim", "TakeAlongAxis", {{"dim", "axis", spelling::integer()}}, {"x", "indices"}),
  };
}

}  // namespace h5bridge::indexing
