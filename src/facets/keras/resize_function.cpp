#include "facets/keras/resize_function.h"

#include <algorithm>

#include "facets/keras/not_of_integers.h"
#include "facets/keras/operation.h"
#include "h5bridge/error.h"

namespace h5bridge {

KerasMapping as_resize_function(KerasMapping layer) {
  KerasMapping mapping = read_only(std::move(layer));
  mapping.class_name = "Resize";
  mapping.module = "keras.src.ops.image";
  mapping.call = {"images"};
  mapping.of_integers = not_of_integers;
  mapping.accepts = [](const std::vector<SymbolicShape>& inputs) { return inputs.at(0).size() == 4; };
  mapping.lift = [of_layer = mapping.lift](Json::Object& config, Attributes& attributes,
                                           const std::vector<SymbolicShape>& inputs) {
    const Json::Array size = config.at("size").as_array();
    if (size.size() != 2) throw MalformedFile("its size has " + std::to_string(size.size()) + " elements, expected 2");
    config.erase("size");
    config.set("height", size[0]);
    config.set("width", size[1]);
    if (const Json* format = config.find("data_format"); !format || format->is_null())  // Keras's own
      config.set("data_format", "channels_last");
    of_layer(config, attributes, inputs);
  };
  // On JAX alone, which is asked by an .h5, and of that Keras loads no operations.
  std::erase_if(mapping.samples, [](const KerasSample& sample) {
    const Json* filter = sample.config.find("interpolation");
    return filter && *filter != Json("nearest") && *filter != Json("bilinear");
  });
  for (KerasSample& sample : mapping.samples) {
    sample.config.set("size", Json::Array{sample.config.at("height"), sample.config.at("width")});
    for (const char* key : {"height", "width"}) sample.config.erase(key);
  }
  return mapping;
}

}  // namespace h5bridge
