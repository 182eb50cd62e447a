#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/registry.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "layers/shape/axis_order.h"
#include "layers/shape/open_reshape.h"

namespace h5bridge::shape {
namespace {

using Shapes = std::vector<SymbolicShape>;

SymbolicShape output_of(const std::string& type, const Attributes& a, const Shapes& inputs) {
  return Registry::instance().find(type)->shapes(a, inputs).at(0);
}

std::int64_t rank_of(const Shapes& inputs) { return static_cast<std::int64_t>(inputs.at(0).size()); }

KerasMapping flatten() {
  KerasMapping mapping{.type = "Flatten", .class_name = "Flatten"};
  mapping.attributes = {
      {"channels_last_order",
       "data_format",
       {[](const AttributeValue& value) { return Json(std::get<bool>(value) ? "channels_first" : "channels_last"); },
        [](const Json& json) { return AttributeValue(json.as_string() == "channels_first"); }}}};
  mapping.fits = [](const Attributes& a, const Shapes& inputs) {
    return rank_of(inputs) > 1 && resolve_axis(a.integer("start_dim"), rank_of(inputs)) == 1 &&
           resolve_axis(a.integer("end_dim"), rank_of(inputs)) == rank_of(inputs) - 1;
  };
  mapping.accepts = [](const Shapes& inputs) { return rank_of(inputs) > 1; };
  return mapping;
}

// Of a number for each of the batch Keras's Flatten makes an axis of one (compute_output_shape,
// keras/src/layers/reshaping/flatten.py).
KerasMapping flattened_numbers() {
  KerasMapping mapping{.type = "unsqueeze", .class_name = "Flatten"};
  mapping.fixed = {{"data_format", "channels_last"}};
  mapping.derive = [](Attributes& a, const Shapes&) { a.set("dim", std::int64_t{1}); };
  mapping.accepts = [](const Shapes& inputs) { return rank_of(inputs) == 1; };
  mapping.fits = [](const Attributes& a, const Shapes& inputs) {
    return rank_of(inputs) == 1 && resolve_axis(a.integer("dim"), 2) == 1;
  };
  return mapping;
}

// Sizes as Keras's reshapes have them: one of them may be unknown.
Json::Array target(SymbolicShape::const_iterator begin, SymbolicShape::const_iterator end) {
  Json::Array result;
  std::transform(begin, end, std::back_inserter(result),
                 [](const Size& size) { return Json(size.value().value_or(-1)); });
  return result;
}

bool has_one_unknown_at_most(const Json::Array& sizes) { return std::count(sizes.begin(), sizes.end(), Json(-1)) <= 1; }

// Keras's layer leaves the batch as it is.
bool is_for_layer(const SymbolicShape& input, const SymbolicShape& output) {
  return !input.empty() && !output.empty() && output[0] == input[0] &&
         has_one_unknown_at_most(target(output.begin() + 1, output.end()));
}

// Keras's sizes with the batch before them. A single unknown size is the batch's where the others are known.
void lift_reshape(Json::Object& config, Attributes& attributes, const Shapes& inputs) {
  expect_layer(config);
  const SymbolicShape& input = inputs.at(0);
  SymbolicShape shape{-1};
  for (const Json& size : config.at("target_shape").as_array())
    shape.push_back(size.is_null() ? Size(-1) : Size(size.as_integer()));
  if (const auto unknown = std::find(shape.begin() + 1, shape.end(), Size(-1)); unknown != shape.end()) {
    Size known(1);
    for (auto size = shape.begin() + 1; size != shape.end(); ++size) known = size == unknown ? known : known * *size;
    const Size all = element_count(SymbolicShape(input.begin() + 1, input.end()));
    if (all.value() && known != Size(0))
      *unknown = all.floor_divide(known);
    else
      shape[0] = input[0];
  }
  attributes.set("shape", shape);
  config.erase("target_shape");
}

KerasMapping reshape_layer(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "Reshape", .lift = lift_reshape};
  mapping.fits = [type](const Attributes& a, const Shapes& inputs) {
    return is_for_layer(inputs.at(0), output_of(type, a, inputs));
  };
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) {
    config.set("target_shape", target(emitter.output_shape().begin() + 1, emitter.output_shape().end()));
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

KerasMapping reshape_operation(const std::string& type) {
  KerasMapping mapping = operation(type, "Reshape");
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes&) {
    SymbolicShape shape;
    for (const Json& size : config.at("newshape").as_array())
      shape.push_back(size.is_null() ? Size(-1) : Size(size.as_integer()));
    attributes.set("shape", shape);
    config.erase("newshape");
  };
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    Json::Array sizes = target(emitter.output_shape().begin(), emitter.output_shape().end());
    if (!has_one_unknown_at_most(sizes)) return emit_open_reshape(emitter);
    config.set("newshape", std::move(sizes));
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

// Keras's dims leave the batch out and so count from 1, as PyTorch's do that count it.
KerasMapping permute_layer(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "Permute"};
  mapping.fits = [type](const Attributes& a, const Shapes& inputs) {
    return rank_of(inputs) > 0 && order_of(type, a, rank_of(inputs))[0] == 0;
  };
  mapping.lower = [type](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const std::vector<std::int64_t> dims = order_of(type, a, rank_of(emitter.input_shapes()));
    config.set("dims", Json::array(std::vector<std::int64_t>(dims.begin() + 1, dims.end())));
    return emitter.main(std::move(config), emitter.inputs());
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes&) {
    std::vector<std::int64_t> dims{0};
    for (const Json& dim : config.at("dims").as_array()) dims.push_back(dim.as_integer());
    attributes.set("dims", dims);
    config.erase("dims");
  };
  return mapping;
}

KerasMapping transpose_operation(const std::string& type) {
  KerasMapping mapping = operation(type, "Transpose");
  mapping.lower = [type](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("axes", Json::array(order_of(type, a, rank_of(emitter.input_shapes()))));
    return emitter.main(std::move(config), emitter.inputs());
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes& inputs) {
    std::vector<std::int64_t> dims = Arrangement::original(inputs.at(0).size()).axes;
    std::reverse(dims.begin(), dims.end());
    if (const Json* axes = config.find("axes"); axes && !axes->is_null()) {
      dims.clear();
      for (const Json& axis : axes->as_array()) dims.push_back(axis.as_integer());
    }
    attributes.set("dims", dims);
    config.erase("axes");
  };
  return mapping;
}

// Keras's takes several axes, too, which make another shape of it.
bool has_several_axes(const Json::Object& config) { return config.contains("axis") && config.at("axis").is_array(); }

KerasMapping expand_dims() {
  KerasMapping mapping = operation("unsqueeze", "ExpandDims", {{"dim", "axis", spelling::integer()}});
  mapping.reads = [](const Json::Object& config) { return !has_several_axes(config); };
  return mapping;
}

KerasMapping expand_several_dims() {
  KerasMapping mapping = read_only(operation("reshape", "ExpandDims"));
  mapping.reads = has_several_axes;
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes& inputs) {
    const Json::Array& added = config.at("axis").as_array();
    const std::size_t rank = inputs.at(0).size() + added.size();
    std::vector<bool> is_added(rank);
    for (const Json& axis : added) {
      const auto place = static_cast<std::size_t>(resolve_axis(axis.as_integer(), static_cast<std::int64_t>(rank)));
      if (is_added[place]) throw MalformedFile("its axis " + axis.dump() + " is there twice");
      is_added[place] = true;
    }
    const bool is_told = std::ranges::count_if(inputs[0], &Size::is_open) == 1;  // by the others
    SymbolicShape shape;
    for (auto size = inputs[0].begin(); const bool is_new : is_added) {
      if (is_new)
        shape.push_back(1);
      else if (const Size& own = *size++; own.is_open() && is_told)
        shape.push_back(-1);
      else
        shape.push_back(own);
    }
    attributes.set("shape", shape);
    config.erase("axis");
  };
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape& input = emitter.input_shapes()[0];
    auto next = input.begin();
    Json::Array added;
    for (std::size_t i = 0; i < emitter.output_shape().size(); ++i)
      if (next != input.end() && *next == emitter.output_shape()[i])
        ++next;
      else
        added.push_back(i);
    config.set("axis", std::move(added));
    return emitter.main(std::move(config), emitter.inputs());
  };
  mapping.samples = {{.what = "several axes", .config = {{"axis", Json::Array{1, -1}}}, .inputs = {{2, 3, 4}}}};
  return mapping;
}

KerasMapping ravel() {
  KerasMapping mapping = read_only(operation("reshape", "Ravel"));
  mapping.lift = [](Json::Object&, Attributes& attributes, const Shapes&) {
    attributes.set("shape", SymbolicShape{-1});
  };
  return mapping;
}

KerasMapping squeeze() {
  KerasMapping mapping = operation("squeeze", "Squeeze", {{"dim", "axis", spelling::axes()}});
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::vector<std::int64_t> axes = squeezed_axes(a, emitter.input_shapes()[0]);
    if (axes.empty()) return Composition(emitter).last("Copy", {emitter.input(0)});
    config.set("axis", axes.size() == 1 ? Json(axes[0]) : Json::array(axes));
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      flatten(),
      write_only(reshape_layer("Flatten")),
      write_only(reshape_operation("Flatten")),
      reshape_layer("reshape"),
      reshape_operation("reshape"),
      write_only(reshape_layer("view")),
      write_only(reshape_operation("view")),
      write_only(reshape_layer("Unflatten")),
      write_only(reshape_operation("Unflatten")),
      squeeze(),
      expand_dims(),
      expand_several_dims(),
      ravel(),
      flattened_numbers(),
      permute_layer("permute"),
      transpose_operation("permute"),
      write_only(permute_layer("transpose")),
      write_only(transpose_operation("transpose")),
      operation("transpose", "Swapaxes",
                {{"dim0", "axis1", spelling::integer()}, {"dim1", "axis2", spelling::integer()}}),
      operation("movedim", "Moveaxis",
                {{"source", "source", spelling::axes()}, {"destination", "destination", spelling::axes()}}),
  };
}

}  // namespace h5bridge::shape
