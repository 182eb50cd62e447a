#include "facets/keras/quantised.h"

#include "h5bridge/error.h"

namespace h5bridge {

void refuse_quantised(const Json::Object& config) {
  const Json* quantised = config.find("quantization_config");
  const Json* dtype = config.find("dtype");
  const bool has_policy = dtype && dtype->dump().find("_from_") != std::string::npos;  // "int8_from_float32"
  if ((quantised && !quantised->is_null()) || has_policy) throw Unsupported("it is quantised, which is not known yet");
}

}  // namespace h5bridge
