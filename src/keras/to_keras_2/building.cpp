#include "keras/to_keras_2/building.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "h5bridge/error.h"

namespace h5bridge {

Json array_of(Json::Array values, const char* dtype) {
  return Json::Object{{"class_name", "__numpy__"},
                      {"config", Json::Object{{"value", std::move(values)}, {"dtype", dtype}}}};
}

void refuse_small_floats(const Json& tensor) {
  if (dtype_of(tensor) != "float32" && dtype_of(tensor) != "float64")
    throw Unsupported("it is of tensors of " + dtype_of(tensor) + ", with which Keras 3 computes in float32");
}

Json reduced(Parts& parts, std::string_view class_name, const Json& tensor, const std::vector<std::size_t>& axes) {
  Json::Array shape = shape_of(tensor);
  for (const std::size_t axis : axes) shape[axis] = 1;
  return parts.operation(class_name, {{"axis", Json::array(axes)}, {"keepdims", true}}, {tensor}, shape);
}

Json moved(Parts& parts, const Json& tensor, const std::vector<std::size_t>& axes) {
  Json::Array shape;
  for (const std::size_t axis : axes) shape.push_back(shape_of(tensor)[axis]);
  return parts.operation("Transpose", {{"axes", Json::array(axes)}}, {tensor}, shape);
}

std::vector<std::size_t> axes_from_0(const Json& tensor) {
  std::vector<std::size_t> axes(shape_of(tensor).size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  return axes;
}

Json reshaped(Parts& parts, const Json& tensor, const Json::Array& shape) {
  Json::Array asked;
  for (const Json& extent : shape) asked.push_back(extent.is_null() ? Json(-1) : extent);
  if (std::ranges::count(asked, Json(-1)) > 1) throw Unsupported("several sizes of its tensor are left open");
  return parts.operation("Reshape", {{"newshape", asked}}, {tensor}, shape);
}

Json::Array with_extent(const Json& tensor, std::size_t axis, std::int64_t extent) {
  Json::Array shape = shape_of(tensor);
  shape[axis] = extent;
  return shape;
}

Json truth_of(Parts& parts, const Json& value) {
  if (dtype_of(value) == "bool") return value;
  return parts.binary("NotEqual", value, zero_of(value), "bool");
}

Json zero_of(const Json& tensor) { return dtype_of(tensor).find("float") != std::string::npos ? Json(0.0) : Json(0); }

Json slice_of(const Json& start, const Json& stop, const Json& step) {
  return Json::Object{{"class_name", "__slice__"},
                      {"config", Json::Object{{"start", start}, {"stop", stop}, {"step", step}}}};
}

}  // namespace h5bridge
