#include "h5bridge/json.h"

#include <nanobind/nanobind.h>

#include "core/parts.h"

namespace h5bridge::python {

nanobind::dict to_python(const Json::Object& object) {
  nanobind::dict result;
  for (const auto& [name, value] : object) result[nanobind::str(name.c_str(), name.size())] = to_python(value);
  return result;
}

nanobind::object to_python(const Json& json) {
  if (json.is_null()) return nanobind::none();
  if (json.is_bool()) return nanobind::bool_(json.as_bool());
  if (json.is_integer()) return nanobind::int_(json.as_integer());
  if (json.is_float()) return nanobind::float_(json.as_float());
  if (json.is_string()) return nanobind::str(json.as_string().c_str(), json.as_string().size());
  if (json.is_object()) return to_python(json.as_object());
  nanobind::list result;
  for (const Json& element : json.as_array()) result.append(to_python(element));
  return result;
}

}  // namespace h5bridge::python
