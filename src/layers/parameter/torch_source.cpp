#include "facets/torch_source/signature.h"

namespace h5bridge::parameter {

// A layer that is a tensor is read by its name, which is `self` here.
std::vector<TorchSource> torch_sources() {
  const auto own = [](const SourceCall& call) -> Python { return call.self; };
  return {torch_code(
              "Parameter", [](const Layer&) { return std::string(); }, own),
          torch_code(
              "Buffer", [](const Layer&) { return std::string(); }, own),
          torch_code("new_tensor", [](const SourceCall& call) -> Python {
            Python made = python_value(call.attributes().at("data"));
            made.text.insert(made.text.size() - 1, ", device=" + call.place.device());
            return made;
          })};
}

}  // namespace h5bridge::parameter
