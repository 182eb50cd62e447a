#include "layers/keras_operation.h"
#include "layers/layer_type.h"

namespace h5bridge::products {
namespace {

using Handle = KerasEmitter::Handle;

KerasMapping dot() {
  KerasMapping mapping{.type = "Dot", .class_name = "Dot", .attributes = {{"axes", "axes", spelling::axes()}, {"normalize", "normalize", spelling::boolean()}}};
  mapping.inputs_as_list = true;
  mapping.lift = [](Json::Object& config, Attributes&, const std::vector<SymbolicShape>&) { expect_layer(config); };
  return mapping;
}

KerasMapping baddbmm() {
  KerasMapping mapping = write_only(operation("baddbmm", "Add"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const auto scaled = [&](const char* factor, Handle x) {
      const Json number = attribute_to_json(a.at(factor));
      return number == Json(1) ? x : helper(emitter, factor, "Multiply", {x, number}, emitter.shape(x));
    };
    const Handle product = helper(emitter, "product", "Matmul", {emitter.input(1), emitter.input(2)}, emitter.output_shape());
    return last_call(emitter, kNumpy, "Add", {}, {scaled("beta", emitter.input(0)), scaled("alpha", product)});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      operation("matmul", "Matmul", {}, {"x1", "x2"}),
      write_only(operation("bmm", "Matmul", {}, {"x1", "x2"})),
      baddbmm(),
      operation("einsum", "Einsum", {{"equation", "subscripts", spelling::text()}}, {}),
      dot(),
  };
}

}  // namespace h5bridge::products
