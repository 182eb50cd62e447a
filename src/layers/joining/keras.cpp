#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "h5bridge/error.h"
#include "layers/joining/parts.h"

namespace h5bridge::joining {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

// Keras's layer joins several tensors, and not along the batch. Counted from the start, an axis is the same for both.
KerasMapping concatenation_layer() {
  KerasMapping mapping{
      .type = "cat", .class_name = "Concatenate", .attributes = {{"dim", "axis", spelling::integer()}}};
  mapping.inputs_as_list = true;
  mapping.fits = [](const Attributes& a, const Shapes& inputs) {
    return inputs.size() > 1 && resolve_axis(a.integer("dim"), static_cast<std::int64_t>(inputs[0].size())) != 0;
  };
  mapping.lift = [](Json::Object& config, Attributes&, const Shapes&) { expect_layer(config); };
  return mapping;
}

KerasMapping of_list(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = operation(type, class_name, {{"dim", "axis", spelling::integer()}}, {"x"});
  mapping.inputs_as_list = true;
  return mapping;
}

// Keras's functions that join along an axis of their own, which these tensors have.
KerasMapping of_own_axis(const std::string& class_name, std::int64_t axis, std::size_t least_rank) {
  KerasMapping mapping = read_only(operation("cat", class_name, {}, {"xs"}));
  mapping.inputs_as_list = true;
  // Another layout may have moved the axis.
  mapping.lower = [axis](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::int64_t dim = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(emitter.output_shape().size()));
    if (dim == axis) return emitter.main(std::move(config), emitter.inputs());
    return Composition(emitter).last("Concatenate", {emitter.inputs()}, {{"axis", dim}});
  };
  mapping.lift = [axis, least_rank](Json::Object&, Attributes& attributes, const Shapes& inputs) {
    if (inputs.at(0).size() < least_rank)
      throw Unsupported("it gives its inputs, of shape " + to_string(inputs[0]) + ", more axes");
    attributes.set("dim", axis);
  };
  return mapping;
}

// Keras cuts at indices, or into so many parts.
KerasMapping split(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = operation(type, class_name, {{"dim", "axis", spelling::integer()}});
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes&) {
    const Json& where = config.at("indices_or_sections");
    if (where.is_integer())
      attributes.set("sections", where.as_integer());
    else
      attributes.set("indices", spelling::integer_list().from_keras(where));
    config.erase("indices_or_sections");
  };
  mapping.lower = [type](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape input = emitter.input_shapes()[0];
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(input.size()));
    const std::vector<Size> parts = parts_of(type, a, input[axis]);
    if (std::ranges::all_of(parts, [&](const Size& part) { return part == parts[0]; })) {
      config.set("indices_or_sections", parts.size());
      return emitter.main(std::move(config), emitter.inputs());
    }
    std::vector<Size> places;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i)
      places.push_back((places.empty() ? Size(0) : places.back()) + parts[i]);
    if (const auto indices = fixed(places)) {
      config.set("indices_or_sections", Json::array(*indices));
      return emitter.main(std::move(config), emitter.inputs());
    }
    // Keras cuts nowhere else, but takes elements from wherever it is told.
    OpenSizes sizes(emitter, "place_");
    std::vector<Handle> result;
    for (std::size_t i = 0; i < parts.size(); ++i)
      result.push_back(sizes.part(i == 0 ? "" : "part" + std::to_string(i), emitter.input(0), axis,
                                  i == 0 ? Size(0) : places[i - 1], parts[i]));
    return result;
  };
  return mapping;
}

// Keras itself can trace it over a number of parts alone.
KerasMapping array_split() {
  KerasMapping mapping = split("tensor_split", "ArraySplit");
  mapping.samples = {
      {.what = "uneven parts", .config = {{"indices_or_sections", 3}, {"axis", 1}}, .inputs = {{2, 7, 4}}},
      {.what = "last axis", .config = {{"indices_or_sections", 2}, {"axis", -1}}, .inputs = {{3, 7}}}};
  return mapping;
}

KerasMapping unbind() {
  KerasMapping mapping = operation("unbind", "Unstack", {{"dim", "axis", spelling::integer()}}, {"x"}, kCore);
  mapping.lift = [](Json::Object& config, Attributes&, const Shapes&) { config.erase("num"); };
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) {
    config.set("num", emitter.output_shapes().size());
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      concatenation_layer(),
      of_list("cat", "Concatenate"),
      of_list("stack", "Stack"),
      of_own_axis("Vstack", 0, 2),
      of_own_axis("Hstack", 1, 2),
      of_own_axis("Dstack", 2, 3),
      write_only(split("split", "Split")),
      write_only(split("chunk", "Split")),
      split("tensor_split", "Split"),
      array_split(),
      unbind(),
  };
}

}  // namespace h5bridge::joining
