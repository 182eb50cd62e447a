#include "keras/constants.h"

#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

// The elements of nested lists, which have to be as long as the first ones.
void collect(const Json& value, std::size_t axis, Shape& shape, Json::Array& elements) {
  if (!value.is_array()) {
    if (axis != shape.size()) throw MalformedFile("an array among its arguments has lists of different depths");
    elements.push_back(value);
    return;
  }
  const auto count = static_cast<std::int64_t>(value.as_array().size());
  if (axis == shape.size() && elements.empty()) shape.push_back(count);
  if (axis >= shape.size() || shape[axis] != count)
    throw MalformedFile("an array among its arguments has lists of different lengths");
  for (const Json& element : value.as_array()) collect(element, axis + 1, shape, elements);
}

}  // namespace

std::optional<Layer> array_layer(const Json& constant) {
  const Json* class_name = constant.is_object() ? constant.find("class_name") : nullptr;
  if (!class_name || (*class_name != Json("__numpy__") && *class_name != Json("__tensor__"))) return std::nullopt;
  const Json& config = constant.at("config");
  const std::string& dtype = config.at("dtype").as_string();
  const LayerType& type = *Registry::instance().find("new_tensor");
  try {
    type.find_attribute("dtype")->kind->check(dtype);
  } catch (const MalformedFile&) {
    throw Unsupported("an array of " + dtype + " among its arguments has no layer type");
  }
  Shape shape;
  Json::Array elements;
  collect(config.at("value"), 0, shape, elements);
  return Layer{
      {},
      type.name,
      attributes_from_json(type, {{"data", std::move(elements)}, {"shape", Json::array(shape)}, {"dtype", dtype}},
                           "an array among its arguments"),
      {}};
}

}  // namespace h5bridge
