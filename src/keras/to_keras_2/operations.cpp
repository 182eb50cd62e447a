#include "keras/to_keras_2/operations.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/error.h"
#include "keras/from_older/tensorflow_functions.h"
#include "model/quoted.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

// Operations whose TensorFlow function gives of integers what Keras gives.
constexpr auto kOfIntegers = std::to_array<std::string_view>(
    {"Absolute", "Add",      "Argmax",       "Cast",     "Clip",      "Concatenate", "Equal",   "ExpandDims",
     "GetItem",  "Greater",  "GreaterEqual", "Less",     "LessEqual", "Max",         "Maximum", "Min",
     "Minimum",  "Multiply", "Negative",     "NotEqual", "Pad",       "Prod",        "Reshape", "Split",
     "Squeeze",  "Stack",    "Subtract",     "Sum",      "Tile",      "Transpose"});

// Operators of Python's are not all there by a name.
const TensorFlowFunction& function_of(const std::string& module, const std::string& class_name) {
  const TensorFlowFunction* found = nullptr;
  for (const TensorFlowFunction& row : tensorflow_functions()) {
    const bool is_it = row.class_name == class_name && module.ends_with("." + std::string(row.module));
    if (is_it && (!found || found->name.starts_with("__"))) found = &row;
  }
  if (!found) throw Unsupported("it is an operation of Keras 3, for which h5bridge knows no function of TensorFlow's");
  return *found;
}

void add_tensors(const Json& value, std::vector<const Json*>& tensors) {
  if (is_keras_tensor(value)) tensors.push_back(&value.at("config"));
  if (value.is_array())
    for (const Json& one : value.as_array()) add_tensors(one, tensors);
}

bool is_float_type(const std::string& dtype) { return dtype.find("float") != std::string::npos; }

// {"class_name": "__slice__", "config": {"start": 1, ...}} is {"start": 1, "stop": null, "step": null} there.
Json item_spec(const Json& key) {
  const auto part = [](const Json& one) -> Json {
    const Json* class_name = one.is_object() ? one.find("class_name") : nullptr;
    if (is_keras_tensor(one)) throw Unsupported("it is an item at a place that is computed");
    return class_name && *class_name == Json("__slice__") ? one.at("config") : one;
  };
  if (!key.is_array()) return part(key);
  Json::Array parts;
  for (const Json& one : key.as_array()) parts.push_back(part(one));
  return parts;
}

class Function {
 public:
  Function(const Json& entry, const InnerModels& inner)
      : config_(entry.at("config").as_object()), inner_(inner), is_item_(entry.at("class_name") == Json("GetItem")) {
    if (!is_item_) row_ = &function_of(entry.at("module").as_string(), entry.at("class_name").as_string());
  }

  std::string name() const { return is_item_ ? "__operators__.getitem" : std::string(row_->name); }

  Json call(const Json& node) const {
    const Json::Array& args = node.at("args").as_array();
    const Json::Object& given = node.at("kwargs").as_object();
    const std::vector<std::string> names = operands();
    if (args.empty() || args.size() > names.size() + 1) throw Unsupported("one of its calls has arguments by place");
    Json::Object keywords;
    for (std::size_t i = 1; i < args.size(); ++i)
      keywords.set(names[i - 1], is_item_ ? item_spec(args[i]) : argument_in_keras_2(args[i], inner_));
    for (const auto& [name, value] : given) {
      if (value.is_null()) continue;
      if (std::ranges::find(names, name) == names.end()) throw Unsupported("one of its calls is given " + name);
      keywords.set(name, argument_in_keras_2(value, inner_));
    }
    const std::string dtype = common_dtype(node);
    if (!is_item_) add_settings(keywords, rank_of(args[0]));
    for (auto& [name, value] : keywords)
      if (std::ranges::find(names, name) != names.end()) value = constant(value, dtype, false);
    keywords.set("name", nullptr);
    return placed(is_keras_tensor(args[0]) ? args[0] : constant(args[0], dtype, true), keywords);
  }

 private:
  std::vector<std::string> operands() const {
    if (is_item_) return {"slice_spec"};
    std::vector<std::string> names;
    for (const TensorFlowOperand& operand : row_->operand_list()) names.push_back(operand.name);
    return names;
  }

  // Keras computes with tensors of different types, TensorFlow does not.
  std::string common_dtype(const Json& node) const {
    std::vector<const Json*> tensors;
    add_tensors(node.at("args"), tensors);
    for (const auto& [name, value] : node.at("kwargs").as_object()) add_tensors(value, tensors);
    std::string dtype;
    for (const Json* tensor : tensors) {
      const std::string& own = tensor->at("dtype").as_string();
      if (!dtype.empty() && dtype != own) throw Unsupported("it takes tensors of " + dtype + " and of " + own);
      dtype = own;
    }
    const bool is_logical = !is_item_ && row_->name.starts_with("math.logical_");
    const std::string_view class_name = is_item_ ? "GetItem" : row_->class_name;
    const bool takes_all = std::ranges::find(kOfIntegers, class_name) != kOfIntegers.end();
    if (is_logical ? dtype != "bool" : !is_float_type(dtype) && !takes_all)
      throw Unsupported("it is of tensors of " + dtype + ", of which TensorFlow's function gives something else");
    return dtype;
  }

  // A number behind a tensor is of its type; one before it is of its own, an int32 where it is whole.
  static Json constant(const Json& value, const std::string& dtype, bool is_first) {
    if (!value.is_number()) return value;
    if (is_float_type(dtype)) return value.as_float();
    if (value.is_float() || (is_first && dtype != "int32"))
      throw Unsupported("it takes " + quoted(value) + " beside tensors of " + dtype);
    return value;
  }

  static std::size_t rank_of(const Json& tensor) {
    const Json* shape = is_keras_tensor(tensor) ? tensor.at("config").find("shape") : nullptr;
    return shape && shape->is_array() ? shape->as_array().size() : 0;
  }

  // What means another thing, or fails, in TensorFlow.
  void check(const std::string& setting, const Json& value, std::size_t rank) const {
    const bool is_split = row_->class_name == "Split" && setting == "indices_or_sections" && !value.is_integer();
    const bool is_tiled = setting == "repeats" && (!value.is_array() || value.as_array().size() != rank);
    if (is_split || is_tiled)
      throw Unsupported("its " + setting + " is " + quoted(value) + ", which TensorFlow's function has not");
  }

  // What Keras 3 says in the operation's configuration, and TensorFlow in the call.
  void add_settings(Json::Object& keywords, std::size_t rank) const {
    Json::Object rest = config_;
    rest.erase("name");
    for (const TensorFlowSetting& setting : row_->setting_list()) {
      const Json* value = rest.find(setting.ours);
      const bool is_default = !value || (setting.absent && same_value(*value, *setting.absent));
      const bool is_lost = setting.theirs.empty() || (value && value->is_null());
      if (is_lost && !is_default)
        throw Unsupported("its " + setting.ours + " is " + quoted(*value) + ", which TensorFlow's function has not");
      if (value) check(setting.ours, *value, rank);
      if (value && !is_default) keywords.set(setting.theirs, *value);
      rest.erase(setting.ours);
    }
    for (const auto& [key, value] : rest)
      if (key != "trainable" && key != "dtype" && !value.is_null())
        throw Unsupported("its " + key + " is " + quoted(value) + ", which TensorFlow's function has not");
  }

  // A constant in first place has one of its own; a list of tensors is the first argument of few.
  Json placed(const Json& first, const Json::Object& keywords) const {
    const bool is_list =
        first.is_array() && !first.as_array().empty() && std::ranges::all_of(first.as_array(), is_keras_tensor);
    const auto one = [&](const Json& value) -> Json {
      Json::Array place = is_keras_tensor(value) ? argument_in_keras_2(value, inner_).as_array()
                                                 : Json::Array{"_CONSTANT_VALUE", -1, value};
      place.emplace_back(keywords);
      return place;
    };
    if (!is_list) return one(first);
    Json::Array places;
    for (const Json& tensor : first.as_array()) places.push_back(one(tensor));
    return places;
  }

  const Json::Object& config_;
  const InnerModels& inner_;
  bool is_item_;
  const TensorFlowFunction* row_ = nullptr;
};

}  // namespace

Json operation_in_keras_2(const Json& entry, const InnerModels& inner) {
  const Function function(entry, inner);
  Json::Array calls;
  for (const Json& node : entry.at("inbound_nodes").as_array()) calls.push_back(function.call(node));
  const Json& name = entry.at("config").at("name");
  Json::Object config{{"name", name}, {"trainable", true}, {"dtype", "float32"}, {"function", function.name()}};
  return Json::Object{{"class_name", function.name() == "__operators__.getitem" ? "SlicingOpLambda" : "TFOpLambda"},
                      {"config", std::move(config)},
                      {"name", name},
                      {"inbound_nodes", std::move(calls)}};
}

}  // namespace h5bridge
