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

// PyTorch's operators: a Keras layer merges tensors, an operation takes a number, and has the divisions.
KerasMapping arithmetic(const std::string& type, const std::string& class_name, const std::string& operation) {
  KerasMapping mapping = elementwise(type, class_name);
  mapping.lower = [operation, merge = mapping.lower, class_name](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const bool with_number = !a.is_none("other");
    if (!with_number && !class_name.empty()) return merge(a, std::move(config), emitter);
    std::vector<KerasEmitter::Handle> inputs;
    for (std::size_t i = 0; i < emitter.input_shapes().size(); ++i) inputs.push_back(emitter.input(i));
    const double factor = a.contains("alpha") ? a.number("alpha") : 1;
    const Json::Object number = with_number ? Json::Object{{"x2", factor * a.number("other")}} : Json::Object{};
    return emitter.operation("", "keras.src.ops.numpy", operation, {}, std::move(inputs), number, emitter.output_shape());
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
  return {arithmetic("add", "Add", "Add"),
          arithmetic("sub", "Subtract", "Subtract"),
          arithmetic("mul", "Multiply", "Multiply"),
          arithmetic("div", "", "TrueDivide"),
          elementwise("maximum", "Maximum"),
          elementwise("minimum", "Minimum"),
          elementwise("Average", "Average"),
          concatenation()};
}

}  // namespace h5bridge::merge
