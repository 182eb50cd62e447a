#include "h5bridge/error.h"
#include "layers/keras_operation.h"
#include "layers/layer_type.h"
#include "layers/open_sizes.h"

namespace h5bridge::repetition {
namespace {

using Handle = KerasEmitter::Handle;

// New axes are added, and those of size 1 repeated.
KerasMapping expand(const std::string& type) {
  KerasMapping mapping = write_only(operation(type, "Tile"));
  mapping.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape& output = emitter.output_shape();
    Handle x = emitter.input(0);
    SymbolicShape shape = emitter.input_shapes()[0];
    for (int added = 1; shape.size() < output.size(); ++added) {
      shape.insert(shape.begin(), Size(1));
      x = helper(emitter, "axis" + std::to_string(added), "ExpandDims", {x}, shape, {{"axis", 0}});
    }
    Json::Array counts;
    OpenSizes sizes(emitter, "size_");
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const bool stays = shape[i] == output[i] || shape[i] != Size(1);
      counts.push_back(stays ? 1 : output[i].value().value_or(1));
      if (stays || output[i].value()) continue;
      // The only element of the axis, taken as often as the size tells.
      const Handle zeros = sizes.apply("Subtract", sizes.ones(output[i]), Json(1));
      x = sizes.take("axis" + std::to_string(i), x, static_cast<std::int64_t>(i), zeros);
    }
    return last_call(emitter, kNumpy, "Tile", {{"repeats", std::move(counts)}}, {x});
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
    if (Json* axis = config.find("axis"); axis && axis->is_null()) *axis = Json::array(Arrangement::original(inputs.at(0).size()).axes);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      expand("expand"),
      expand("broadcast_to"),
      expand_as(),
      write_only(operation("repeat", "Tile", {{"repeats", "repeats", spelling::integer_list()}})),
      operation("tile", "Tile", {{"dims", "repeats", spelling::integer_list()}}),
      operation("repeat_interleave", "Repeat", {{"repeats", "repeats", spelling::integer()}, {"dim", "axis", spelling::integer()}}),
      {.type = "RepeatVector", .class_name = "RepeatVector", .attributes = {{"n", "n", spelling::integer()}}},
      flip(),
      operation("roll", "Roll", {{"shifts", "shift", spelling::axes()}, {"dims", "axis", spelling::axes()}}),
      operation("tril", "Tril", {{"diagonal", "k", spelling::integer()}}),
      operation("triu", "Triu", {{"diagonal", "k", spelling::integer()}}),
  };
}

}  // namespace h5bridge::repetition
