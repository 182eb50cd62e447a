#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "facets/registry.h"
#include "layers/batch_normalization/function.h"

namespace h5bridge::batch_normalization {
namespace {

using Argument = KerasEmitter::Argument;
using Handle = KerasEmitter::Handle;

// Keras's operation cannot do without just one of these.
Argument or_like(KerasEmitter& emitter, const std::optional<Handle>& value, const std::optional<Handle>& other,
                 const char* class_name) {
  if (value) return *value;
  if (!other) return Json();
  return named(emitter, "neutral").apply(class_name, {*other}, emitter.shape(*other));
}

}  // namespace

KerasMapping function_mapping(const std::string& name) {
  KerasMapping mapping =
      write_only(operation(name, "BatchNorm", {}, {"x", "mean", "variance", "offset", "scale"}, kNN));
  mapping.lower = [row = function(name)](const Attributes& a, Json::Object,
                                         KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::vector<SymbolicShape>& inputs = emitter.input_shapes();
    const std::string type = module_of(row.name, inputs[0].size());
    const Attributes settings = module_settings(*Registry::instance().find(type), row, a, inputs);
    if (!settings.boolean("track_running_stats")) return emit_normalised(emitter, row, type, settings);
    const auto weight = operand(emitter, row, "weight");
    const auto bias = operand(emitter, row, "bias");
    const Argument scale = or_like(emitter, weight, bias, "OnesLike");
    const Argument offset = or_like(emitter, bias, weight, "ZerosLike");
    const std::int64_t axis = channel_axis(a, static_cast<std::int64_t>(inputs[0].size()));
    return Composition(emitter).last("BatchNorm", {emitter.input(0), emitter.input(1), emitter.input(2), offset, scale},
                                     {{"axis", axis}, {"epsilon", a.number("eps")}}, kNN);
  };
  return mapping;
}

}  // namespace h5bridge::batch_normalization
