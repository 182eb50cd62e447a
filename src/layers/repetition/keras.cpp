#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::repetition {
namespace {

using Handle = KerasEmitter::Handle;

// `x` with axes of size 1 in front, as many as make `rank`.
Handle with_rank(KerasEmitter& emitter, Handle x, std::size_t rank) {
  SymbolicShape shape = emitter.shape(x);
  for (int added = 1; shape.size() < rank; ++added) {
    shape.insert(shape.begin(), Size(1));
    x = named(emitter, "axis" + std::to_string(added)).apply("ExpandDims", {x}, shape, {{"axis", 0}});
  }
  return x;
}

// Repeats `x` along the axes whose count is open: its elements are taken as often as the count tells.
Handle repeated_along_open(KerasEmitter& emitter, Handle x, const SymbolicShape& counts) {
  OpenSizes sizes(emitter, "size_");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].value()) continue;
    const Size own = emitter.shape(x)[i];
    const Handle indices = own == Size(1) ? sizes.elementwise("Subtract", {sizes.ones(counts[i]), Json(1)})
                                          : sizes.elementwise("Mod", {sizes.range(own * counts[i]), sizes.count(own)});
    x = named(sizes.emitter(), "repeated" + std::to_string(i)).take(x, static_cast<std::int64_t>(i), indices);
  }
  return x;
}

// Counts as Tile has them, after repeated_along_open.
Json known_counts(const SymbolicShape& counts) {
  Json::Array result;
  for (const Size& count : counts) result.push_back(count.value().value_or(1));
  return result;
}

// New axes are added, and those of size 1 repeated.
KerasMapping expand(const std::string& type) {
  KerasMapping mapping = write_only(operation(type, "Tile"));
  mapping.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape& output = emitter.output_shape();
    const Handle x = with_rank(emitter, emitter.input(0), output.size());
    const SymbolicShape& shape = emitter.shape(x);
    SymbolicShape counts;
    for (std::size_t i = 0; i < shape.size(); ++i)
      counts.push_back(shape[i] == output[i] || shape[i] != Size(1) ? Size(1) : output[i]);
    return Composition(emitter).last("Tile", {repeated_along_open(emitter, x, counts)},
                                     {{"repeats", known_counts(counts)}});
  };
  return mapping;
}

KerasMapping tile(const std::string& type, const std::string& attribute) {
  const Spelling counts{[](const AttributeValue& value) { return known_counts(std::get<SymbolicShape>(value)); },
                        [](const Json& json) -> AttributeValue {
                          if (json.is_integer()) return SymbolicShape{json.as_integer()};
                          SymbolicShape result;
                          for (const Json& count : json.as_array()) result.emplace_back(count.as_integer());
                          return result;
                        }};
  KerasMapping mapping = operation(type, "Tile", {{attribute, "repeats", counts}});
  mapping.lower = [attribute](const Attributes& a, Json::Object config,
                              KerasEmitter& emitter) -> KerasEmitter::Results {
    SymbolicShape each = a.sizes(attribute);
    if (fixed(each)) return emitter.main(std::move(config), {emitter.input(0)});
    const Handle x = with_rank(emitter, emitter.input(0), each.size());
    each.insert(each.begin(), emitter.shape(x).size() - each.size(), Size(1));
    return emitter.main(std::move(config), {repeated_along_open(emitter, x, each)});
  };
  return mapping;
}

// Ones of the second input's shape stretch the first one, whatever sizes are open.
KerasMapping expand_as() {
  KerasMapping mapping = write_only(operation("expand_as", "Multiply"));
  mapping.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle ones = named(emitter, "ones").elementwise("OnesLike", {emitter.input(1)});
    return Composition(emitter).last("Multiply", {emitter.input(0), ones});
  };
  return mapping;
}

Handle flat(KerasEmitter& emitter, Handle x) {
  const SymbolicShape shape = emitter.shape(x);
  if (shape.size() == 1) return x;
  return named(emitter, "flat").apply("Reshape", {x}, {element_count(shape)}, {{"newshape", Json::Array{-1}}});
}

// Each element is taken as often as an open size tells.
KerasMapping repeat_interleave_openly() {
  KerasMapping mapping = write_only(operation("repeat_interleave", "Take"));
  mapping.open = {"repeats"};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    OpenSizes sizes(emitter, "size_");
    const bool is_flat = a.is_none("dim");
    const Handle x = is_flat ? flat(emitter, emitter.input(0)) : emitter.input(0);
    const auto rank = static_cast<std::int64_t>(emitter.shape(x).size());
    const std::int64_t axis = is_flat ? 0 : resolve_axis(a.integer("dim"), rank);
    const Size count = a.open_integer("repeats");
    const Handle places = sizes.range(emitter.shape(x)[axis] * count);
    return named(sizes.emitter(), "").take(x, axis, sizes.elementwise("FloorDivide", {places, sizes.count(count)}));
  };
  return mapping;
}

KerasMapping repeat_vector_openly() {
  KerasMapping mapping = write_only(operation("RepeatVector", "Take"));
  mapping.open = {"n"};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    OpenSizes sizes(emitter, "size_");
    const Handle zeros = sizes.elementwise("Subtract", {sizes.ones(a.open_integer("n")), Json(1)});
    return named(sizes.emitter(), "").take(sizes.expand(emitter.input(0), 1), 1, zeros);
  };
  return mapping;
}

KerasMapping roll_openly() {
  KerasMapping mapping = write_only(operation("roll", "Take"));
  mapping.open = {"shifts"};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    if (a.is_none("dims"))
      throw Unsupported("all elements in a row are rolled by an open size; LoadOptions::fix_sizes may help");
    OpenSizes sizes(emitter, "size_");
    Handle x = emitter.input(0);
    const std::vector<std::int64_t> axes = axes_in(a, "dims", static_cast<std::int64_t>(emitter.shape(x).size()));
    const SymbolicShape shifts = a.open_integers("shifts");
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const Size size = emitter.shape(x)[axes[i]];
      const Handle from = sizes.elementwise("Subtract", {sizes.range(size), sizes.count(shifts[i])});
      const std::string suffix = i + 1 == axes.size() ? "" : "axis" + std::to_string(i);
      x = named(sizes.emitter(), suffix).take(x, axes[i], sizes.elementwise("Mod", {from, sizes.count(size)}));
    }
    return x;
  };
  return mapping;
}

// What is on this side of a diagonal that an open size tells; `keeps` compares columns with the border in each row.
KerasMapping triangle_openly(const std::string& type, const std::string& keeps) {
  KerasMapping mapping = write_only(operation(type, "Where"));
  mapping.open = {"diagonal"};
  mapping.lower = [keeps](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    OpenSizes sizes(emitter, "size_");
    const Handle x = emitter.input(0);
    const SymbolicShape shape = emitter.shape(x);
    const Handle rows = sizes.expand(sizes.range(shape.at(shape.size() - 2)), -1);
    const Handle border = sizes.elementwise("Add", {rows, sizes.count(a.open_integer("diagonal"))});
    const Handle kept = sizes.elementwise(keeps, {sizes.range(shape.back()), border});
    return sizes.last("Where", {kept, x, Json(0)});
  };
  return mapping;
}

// Keras's None: all axes.
KerasMapping flip() {
  KerasMapping mapping = operation("flip", "Flip", {{"dims", "axis", spelling::axes()}});
  mapping.lift = [](Json::Object& config, Attributes&, const std::vector<SymbolicShape>& inputs) {
    if (Json* axis = config.find("axis"); axis && axis->is_null())
      *axis = Json::array(Arrangement::original(inputs.at(0).size()).axes);
  };
  return mapping;
}

KerasMapping flip_of(const std::string& class_name, std::int64_t axis) {
  KerasMapping mapping = read_only(operation("flip", class_name));
  // Another layout may have moved the axis.
  mapping.lower = [axis](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const auto axes = axes_in(a, "dims", static_cast<std::int64_t>(emitter.output_shape().size()));
    if (axes == std::vector{axis}) return emitter.main(std::move(config), emitter.inputs());
    return Composition(emitter).last("Flip", {emitter.input(0)}, {{"axis", Json::array(axes)}});
  };
  mapping.lift = [axis](Json::Object&, Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("dims", std::vector<std::int64_t>{axis});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      expand("expand"),
      expand("broadcast_to"),
      expand_as(),
      write_only(tile("repeat", "repeats")),
      tile("tile", "dims"),
      operation("repeat_interleave", "Repeat",
                {{"repeats", "repeats", spelling::integer()}, {"dim", "axis", spelling::integer()}}),
      repeat_interleave_openly(),
      {.type = "RepeatVector", .class_name = "RepeatVector", .attributes = {{"n", "n", spelling::integer()}}},
      repeat_vector_openly(),
      flip(),
      flip_of("Flipud", 0),
      flip_of("Fliplr", 1),
      operation("roll", "Roll", {{"shifts", "shift", spelling::axes()}, {"dims", "axis", spelling::axes()}}),
      roll_openly(),
      operation("tril", "Tril", {{"diagonal", "k", spelling::integer()}}),
      triangle_openly("tril", "LessEqual"),
      operation("triu", "Triu", {{"diagonal", "k", spelling::integer()}}),
      triangle_openly("triu", "GreaterEqual"),
  };
}

}  // namespace h5bridge::repetition
