#include "facets/spec/attributes/elements.h"

#include "facets/spec/attributes/schema_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {

void check_element_count(std::size_t count, std::size_t length) {
  if (length && count != length)
    throw MalformedFile("has " + std::to_string(count) + " elements, expected " + std::to_string(length));
}

Json schema_of_elements(const Json& element, std::size_t length) {
  return schema_of_elements(element, element, length);
}

Json schema_of_elements(const Json& one, const Json& element, std::size_t length) {
  Json::Object array = schema::array_of(element).as_object();
  if (length > 0) {
    array.set("minItems", length);
    array.set("maxItems", length);
  }
  return schema::any_of(one, array);
}

std::string describe_elements(const std::string& one, std::size_t length) {
  if (length == 0) return one + "s";
  return one + " or " + (length == 1 ? "[" + one + "]" : std::to_string(length) + " " + one + "s");
}

}  // namespace h5bridge
