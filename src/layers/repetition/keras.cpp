#include "facets/keras/open_sizes.h"
#include "facets/keras/operation.h"
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
    x = helper(emitter, "axis" + std::to_string(added), "ExpandDims", {x}, shape, {{"axis", 0}});
  }
  return x;
}

// Repeats `x` along the axes whose count is open: its elements are taken as often as the count tells.
Handle repeated_along_open(KerasEmitter& emitter, Handle x, const SymbolicShape& counts) {
  OpenSizes sizes(emitter, "size_");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].value()) continue;
    const Size own = emitter.shape(x)[i];
    const Handle indices = own == Size(1) ? sizes.apply("Subtract", sizes.ones(counts[i]), Json(1))
                                          : sizes.apply("Mod", sizes.range(own * counts[i]), sizes.count(own));
    x = sizes.take("repeated" + std::to_string(i), x, static_cast<std::int64_t>(i), indices);
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
    return last_call(emitter, kNumpy, "Tile", {{"repeats", known_counts(counts)}},
                     {repeated_along_open(emitter, x, counts)});
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
    const Handle ones = helper(emitter, "ones", "OnesLike", {emitter.input(1)}, emitter.input_shapes()[1]);
    return last_call(emitter, kNumpy, "Multiply", {}, {emitter.input(0), ones});
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
      {.type = "RepeatVector", .class_name = "RepeatVector", .attributes = {{"n", "n", spelling::integer()}}},
      flip(),
      operation("roll", "Roll", {{"shifts", "shift", spelling::axes()}, {"dims", "axis", spelling::axes()}}),
      operation("tril", "Tril", {{"diagonal", "k", spelling::integer()}}),
      operation("triu", "Triu", {{"diagonal", "k", spelling::integer()}}),
  };
}

}  // namespace h5bridge::repetition
