#include "keras/to_keras_2/calls.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "h5bridge/error.h"
#include "keras/call.h"
#include "keras/inner_layers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Layers that take states behind the sequence, in one list (keras 2.2.4, layers/recurrent.py, RNN.__call__).
constexpr std::array<std::string_view, 8> kTakeStates{"LSTM",          "GRU",        "SimpleRNN",  "RNN",
                                                      "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"};
// Further arguments of a call, by the class: they stand by name in Keras 2.
constexpr std::array<std::pair<std::string_view, std::array<std::string_view, 3>>, 1> kNamed{
    {{"MultiHeadAttention", {"query", "value", "key"}}}};
// Those that a call of Keras 2's takes by name, whatever the layer.
constexpr std::array<std::string_view, 8> kKeywords{
    "training", "mask",           "initial_state",           "value",
    "key",      "attention_mask", "return_attention_scores", "use_causal_mask"};

Json place(const Json& tensor, const std::map<std::string, int>& further) {
  Json::Array parts = tensor.as_array();
  if (const auto found = further.find(parts.at(0).as_string()); found != further.end())
    parts[1] = parts[1].as_integer() + found->second;
  return parts;
}

Json place_of(const Json& tensor, const InnerModels& inner) {
  return place(tensor.at("config").at("keras_history"), inner.in_calls);
}

bool is_tensor_list(const Json& value) {
  return value.is_array() && !value.as_array().empty() && std::ranges::all_of(value.as_array(), is_keras_tensor);
}

Json::Array listed(const Json& value) {
  return is_keras_tensor(value) ? Json::Array{value} : is_tensor_list(value) ? value.as_array() : Json::Array{};
}

class Call {
 public:
  Call(const Json& node, std::string class_name)
      : class_name_(std::move(class_name)), args_(node.at("args").as_array()) {
    for (const auto& [name, value] : node.at("kwargs").as_object())
      if (!value.is_null()) keywords_.set(name, value);
  }

  Json run(const InnerModels& inner) {
    if (args_.empty()) throw Unsupported("one of its calls has no argument in first place");
    name_others();
    Json::Array tensors = listed(args_.at(0));
    if (tensors.empty()) throw Unsupported("one of its calls takes " + quoted(args_.at(0)) + " in first place");
    if (const Json* states = keywords_.find("initial_state"); states && takes_states()) {
      for (const Json& state : listed(*states)) tensors.push_back(state);
      keywords_.erase("initial_state");
    }
    Json::Object keywords;
    for (const auto& [name, value] : keywords_) keywords.set(name, argument_in_keras_2(checked(name, value), inner));
    Json::Array places;
    for (const Json& tensor : tensors) {
      Json::Array one = place_of(tensor, inner).as_array();
      one.emplace_back(keywords);
      places.emplace_back(std::move(one));
    }
    return places;
  }

 private:
  bool takes_states() const { return std::ranges::find(kTakeStates, class_name_) != kTakeStates.end(); }

  // Arguments behind the first.
  void name_others() {
    if (args_.size() == 1) return;
    const auto names = std::ranges::find(kNamed, class_name_, &decltype(kNamed)::value_type::first);
    if (takes_states() && args_.size() == 2) {
      keywords_.set("initial_state", args_[1]);
    } else if (names != kNamed.end() && args_.size() <= names->second.size()) {
      for (std::size_t i = 1; i < args_.size(); ++i) keywords_.set(names->second[i], args_[i]);
    } else {
      throw Unsupported("one of its calls has " + std::to_string(args_.size()) + " arguments that stand by place");
    }
    args_.resize(1);
  }

  static const Json& checked(const std::string& name, const Json& value) {
    if (std::ranges::find(kKeywords, name) == kKeywords.end())
      throw Unsupported("one of its calls is given " + name + ", which Keras 2's does not take");
    return value;
  }

  std::string class_name_;
  Json::Array args_;
  Json::Object keywords_;
};

}  // namespace

bool is_keras_tensor(const Json& value) {
  const Json* class_name = value.is_object() ? value.find("class_name") : nullptr;
  return class_name && *class_name == Json("__keras_tensor__");
}

const Json* wrapped_model(const Json& layer) {
  const Json* wrapped = layer.at("config").find("layer");
  const Json* class_name = wrapped ? wrapped->find("class_name") : nullptr;
  return class_name && is_model_class(class_name->as_string()) ? wrapped : nullptr;
}

InnerModels inner_models(const Json::Array& layers) {
  InnerModels result;
  for (const Json& layer : layers) {
    const std::string& class_name = layer.at("class_name").as_string();
    const Json* name = layer.at("config").find("name");
    if (!name || !name->is_string()) continue;
    // Where a Functional model's calls are taken Keras 3 counts them from 0, where they are given out from 1.
    if (class_name == "Functional") result.in_calls[name->as_string()] = 1;
    if (class_name == "Sequential") result.in_calls[name->as_string()] = result.in_outputs[name->as_string()] = 1;
  }
  return result;
}

Json argument_in_keras_2(const Json& value, const InnerModels& inner) {
  if (is_keras_tensor(value)) return place_of(value, inner);
  if (!is_tensor_list(value)) return value;
  Json::Array places;
  for (const Json& tensor : value.as_array()) places.push_back(place_of(tensor, inner));
  return places;
}

Json call_in_keras_2(const Json& node, const std::string& class_name, const InnerModels& inner) {
  return Call(node, class_name).run(inner);
}

Json places_in_keras_2(const Json& places, const std::map<std::string, int>& further) {
  if (is_history(places)) return Json::Array{place(places, further)};
  const auto nested = [&](const Json& one) {
    return is_history(one) ? place(one, further) : places_in_keras_2(one, further);
  };
  if (places.is_object()) {
    Json::Object named;
    for (const auto& [name, one] : places.as_object()) named.set(name, nested(one));
    return named;
  }
  Json::Array listed;
  for (const Json& one : places.as_array()) listed.push_back(nested(one));
  return listed;
}

bool are_listed(const Json& places) {
  return is_history(places) || (places.is_array() && std::ranges::all_of(places.as_array(), is_history));
}

}  // namespace h5bridge
