#include "h5bridge/h5bridge.h"
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
  const Presentation presentation = presentation_of(model);
  return {ports_of(presentation.inputs), ports_of(presentation.outputs)};
}

}  // namespace h5bridge
