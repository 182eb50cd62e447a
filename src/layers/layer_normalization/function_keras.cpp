#include <limits>

#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "layers/layer_normalization/function.h"

namespace h5bridge::layer_normalization {
namespace {

using Argument = KerasEmitter::Argument;

// The operation of keras.ops takes the operands in the same order, None for those that are left out.
KerasMapping function(const Functional& row, const std::string& class_name) {
  KerasMapping mapping = write_only(operation(row.name, class_name, {}, {}, kNN));
  mapping.lower = [row, class_name](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const auto count = static_cast<std::int64_t>(a.sizes("normalized_shape").size());
    const auto rank = static_cast<std::int64_t>(emitter.output_shape().size());
    Json::Array axes;
    for (std::int64_t axis = rank - count; axis < rank; ++axis) axes.push_back(axis);
    std::vector<Argument> arguments{emitter.input(0)};
    for (const std::string& name : row.operands) {
      const auto given = operand(emitter, row, name);
      arguments.push_back(given ? Argument(*given) : Argument(Json()));
    }
    const double eps = a.is_none("eps") ? static_cast<double>(std::numeric_limits<float>::epsilon()) : a.number("eps");
    return Composition(emitter).last(class_name, std::move(arguments), {{"axis", std::move(axes)}, {"epsilon", eps}},
                                     kNN);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> function_mappings() {
  return {function(layer_norm_function(), "LayerNorm"), function(rms_norm_function(), "RMSNorm")};
}

}  // namespace h5bridge::layer_normalization
