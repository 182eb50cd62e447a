#include "keras/history.h"

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {

bool is_history(const Json& json) {
  return json.is_array() && json.as_array().size() == 3 && json.as_array()[0].is_string() &&
         json.as_array()[1].is_integer();
}

History history_of(const Json& json) {
  const Json::Array& triple = json.as_array();
  if (triple.size() < 3) throw MalformedFile("is " + quoted(json) + ", expected [layer, call, output]");
  return {triple[0].as_string(), triple[1].as_integer(), triple[2].as_integer()};
}

}  // namespace h5bridge
