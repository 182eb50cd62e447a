#include "h5bridge/h5bridge.h"
#include "passes/infer_shapes.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

std::vector<Signature::Port> ports_of(const std::vector<Presentation::Port>& presented) {
  std::vector<Signature::Port> result;
  for (const Presentation::Port& port : presented) result.push_back({port.name, port.shape, port.dtype});
  return result;
}

}  // namespace

Signature signature_of(const Model& model) {
  Model whole = model;
  if (whole.architecture) whole.architecture = with_all_attributes(*std::move(whole.architecture));
  const Presentation presentation = presentation_of(whole);
  return {ports_of(presentation.inputs), ports_of(presentation.outputs)};
}

}  // namespace h5bridge
