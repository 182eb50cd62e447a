#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "layers/linear/function.h"

namespace h5bridge::linear {
namespace {

using Handle = KerasEmitter::Handle;

KerasMapping linear_of_values() {
  KerasMapping mapping = write_only(operation("linear", "Matmul", {}, {"x1", "x2"}));
  mapping.lower = [row = linear_function()](const Attributes&, Json::Object,
                                            KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape& weight = emitter.input_shapes()[1];
    const auto bias = operand(emitter, row, "bias");
    LastNamed calls(emitter, bias ? 2 : 1);
    const Handle kernel =
        named(emitter, "kernel")
            .apply("Transpose", {emitter.input(1)}, {weight[1], weight[0]}, {{"axes", Json::Array{1, 0}}});
    return calls.affine(
        named(emitter, calls.next("product")).apply("Matmul", {emitter.input(0), kernel}, emitter.output_shape()),
        std::nullopt, bias);
  };
  return mapping;
}

// The product with the first input, and then that with the second.
KerasMapping bilinear_of_values() {
  KerasMapping mapping = write_only(operation("bilinear", "Einsum", {}, {}));
  mapping.lower = [row = bilinear_function()](const Attributes&, Json::Object,
                                              KerasEmitter& emitter) -> KerasEmitter::Results {
    SymbolicShape shape = emitter.input_shapes()[0];
    const std::string outer = std::string("abcdefghklmnpqrstuvwxyz").substr(0, shape.size() - 1);
    const SymbolicShape& weight = emitter.input_shapes()[2];
    shape.back() = weight[0];
    shape.push_back(weight[2]);
    const auto bias = operand(emitter, row, "bias");
    LastNamed calls(emitter, bias ? 2 : 1);
    const Handle first = named(emitter, "first")
                             .apply("Einsum", {emitter.input(0), emitter.input(2)}, shape,
                                    {{"subscripts", outer + "i,oij->" + outer + "oj"}});
    const Handle product = named(emitter, calls.next("product"))
                               .apply("Einsum", {first, emitter.input(1)}, emitter.output_shape(),
                                      {{"subscripts", outer + "oj," + outer + "j->" + outer + "o"}});
    return calls.affine(product, std::nullopt, bias);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> function_mappings() { return {linear_of_values(), bilinear_of_values()}; }

}  // namespace h5bridge::linear
