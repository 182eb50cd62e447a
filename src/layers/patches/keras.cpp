#include "facets/keras/operation.h"
#include "h5bridge/error.h"

namespace h5bridge::patches {
namespace {

// Keras's operations are PyTorch's, layout included.
KerasMapping windows(const std::string& type, std::vector<std::string> attributes) {
  std::vector<Correspondence> rows;
  for (const std::string& name : attributes) rows.push_back({name, name, spelling::integers(2)});
  KerasMapping mapping = operation(type, type, std::move(rows), {"x"}, kNN);
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    if (!emitter.output_shape().back().value())
      throw Unsupported("Keras computes the number of windows beforehand, but of its input " +
                        to_string(emitter.input_shapes()[0]) + " sizes are open; LoadOptions::fix_sizes may help");
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {windows("Unfold", {"kernel_size", "dilation", "padding", "stride"}),
          windows("Fold", {"output_size", "kernel_size", "dilation", "padding", "stride"})};
}

}  // namespace h5bridge::patches
