#include "facets/spec/function_type.h"

namespace h5bridge {

LayerType function_type(std::string name, std::string summary, std::vector<AttributeSpec> attributes,
                        LayoutRule layout) {
  LayerType type;
  type.name = std::move(name);
  type.summary = std::move(summary);
  type.source = "torch/_torch_docs.py; torch/_tensor_docs.py; keras/src/ops/numpy.py";
  type.attributes = std::move(attributes);
  type.layout = std::move(layout);
  return type;
}

}  // namespace h5bridge
