#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::merge {
namespace {

KerasMapping elementwise(const std::string& type, const std::string& class_name) {
  KerasMapping mapping{.type = type, .class_name = class_name};
  mapping.inputs_as_list = true;
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    if (a.contains("alpha") && a.number("alpha") != 1) throw Unsupported("a factor alpha of " + Json(a.number("alpha")).dump() + " has no Keras layer yet");
    return KerasMapping::emit_main(a, std::move(config), emitter);
  };
  return mapping;
}

// Counted from the start, an axis is the same for PyTorch and Keras; the batch is axis 0 for both.
KerasMapping concatenation() {
  KerasMapping mapping{.type = "cat", .class_name = "Concatenate", .attributes = {{"dim", "axis", spelling::integer()}}};
  mapping.inputs_as_list = true;
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
    if (resolve_axis(a.integer("dim"), rank) == 0) throw Unsupported("joining along the batch axis has no Keras layer");
    if (emitter.input_shapes().size() == 1) throw Unsupported("joining a single tensor has no Keras layer");
    return KerasMapping::emit_main(a, std::move(config), emitter);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {elementwise("add", "Add"),         elementwise("sub", "Subtract"),    elementwise("mul", "Multiply"), elementwise("maximum", "Maximum"),
          elementwise("minimum", "Minimum"), elementwise("Average", "Average"), concatenation()};
}

}  // namespace h5bridge::merge
