#include "keras/to_keras_2/operations.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/error.h"
#include "keras/dialects/tensorflow_functions.h"
#include "model/quoted.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

// Operations whose TensorFlow function gives of integers what Keras gives.
constexpr auto kOfIntegers = std::to_array<std::string_view>(
    {"Absolute",     "Add",        "Amax",         "Amin",       "Argmax",      "Argmin",      "Argsort", "BitwiseAnd",
     "BitwiseOr",    "BitwiseXor", "Cast",         "Clip",       "Concatenate", "Copy",        "Cumsum",  "Diagonal",
     "Equal",        "Fmod",       "SearchSorted", "ExpandDims", "Flip",        "FloorDivide", "GetItem", "Greater",
     "GreaterEqual", "Less",       "LessEqual",    "Max",        "Maximum",     "Min",         "Minimum", "Mod",
     "Multiply",     "Negative",   "NotEqual",     "OneHot",     "OnesLike",    "Pad",         "Prod",    "Repeat",
     "Reshape",      "Roll",       "Sort",         "Sign",       "Split",       "Square",      "Squeeze", "Stack",
     "Subtract",     "Sum",        "Take",         "Tile",       "Transpose",   "Tril",        "Triu",    "Unstack",
     "Where",        "ZerosLike"});
// Those of truth values, and of nothing else.
constexpr auto kOfBooleans =
    std::to_array<std::string_view>({"All", "Any", "LogicalAnd", "LogicalNot", "LogicalOr", "LogicalXor"});
constexpr std::string_view kWhere = "Where";  // of a condition, which comes before what is alike

// "bhqd,bhkd->bhqk" with letters as they come: "abcd,abed->abce".
std::string in_order(const std::string& subscripts) {
  std::string known, result;
  for (const char letter : subscripts) {
    const bool is_letter = std::isalpha(static_cast<unsigned char>(letter)) != 0;
    if (is_letter && known.find(letter) == std::string::npos) known += letter;
    if (letter != ' ') result += is_letter ? static_cast<char>('a' + known.find(letter)) : letter;
  }
  return result;
}

// Whether a row says nothing of the operation that is not so.
bool fits(const TensorFlowFunction& row, const Json::Object& config) {
  return std::ranges::all_of(row.setting_list(), [&](const TensorFlowSetting& setting) {
    const Json* value = setting.theirs.empty() ? config.find(setting.ours) : nullptr;
    return !value || same_value(*value, *setting.absent);
  });
}

// Operators of Python's are not all there by a name.
const TensorFlowFunction& function_of(const std::string& module, const std::string& class_name,
                                      const Json::Object& config) {
  const TensorFlowFunction* found = nullptr;
  const auto is_better = [&](const TensorFlowFunction& row) {
    return !found || (fits(row, config) && (!fits(*found, config) || found->name.starts_with("__")));
  };
  for (const TensorFlowFunction& row : tensorflow_functions()) {
    const bool is_it = row.class_name == class_name && module.ends_with("." + std::string(row.module));
    if (is_it && is_better(row)) found = &row;
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

// {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}
const Json::Object* array_of(const Json& value) {
  const Json* class_name = value.is_object() ? value.find("class_name") : nullptr;
  return class_name && *class_name == Json("__numpy__") ? &value.at("config").as_object() : nullptr;
}

Json floats_of(const Json& value) {
  if (!value.is_array()) return value.as_float();
  Json::Array floats;
  for (const Json& one : value.as_array()) floats.push_back(floats_of(one));
  return floats;
}

bool are_exact(const Json& value) {
  constexpr std::int64_t kMost = std::int64_t{1} << 24;  // of float32
  if (value.is_array()) return std::ranges::all_of(value.as_array(), are_exact);
  return value.is_float() || (value.is_integer() && std::abs(value.as_integer()) <= kMost);
}

// An array of float32, or of whole numbers, which Keras computes with as such, beside tensors of it.
std::optional<Json> as_floats(const Json::Object& array, const std::string& dtype) {
  const std::string& own = array.at("dtype").as_string();
  const bool is_of_integers = own.starts_with("int") || own.starts_with("uint");
  if (dtype != "float32" || (own != dtype && !is_of_integers)) return std::nullopt;
  return are_exact(array.at("value")) ? std::optional(floats_of(array.at("value"))) : std::nullopt;
}

// -1 of -1.0.
std::optional<std::int64_t> whole_number(const Json& value) {
  constexpr double kMost = 2147483648.0;
  const double number = value.as_float();
  if (std::floor(number) != number || std::abs(number) >= kMost) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::size_t rank_of(const Json& tensor) {
  const Json* shape = is_keras_tensor(tensor) ? tensor.at("config").find("shape") : nullptr;
  return shape && shape->is_array() ? shape->as_array().size() : 0;
}

// TensorFlow stacks a tensor that is alone along its own first axis.
std::string_view class_instead(const std::string& class_name, const Json& entry) {
  for (const Json& node : entry.at("inbound_nodes").as_array()) {
    const Json::Array& args = node.at("args").as_array();
    if (args.empty()) continue;
    if (class_name == "Stack" && args[0].is_array() && args[0].as_array().size() == 1) return "ExpandDims";
  }
  return "";
}

// "VALID"; TensorFlow knows no other case of it.
Json upper_case(const Json& word) {
  std::string text = word.as_string();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

class Function {
 public:
  Function(const Json& entry, const InnerModels& inner)
      : config_(entry.at("config").as_object()),
        inner_(inner),
        class_name_(entry.at("class_name").as_string()),
        is_item_(class_name_ == "GetItem") {
    if (const std::string_view other = class_instead(class_name_, entry); !other.empty()) class_name_ = other;
    if (const Json* subscripts = config_.find("subscripts"); subscripts && subscripts->is_string())
      config_.set("subscripts", in_order(subscripts->as_string()));
    if (!is_item_) row_ = &function_of(entry.at("module").as_string(), class_name_, config_);
  }

  std::string name() const { return is_item_ ? "__operators__.getitem" : std::string(row_->name); }

  Json call(const Json& node) const {
    const Json::Array& args = node.at("args").as_array();
    const Json::Object& given = node.at("kwargs").as_object();
    const std::vector<TensorFlowOperand> operands = this->operands();
    if (args.empty() || args.size() > operands.size() + 1) throw Unsupported("one of its calls has arguments by place");
    check_ranks(args);
    const std::string dtype = common_dtype(node);
    Json::Object keywords;
    for (std::size_t i = 1; i < args.size(); ++i) add_operand(keywords, operands[i - 1], args[i], dtype, args[0]);
    for (const auto& [name, value] : given) {
      if (value.is_null()) continue;
      const auto operand = std::ranges::find(operands, name, &TensorFlowOperand::ours);
      if (operand == operands.end()) throw Unsupported("one of its calls is given " + name);
      add_operand(keywords, *operand, value, dtype, args[0]);
    }
    if (!is_item_) add_settings(keywords, args[0]);
    keywords.set("name", nullptr);
    const Json& first = is_list_of_one(args[0]) ? args[0].as_array()[0] : args[0];
    return placed(is_keras_tensor(first) ? first : constant(first, dtype, true), keywords);
  }

 private:
  bool is_list_of_one(const Json& first) const {
    return class_name_ == "ExpandDims" && first.is_array() && first.as_array().size() == 1;
  }

  std::vector<TensorFlowOperand> operands() const {
    if (is_item_) return {{"slice_spec", "key", false, true}};
    return row_->operand_list();
  }

  void add_operand(Json::Object& keywords, const TensorFlowOperand& operand, const Json& value,
                   const std::string& dtype, const Json& first) const {
    const auto own = [&]() -> Json {
      if (is_item_) return item_spec(value);
      if (class_name_ == "Take") return places_in(value, first);
      if (class_name_ == kWhere && value.is_number() && dtype != "float32" && dtype != "int32")
        throw Unsupported("it chooses " + quoted(value) + " beside tensors of " + dtype);
      return constant(argument_in_keras_2(value, inner_), dtype, false);
    };
    keywords.set(operand.name, own());
  }

  // Places from the end are Keras's.
  Json places_in(const Json& value, const Json& first) const {
    if (is_keras_tensor(value)) return argument_in_keras_2(value, inner_);
    if (const Json::Object* array = array_of(value)) return places_in(array->at("value"), first);
    if (value.is_array()) {
      Json::Array places;
      for (const Json& one : value.as_array()) places.push_back(places_in(one, first));
      return places;
    }
    if (!value.is_integer()) throw Unsupported("it takes " + quoted(value) + ", which is no place");
    if (value.as_integer() >= 0) return value;
    const std::optional<std::int64_t> extent = extent_of(first, config_.at("axis"));
    if (!extent) throw Unsupported("it takes " + quoted(value) + ", a place from the end of an axis of no fixed size");
    return value.as_integer() + *extent;
  }

  static std::optional<std::int64_t> extent_of(const Json& tensor, const Json& axis) {
    const auto rank = static_cast<std::int64_t>(rank_of(tensor));
    if (!axis.is_integer() || axis.as_integer() >= rank || axis.as_integer() < -rank) return std::nullopt;
    const std::int64_t place = axis.as_integer() + (axis.as_integer() < 0 ? rank : 0);
    const Json& extent = tensor.at("config").at("shape").as_array()[static_cast<std::size_t>(place)];
    return extent.is_integer() ? std::optional(extent.as_integer()) : std::nullopt;
  }

  // What is computed with one another has one type; Keras computes with tensors of several, TensorFlow does not.
  std::vector<const Json*> alike(const Json& node) const {
    const Json::Array& args = node.at("args").as_array();
    const std::vector<TensorFlowOperand> operands = this->operands();
    std::vector<const Json*> tensors;
    if (class_name_ != kWhere) add_tensors(args[0], tensors);
    for (std::size_t i = 1; i < args.size(); ++i)
      if (!operands[i - 1].has_own_type) add_tensors(args[i], tensors);
    for (const auto& [name, value] : node.at("kwargs").as_object()) {
      const auto operand = std::ranges::find(operands, name, &TensorFlowOperand::ours);
      if (operand == operands.end() || !operand->has_own_type) add_tensors(value, tensors);
    }
    return tensors;
  }

  std::string common_dtype(const Json& node) const {
    const Json& condition = node.at("args").as_array()[0];
    const bool is_true_or_not = is_keras_tensor(condition) && condition.at("config").at("dtype") == Json("bool");
    if (class_name_ == kWhere && !is_true_or_not) throw Unsupported("its condition is no tensor of bool");
    std::string dtype;
    for (const Json* tensor : alike(node)) {
      const std::string& own = tensor->at("dtype").as_string();
      if (!dtype.empty() && dtype != own) throw Unsupported("it takes tensors of " + dtype + " and of " + own);
      dtype = own;
    }
    if (dtype.empty() && class_name_ == kWhere) return "float32";
    const bool takes_all = std::ranges::find(kOfIntegers, class_name_) != kOfIntegers.end();
    const bool is_logical = std::ranges::find(kOfBooleans, class_name_) != kOfBooleans.end();
    if (is_logical ? dtype != "bool" : !is_float_type(dtype) && !takes_all)
      throw Unsupported("it is of tensors of " + dtype + ", of which TensorFlow's function gives something else");
    return dtype;
  }

  // A number behind a tensor is of its type; one before it is of its own, an int32 where it is whole.
  static Json constant(const Json& value, const std::string& dtype, bool is_first) {
    if (const Json::Object* array = array_of(value)) {
      if (const std::optional<Json> floats = as_floats(*array, dtype)) return *floats;
      if (array->at("dtype") != Json(dtype) || (is_first && dtype != "int32"))
        throw Unsupported("it takes an array of " + quoted(array->at("dtype")) + " beside tensors of " + dtype);
      return array->at("value");
    }
    if (!value.is_number()) return value;
    if (is_float_type(dtype)) return value.as_float();
    if (const std::optional<std::int64_t> whole = whole_number(value); whole && !is_first) return *whole;
    if (value.is_float() || (is_first && dtype != "int32"))
      throw Unsupported("it takes " + quoted(value) + " beside tensors of " + dtype);
    return value;
  }

  void check_ranks(const Json::Array& args) const {
    if (class_name_ != "Matmul" || row_->name != "linalg.matmul") return;
    for (const Json& one : args)
      if (is_keras_tensor(one) && rank_of(one) < 2) throw Unsupported("it multiplies a vector");
  }

  // What means another thing, or fails, in TensorFlow.
  void check(const std::string& setting, const Json& value, std::size_t rank) const {
    const bool is_tiled =
        setting == "repeats" && class_name_ == "Tile" && (!value.is_array() || value.as_array().size() != rank);
    const bool is_one_axis = class_name_ == "ExpandDims" && !value.is_integer();
    if (is_tiled || is_one_axis)
      throw Unsupported("its " + setting + " is " + quoted(value) + ", which TensorFlow's function has not");
  }

  // Keras splits at these places, TensorFlow into parts of these sizes.
  Json sizes_of(const Json& places, const Json& first) const {
    const Json* axis = config_.find("axis");
    const std::optional<std::int64_t> extent = extent_of(first, axis ? *axis : Json(0));
    Json::Array sizes;
    std::int64_t last = 0;
    const auto add = [&](std::int64_t place) {
      if (place < last) throw Unsupported("it splits at " + quoted(places) + ", where TensorFlow has only sizes");
      sizes.emplace_back(place - std::exchange(last, place));
    };
    for (const Json& place : places.as_array()) add(place.as_integer());
    if (!extent) throw Unsupported("it splits an axis of no fixed size at " + quoted(places));
    add(*extent);
    return sizes;
  }

  Json setting_of(const TensorFlowSetting& setting, const Json& value, const Json& first) const {
    check(setting.ours, value, rank_of(first));
    if (class_name_ == "Split" && value.is_array()) return sizes_of(value, first);
    if (setting.is_list && !value.is_array()) return Json::Array{value};
    if (setting.ours == "padding") return upper_case(value);
    return value;
  }

  // What Keras 3 says in the operation's configuration, and TensorFlow in the call.
  void add_settings(Json::Object& keywords, const Json& first) const {
    Json::Object rest = config_;
    rest.erase("name");
    for (const TensorFlowSetting& setting : row_->setting_list()) {
      if (setting.is_fixed()) {
        keywords.set(setting.theirs, *setting.absent);
        continue;
      }
      const Json* value = rest.find(setting.ours);
      const bool is_default = !value || (setting.absent && same_value(*value, *setting.absent));
      const bool is_lost = setting.theirs.empty() || (value && value->is_null());
      if (is_lost && !is_default)
        throw Unsupported("its " + setting.ours + " is " + quoted(*value) + ", which TensorFlow's function has not");
      if (value && !is_default) keywords.set(setting.theirs, setting_of(setting, *value, first));
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

  Json::Object config_;
  const InnerModels& inner_;
  std::string class_name_;
  bool is_item_;
  const TensorFlowFunction* row_ = nullptr;
};

}  // namespace

bool has_function(const Json& entry) {
  Json::Object config = entry.at("config").as_object();
  const std::string& class_name = entry.at("class_name").as_string();
  if (const Json* subscripts = config.find("subscripts"); subscripts && subscripts->is_string())
    config.set("subscripts", in_order(subscripts->as_string()));
  return class_name == "GetItem" || std::ranges::any_of(tensorflow_functions(), [&](const TensorFlowFunction& row) {
           return row.class_name == class_name && fits(row, config);
         });
}

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
