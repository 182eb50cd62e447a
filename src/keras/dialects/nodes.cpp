#include "keras/dialects/nodes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/call.h"

namespace h5bridge {
namespace {

// Layers whose call is (sequence, initial_state): Keras 2 lists the states behind the sequence
// (keras 2.2.4, layers/recurrent.py, RNN.__call__).
constexpr std::array<std::string_view, 6> kTakeStates{"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM2D"};

// What tf.keras writes in place of a tensor's layer where the argument is a constant.
constexpr const char* kConstant = "_CONSTANT_VALUE";

bool is_tensor(const Json& json) {
  if (!json.is_array() || json.as_array().size() < 3) return false;
  const Json::Array& parts = json.as_array();
  return parts[0].is_string() && parts[1].is_integer() && (parts[2].is_integer() || parts[0] == Json(kConstant));
}

Json argument(const Json& tensor) {
  const Json::Array& parts = tensor.as_array();
  if (parts[0] == Json(kConstant)) return parts[2];
  return keras_tensor(Json::Array{parts[0], parts[1], parts[2]});
}

// Tensors among keyword arguments stand there as [layer, call, output], or in lists of such.
Json keyword(const Json& value) {
  if (is_tensor(value) && value.as_array().size() == 3) return argument(value);
  if (!value.is_array() || value.as_array().empty() || !std::ranges::all_of(value.as_array(), is_tensor)) return value;
  Json::Array tensors;
  for (const Json& tensor : value.as_array()) tensors.push_back(argument(tensor));
  return tensors;
}

// What a call takes, nested as tf.keras had it. Every tensor repeats the keyword arguments of the call.
Json argument_of(const Json& tensors, Json::Object& keywords) {
  if (is_tensor(tensors)) {
    if (tensors.as_array().size() > 3)
      for (const auto& [name, value] : tensors.as_array()[3].as_object()) keywords.set(name, keyword(value));
    return argument(tensors);
  }
  if (tensors.is_object()) {
    Json::Object result;
    for (const auto& [key, tensor] : tensors.as_object()) result.set(key, argument_of(tensor, keywords));
    return result;
  }
  Json::Array result;
  for (const Json& tensor : tensors.as_array()) result.push_back(argument_of(tensor, keywords));
  return result;
}

Json call_in_keras_3(const Json& node, const std::string& class_name) {
  Json::Object keywords;
  const Json given = argument_of(node, keywords);
  if (given.is_object() && !is_tensor(node))
    return Json::Object{{"args", Json::Array{given}}, {"kwargs", keywords}, {kHandsMaskOn, true}};
  const Json::Array arguments = given.is_array() ? given.as_array() : Json::Array{given};
  if (arguments.empty()) throw MalformedFile("one of its inbound_nodes has no tensors");
  const bool takes_states = std::ranges::find(kTakeStates, class_name) != kTakeStates.end();
  Json::Array positional;
  if (arguments.size() > 1 && takes_states) {
    keywords.set("initial_state", Json::Array(arguments.begin() + 1, arguments.end()));
    positional = {arguments[0]};
  } else if (arguments.size() > 1) {
    positional = {Json(arguments)};
  } else {
    positional = arguments;
  }
  return Json::Object{{"args", positional}, {"kwargs", keywords}, {kHandsMaskOn, true}};
}

bool is_call_of_keras_3(const Json& node) {
  const Json* arguments = node.is_object() ? node.find("args") : nullptr;
  return arguments && arguments->is_array() && node.find("kwargs");
}

}  // namespace

Json keras_tensor(const Json& history) {
  return Json::Object{{"class_name", "__keras_tensor__"}, {"config", Json::Object{{"keras_history", history}}}};
}

Json nodes_in_keras_3(const Json& inbound_nodes, const std::string& class_name) {
  Json::Array calls;
  for (const Json& node : inbound_nodes.as_array())
    calls.push_back(is_call_of_keras_3(node) ? node : call_in_keras_3(node, class_name));
  return calls;
}

}  // namespace h5bridge
