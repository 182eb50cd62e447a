#include <algorithm>
#include <numeric>

#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::shape {
namespace {

KerasMapping flatten() {
  KerasMapping mapping{.type = "Flatten", .class_name = "Flatten"};
  mapping.attributes = {{"channels_last_order", "data_format",
                         {[](const AttributeValue& value) { return Json(std::get<bool>(value) ? "channels_first" : "channels_last"); },
                          [](const Json& json) { return AttributeValue(json.as_string() == "channels_first"); }}}};
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
    if (resolve_axis(a.integer("start_dim"), rank) != 1 || resolve_axis(a.integer("end_dim"), rank) != rank - 1)
      throw Unsupported("a flatten of some axes only has no Keras layer yet");
    return KerasMapping::emit_main(a, std::move(config), emitter);
  };
  return mapping;
}

// The sizes of a Keras Reshape: without the batch, and with one unknown at the most.
KerasEmitter::Results lower_reshape(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const SymbolicShape& input = emitter.input_shapes()[0];
  const SymbolicShape& output = emitter.output_shape();
  if (output.empty() || input.empty() || output[0] != input[0])
    throw Unsupported("its shape " + to_string(a.sizes("shape")) + " changes the batch axis of " + to_string(input) + ", which no Keras layer does");
  Json::Array target;
  for (auto size = output.begin() + 1; size != output.end(); ++size) target.push_back(size->value() ? Json(*size->value()) : Json(-1));
  if (std::count(target.begin(), target.end(), Json(-1)) > 1)
    throw Unsupported("its shape " + to_string(output) + " has several open sizes, and Keras's Reshape takes one; --fix-size may help");
  config.set("target_shape", std::move(target));
  return emitter.main(std::move(config), {emitter.input(0)});
}

// Keras's sizes with the batch before them. A single unknown size is the batch's where the others are known.
void lift_reshape(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  SymbolicShape shape{-1};
  for (const Json& size : config.at("target_shape").as_array()) shape.push_back(size.is_null() ? Size(-1) : Size(size.as_integer()));
  if (const auto unknown = std::find(shape.begin() + 1, shape.end(), Size(-1)); unknown != shape.end()) {
    Size known(1);
    Size all(1);
    for (auto size = shape.begin() + 1; size != shape.end(); ++size) known = size == unknown ? known : known * *size;
    for (auto size = input.begin() + 1; size != input.end(); ++size) all = all * *size;
    if (all.value() && known != Size(0))
      *unknown = all.floor_divide(known);
    else
      shape[0] = input[0];
  }
  attributes.set("shape", shape);
  config.erase("target_shape");
}

KerasMapping reshape(const std::string& type) { return {.type = type, .class_name = "Reshape", .lower = lower_reshape, .lift = lift_reshape}; }

KerasEmitter::Results emit_permute(const std::vector<std::int64_t>& dims, Json::Object config, KerasEmitter& emitter) {
  if (dims.empty() || dims[0] != 0) throw Unsupported("moving the batch axis has no Keras layer");
  config.set("dims", Json::array(std::vector<std::int64_t>(dims.begin() + 1, dims.end())));
  return emitter.main(std::move(config), {emitter.input(0)});
}

// Keras's dims leave the batch out and so count from 1, as PyTorch's do that count it.
KerasMapping permute() {
  KerasMapping mapping{.type = "permute", .class_name = "Permute"};
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    std::vector<std::int64_t> dims;
    const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
    for (const std::int64_t dim : a.integers("dims")) dims.push_back(resolve_axis(dim, rank));
    return emit_permute(dims, std::move(config), emitter);
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
    std::vector<std::int64_t> dims{0};
    for (const Json& dim : config.at("dims").as_array()) dims.push_back(dim.as_integer());
    attributes.set("dims", dims);
    config.erase("dims");
  };
  return mapping;
}

KerasMapping transpose() {
  KerasMapping mapping{.type = "transpose", .class_name = "Permute"};
  mapping.accepts = [](const std::vector<SymbolicShape>&) { return false; };  // Keras's Permute comes back as permute
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
    std::vector<std::int64_t> dims(rank);
    std::iota(dims.begin(), dims.end(), 0);
    std::swap(dims[resolve_axis(a.integer("dim0"), rank)], dims[resolve_axis(a.integer("dim1"), rank)]);
    return emit_permute(dims, std::move(config), emitter);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {flatten(), reshape("reshape"), reshape("view"), permute(), transpose()}; }

}  // namespace h5bridge::shape
