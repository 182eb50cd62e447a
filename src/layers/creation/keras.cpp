#include <optional>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"

namespace h5bridge::creation {
namespace {

using Handle = KerasEmitter::Handle;

// The shape of a vector along one of `rank` axes, and as a reshape has it.
SymbolicShape line_along(const Size& size, std::int64_t axis, std::int64_t rank) {
  SymbolicShape shape(rank, Size(1));
  shape[axis] = size;
  return shape;
}

Json::Array unknown_along(std::int64_t axis, std::int64_t rank) {
  Json::Array shape(rank, Json(1));
  shape[axis] = -1;
  return shape;
}

// Keras's arange takes numbers alone: an open length is counted along an axis that has it.
KerasMapping arange() {
  KerasMapping mapping = write_only(operation("arange", "Cast", {}, {}, kCore));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    OpenSizes sizes(emitter, "size_");
    KerasEmitter::Handle numbers = sizes.range(emitter.output_shape().at(0));
    if (a.integer("step") != 1) numbers = sizes.elementwise("Multiply", {numbers, Json(a.integer("step"))});
    if (const Size& start = a.sizes("start").at(0); start != Size(0))
      numbers = sizes.elementwise("Add", {numbers, sizes.count(start)});
    return sizes.last("Cast", {numbers}, {{"dtype", name_of(a.dtype("dtype"))}}, kCore);
  };
  return mapping;
}

// Ones along the open axes, times each other, and repeated along the others.
Handle ones_in_shape(KerasEmitter& emitter, const SymbolicShape& shape) {
  OpenSizes sizes(emitter, "size_");
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::optional<Handle> ones;
  SymbolicShape along(shape.size(), Size(1));
  Json::Array repeats(shape.size(), Json(1));
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (const auto number = shape[axis].value()) {
      repeats[axis] = *number;
      continue;
    }
    along[axis] = shape[axis];
    const Handle line = named(emitter, "line" + std::to_string(axis))
                            .apply("Reshape", {sizes.ones(shape[axis])}, line_along(shape[axis], axis, rank),
                                   {{"newshape", unknown_along(axis, rank)}});
    ones = ones ? sizes.elementwise("Multiply", {*ones, line}) : line;
  }
  if (!ones)
    ones = named(emitter, "one")
               .apply("Reshape", {sizes.ones(Size(1))}, along, {{"newshape", Json::Array(shape.size(), Json(1))}});
  if (along == shape) return *ones;
  return named(emitter, "repeated").apply("Tile", {*ones}, shape, {{"repeats", repeats}});
}

KerasMapping filled(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = write_only(operation(type, class_name));
  mapping.lower = [class_name](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    std::vector<KerasEmitter::Argument> arguments{ones_in_shape(emitter, emitter.output_shape())};
    if (a.contains("fill_value")) arguments.emplace_back(spelling::scalar().to_keras(a.at("fill_value")));
    return Composition(emitter).last(class_name, std::move(arguments), {{"dtype", name_of(a.dtype("dtype"))}});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {arange(), filled("zeros", "ZerosLike"), filled("ones", "OnesLike"), filled("full", "FullLike")};
}

}  // namespace h5bridge::creation
