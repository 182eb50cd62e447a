#include "keras/dialects/tensorflow_operations.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/error.h"
#include "keras/dialects/nodes.h"
#include "keras/dialects/tensorflow_functions.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

struct TensorFlowOperation {
  std::string_view name;
  std::string_view function;
  std::string_view inputs;
  std::string_view attributes;
};

constexpr auto kOperations = std::to_array<TensorFlowOperation>({
#define TF_FUNCTION(function, module, class_name, operands, settings)
#define TF_OPERATION(operation, function, inputs, attributes) {operation, function, inputs, attributes},
#include "keras/dialects/tensorflow_operations.def"
#undef TF_FUNCTION
#undef TF_OPERATION
});

constexpr const char* kGetItem = "__operators__.getitem";

// {"start": 1, "stop": null, "step": null} is a slice; "..." and None go as they are.
Json key_of_item(const Json& spec) {
  const auto part = [](const Json& one) -> Json {
    if (!one.find("start")) return one;
    return Json::Object{
        {"class_name", "__slice__"},
        {"config", Json::Object{{"start", one.at("start")}, {"stop", one.at("stop")}, {"step", one.at("step")}}}};
  };
  if (!spec.is_array()) return part(spec);
  Json::Array parts;
  for (const Json& one : spec.as_array()) parts.push_back(part(one));
  return parts;
}

Json lower_case(const Json& word) {
  if (!word.is_string()) return word;
  std::string text = word.as_string();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// TensorFlow splits into parts of these sizes, Keras at these places.
Json places_of_sizes(const Json& sizes) {
  if (!sizes.is_array()) return sizes;
  Json::Array places;
  std::int64_t place = 0;
  for (const Json& size : sizes.as_array()) {
    if (!size.is_integer() || size.as_integer() < 0) throw Unsupported("split is called with a size that is left open");
    places.emplace_back(place += size.as_integer());
  }
  if (!places.empty()) places.pop_back();
  return places;
}

bool is_array_of_numbers(const Json& value) {
  if (!value.is_array() || value.as_array().empty()) return false;
  return std::ranges::all_of(
      value.as_array(), [](const Json& one) { return one.is_number() || one.is_bool() || is_array_of_numbers(one); });
}

bool has_fraction(const Json& value) {
  return value.is_array() ? std::ranges::any_of(value.as_array(), has_fraction) : value.is_float();
}

bool has_truth(const Json& value) {
  return value.is_array() ? std::ranges::any_of(value.as_array(), has_truth) : value.is_bool();
}

// A list of numbers that is computed with is an array; a list of tensors stays.
Json array_in_keras_3(Json value) {
  if (!is_array_of_numbers(value)) return value;
  const char* dtype = has_fraction(value) ? "float32" : has_truth(value) ? "bool" : "int32";
  return Json::Object{{"class_name", "__numpy__"},
                      {"config", Json::Object{{"value", std::move(value)}, {"dtype", dtype}}}};
}

bool says_something(const Json& value) { return !value.is_null() && value != Json(false); }

class Call {
 public:
  Call(const std::string& function, const Json& node)
      : function_(function), first_(node.at("args").as_array()), given_(node.at("kwargs").as_object()) {
    given_.erase("name");
  }

  // The call's arguments in Keras 3, and what is its operation's configuration there.
  Json::Object arguments(const TensorFlowFunction& row, Json::Object& config) {
    Json::Array args = first_;
    for (const TensorFlowOperand& operand : row.operand_list())
      if (!operand.is_optional || given_.contains(operand.name))
        args.push_back(operand.has_own_type ? take(operand.name) : array_in_keras_3(take(operand.name)));
    for (const TensorFlowSetting& setting : row.setting_list()) {
      const Json* given = given_.find(setting.theirs);
      if (setting.is_fixed() && given && *given == *setting.absent) given_.erase(setting.theirs);
      if (setting.ours.empty()) continue;
      if (!given && !setting.absent) throw Unsupported(function_ + " is called without " + setting.theirs);
      const bool is_default = !given || (given->is_null() && setting.absent);
      config.set(setting.ours, is_default ? *setting.absent : *given);
      if (setting.ours == "mode" || setting.ours == "padding")
        config.set(setting.ours, lower_case(config.at(setting.ours)));  // in TensorFlow a mode is of any case
      if (row.class_name == "Split" && setting.ours == "indices_or_sections") {
        Json* places = config.find(setting.ours);
        *places = places_of_sizes(*places);
      }
      given_.erase(setting.theirs);
    }
    return finished(std::move(args));
  }

  // Whether all that the row says of the call beside its tensors is so.
  bool fits(const TensorFlowFunction& row) const {
    return std::ranges::all_of(row.setting_list(), [&](const TensorFlowSetting& setting) {
      const Json* given = given_.find(setting.theirs);
      return !setting.is_fixed() || (given && *given == *setting.absent);
    });
  }

  Json::Object item() {
    Json::Array args = first_;
    args.push_back(key_of_item(take("slice_spec")));
    given_.erase("var");
    return finished(std::move(args));
  }

 private:
  Json take(const std::string& name) {
    const Json* given = given_.find(name);
    if (!given) throw Unsupported(function_ + " is called without " + name);
    Json value = *given;
    given_.erase(name);
    return value;
  }

  Json::Object finished(Json::Array args) const {
    for (const auto& [key, value] : given_)
      if (says_something(value))
        throw Unsupported(function_ + " is called with " + key + "=" + quoted(value) +
                          ", which Keras 3's operation does not have");
    return {{"args", std::move(args)}, {"kwargs", Json::Object{}}};
  }

  const std::string& function_;
  Json::Array first_;
  Json::Object given_;
};

const Json* attribute(const Json& node, const std::string& name) {
  const Json* all = node.find("attr");
  const Json* found = all ? all->find(name) : nullptr;
  if (!found || !found->is_object() || found->as_object().empty()) return nullptr;
  return &found->as_object().begin()->second;
}

// A call of TensorFlow's operation as one of its function: constants stand by the numbers of the inputs that they are.
Json call_of_function(const TensorFlowOperation& row, const Json& node_def, const Json& constants, const Json& node) {
  Json::Array tensors = node.at("args").as_array();
  if (tensors.size() == 1 && tensors[0].is_array()) tensors = Json::Array(tensors[0].as_array());
  std::ranges::reverse(tensors);
  Json::Array args;
  Json::Object keywords;
  std::size_t index = 0;
  for (const std::string& name : words_of(row.inputs, ' ')) {
    const Json* constant = constants.find(std::to_string(index));
    if (!constant && tensors.empty()) throw MalformedFile(std::string(row.name) + " has too few inputs");
    Json value = constant ? *constant : tensors.back();
    if (!constant) tensors.pop_back();
    if (index++ == 0)
      args.push_back(std::move(value));
    else
      keywords.set(name, std::move(value));
  }
  for (const TensorFlowSetting& setting : tensorflow_settings(row.attributes)) {
    if (const Json* value = attribute(node_def, setting.theirs)) keywords.set(setting.ours, *value);
  }
  return Json::Object{{"args", std::move(args)}, {"kwargs", std::move(keywords)}};
}

class Operation {
 public:
  explicit Operation(const Json& entry) : config_(entry.at("config")) {
    const Json* nodes = entry.find("inbound_nodes");
    if (nodes && nodes->is_array()) nodes_ = nodes_in_keras_3(*nodes, entry.at("class_name").as_string()).as_array();
    if (entry.at("class_name") == Json("TensorFlowOpLayer"))
      take_operation();
    else
      function_ = config_.at("function").as_string();
  }

  Json run(const Json& entry) {
    const std::span<const TensorFlowFunction> functions = tensorflow_functions();
    const TensorFlowFunction* row = row_of(functions);
    const bool is_item = function_ == kGetItem;
    if (!is_item && !row) throw Unsupported("it is TensorFlow's " + function_ + ", which h5bridge does not read");
    Json::Object config{{"name", config_.at("name")}};
    std::optional<Json::Object> first;
    Json::Array calls;
    for (const Json& node : nodes_) {
      Call call(function_, node);
      Json::Object own = config;
      calls.push_back(is_item ? call.item() : call.arguments(*row, own));
      if (first && *first != own) throw Unsupported("its calls differ in more than their tensors");
      first = std::move(own);
    }
    Json::Object result = entry.as_object();
    result.set("module", "keras.src.ops." + std::string(is_item ? "numpy" : row->module));
    result.set("class_name", is_item ? "GetItem" : std::string(row->class_name));
    result.set("registered_name", result.at("class_name"));
    result.set("config", first ? std::move(*first) : std::move(config));
    result.set("inbound_nodes", std::move(calls));
    return result;
  }

 private:
  // Of several operations that a function is, the one that its first call is.
  const TensorFlowFunction* row_of(std::span<const TensorFlowFunction> functions) const {
    const TensorFlowFunction* found = nullptr;
    for (const TensorFlowFunction& row : functions) {
      if (row.name != function_) continue;
      if (!nodes_.empty() && Call(function_, nodes_[0]).fits(row)) return &row;
      if (!found) found = &row;
    }
    return found;
  }

  void take_operation() {
    const Json& stated = config_.at("node_def");
    const Json node_def = stated.is_string() ? Json::parse(stated.as_string(), "its node_def") : stated;
    const std::string& name = node_def.at("op").as_string();
    const auto row = std::ranges::find(kOperations, std::string_view(name), &TensorFlowOperation::name);
    if (row == kOperations.end()) throw Unsupported("it is TensorFlow's " + name + ", which h5bridge does not read");
    function_ = row->function;
    const Json* constants = config_.find("constants");
    const Json none;
    for (Json& node : nodes_) node = call_of_function(*row, node_def, constants ? *constants : none, node);
  }

  const Json& config_;
  Json::Array nodes_;
  std::string function_;
};

}  // namespace

bool is_tensorflow_operation(const Json& entry) {
  const Json& class_name = entry.at("class_name");
  return class_name == Json("TFOpLambda") || class_name == Json("SlicingOpLambda") ||
         class_name == Json("TensorFlowOpLayer");
}

Json operation_in_keras_3(const Json& entry) { return Operation(entry).run(entry); }

}  // namespace h5bridge
