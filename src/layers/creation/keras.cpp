#include "facets/keras/open_sizes.h"
#include "facets/keras/operation.h"

namespace h5bridge::creation {
namespace {

// Keras's arange takes numbers alone: an open length is counted along an axis that has it.
KerasMapping arange() {
  KerasMapping mapping = write_only(operation("arange", "Cast", {}, {}, kCore));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    OpenSizes sizes(emitter, "size_");
    KerasEmitter::Handle numbers = sizes.range(emitter.output_shape().at(0));
    if (a.integer("step") != 1) numbers = sizes.apply("Multiply", numbers, Json(a.integer("step")));
    if (const Size& start = a.sizes("start").at(0); start != Size(0))
      numbers = sizes.apply("Add", numbers, sizes.count(start));
    return last_call(emitter, kCore, "Cast", {{"dtype", a.text("dtype")}}, {numbers});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {arange()}; }

}  // namespace h5bridge::creation
