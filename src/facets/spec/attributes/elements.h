// Several elements that stand in JSON as a list, or as one that stands for `length` equal ones; where `length` is 0,
// any number will do, and one stands for a list of one.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "h5bridge/json.h"

namespace h5bridge {

/// Throws MalformedFile where `count` elements are not `length` ones.
void check_element_count(std::size_t count, std::size_t length);

template <typename Read>
auto read_elements(const Json& json, std::size_t length, Read&& read) {
  using Element = decltype(read(json));
  if (!json.is_array()) return std::vector<Element>(std::max<std::size_t>(length, 1), read(json));
  std::vector<Element> result;
  for (const Json& element : json.as_array()) result.push_back(read(element));
  check_element_count(result.size(), length);
  return result;
}

/// `one`: what may stand for all of them.
Json schema_of_elements(const Json& one, const Json& element, std::size_t length);
Json schema_of_elements(const Json& element, std::size_t length);
/// "integers", "integer or [integer]", "integer or 3 integers".
std::string describe_elements(const std::string& one, std::size_t length);

}  // namespace h5bridge
