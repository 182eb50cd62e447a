#include "facets/spec/layer_type.h"

#include <algorithm>
#include <array>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

bool is_allowed(const AttributeSpec& spec, const std::string& word) {
  return spec.choices.empty() || std::find(spec.choices.begin(), spec.choices.end(), word) != spec.choices.end();
}

const std::string& chosen_word(const AttributeSpec& spec, const Json& json) {
  const std::string& word = json.as_string();
  if (!is_allowed(spec, word))
    throw MalformedFile("is \"" + shortened(word) + "\", expected one of " + joined(spec.choices));
  return word;
}

// A list, or one element that stands for all, or for a list of one where any length will do.
template <typename T, typename Read>
std::vector<T> several_from(const AttributeSpec& spec, const Json& json, Read&& read) {
  if (!json.is_array()) return std::vector<T>(std::max<std::size_t>(spec.length, 1), read(json));
  std::vector<T> result;
  for (const Json& element : json.as_array()) result.push_back(read(element));
  if (spec.length && result.size() != spec.length)
    throw MalformedFile("has " + std::to_string(result.size()) + " elements, expected " + std::to_string(spec.length));
  return result;
}

std::vector<std::int64_t> integers_from(const AttributeSpec& spec, const Json& json) {
  return several_from<std::int64_t>(spec, json, [&](const Json& element) {
    return spec.nullable_elements && element.is_null() ? kNone : element.as_integer();
  });
}

Size size_from(const Json& json) { return json.is_string() ? Size::parse(json.as_string()) : Size(json.as_integer()); }

SymbolicShape sizes_from(const AttributeSpec& spec, const Json& json) {
  if (json.is_integer() || json.is_string()) return {size_from(json)};
  SymbolicShape result;
  for (const Json& element : json.as_array()) result.push_back(size_from(element));
  if (spec.length && result.size() != spec.length)
    throw MalformedFile("has " + std::to_string(result.size()) + " elements, expected " + std::to_string(spec.length));
  return result;
}

AttributeValue value_from(const AttributeSpec& spec, const Json& json) {
  if (json.is_null() && spec.nullable) return std::monostate{};
  switch (spec.kind) {
    case AttributeKind::Boolean: return json.as_bool();
    case AttributeKind::Integer: return json.as_integer();
    case AttributeKind::Number: return json.as_float();
    case AttributeKind::Scalar:
      return json.is_integer() ? AttributeValue(json.as_integer()) : AttributeValue(json.as_float());
    case AttributeKind::Text: return chosen_word(spec, json);
    case AttributeKind::Integers: return integers_from(spec, json);
    case AttributeKind::Numbers:
      return several_from<double>(spec, json, [](const Json& element) { return element.as_float(); });
    case AttributeKind::Padding:
      if (json.is_string()) return chosen_word(spec, json);
      return integers_from(spec, json);
    case AttributeKind::Sizes: return sizes_from(spec, json);
  }
  throw std::logic_error("unknown attribute kind");
}

Json size_to_json(const Size& size) {
  if (const auto value = size.value()) return *value;
  return size.str();
}

struct ToJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const std::vector<std::int64_t>& values) const {
    Json::Array result;
    for (const std::int64_t value : values) result.push_back(value == kNone ? Json() : Json(value));
    return result;
  }
  Json operator()(const std::vector<double>& values) const { return Json::array(values); }
  Json operator()(const SymbolicShape& sizes) const {
    Json::Array result;
    for (const Size& size : sizes) result.push_back(size_to_json(size));
    return result;
  }
  template <typename Scalar>
  Json operator()(const Scalar& value) const {
    return value;
  }
};

// What AttributeValue holds, in its order.
constexpr std::array<std::string_view, std::variant_size_v<AttributeValue>> kTypeNames{
    "None",         "bool", "std::int64_t", "double", "std::string", "std::vector<std::int64_t>", "std::vector<double>",
    "SymbolicShape"};

// What may stand in JSON may be set, as the type that JSON would have given.
AttributeValue of_declared_kind(const AttributeSpec& spec, const AttributeValue& value) {
  const Json json = attribute_to_json(value);
  const AttributeValue declared = value_from(spec, json);
  if (declared.index() != value.index())
    throw MalformedFile("is " + quoted(json) + " as a " + std::string(kTypeNames[value.index()]) + ", expected a " +
                        std::string(kTypeNames[declared.index()]));
  return value;
}

// All that `type` declares, of `given` pairs of names and values or by default.
template <typename Given, typename Read>
Attributes completed(const LayerType& type, const Given& given, Read&& read) {
  for (const auto& [name, value] : given)
    if (!type.find_attribute(name)) throw MalformedFile(type.name + " has no attribute \"" + shortened(name) + "\"");
  Attributes result;
  for (const AttributeSpec& spec : type.attributes) {
    const auto found =
        std::find_if(given.begin(), given.end(), [&](const auto& item) { return item.first == spec.name; });
    if (found != given.end())
      result.set(spec.name, in_file("attribute \"" + spec.name + "\"", [&] { return read(spec, found->second); }));
    else if (spec.fallback)
      result.set(spec.name, *spec.fallback);
    else
      throw MalformedFile(type.name + " needs the attribute \"" + spec.name + "\"");
  }
  type.check(result);
  return result;
}

AttributeSpec declare(std::string name, AttributeKind kind, std::string meaning,
                      std::optional<AttributeValue> fallback = {}) {
  return {.name = std::move(name), .kind = kind, .meaning = std::move(meaning), .fallback = std::move(fallback)};
}

}  // namespace

Attributes attributes_from_json(const LayerType& type, const Json::Object& json, const std::string& where) {
  return in_file(where, [&] { return completed(type, json, value_from); });
}

Attributes complete_attributes(const LayerType& type, const Attributes& given, const std::string& where) {
  try {
    return in_file(where, [&] { return completed(type, given, of_declared_kind); });
  } catch (const MalformedFile& error) {  // of no file: a program made it
    throw UsageError(error.what());
  }
}

Json::Object attributes_to_json(const LayerType& type, const Attributes& attributes) {
  Json::Object result;
  for (const AttributeSpec& spec : type.attributes) {
    const AttributeValue& value = attributes.at(spec.name);
    if (!spec.fallback || value != *spec.fallback) result.set(spec.name, std::visit(ToJson{}, value));
  }
  return result;
}

Json attribute_to_json(const AttributeValue& value) { return std::visit(ToJson{}, value); }

std::string tensor_name(const std::string& layer, const std::string& parameter) {
  return parameter.empty() ? layer : layer + "." + parameter;
}

std::vector<SymbolicShape> Sample::open_inputs() const {
  std::vector<SymbolicShape> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SymbolicShape shape(inputs[i].begin(), inputs[i].end());
    if (batch_axis(i) < shape.size()) shape[batch_axis(i)] = Size::symbol("batch");
    result.push_back(std::move(shape));
  }
  return result;
}

namespace {

TensorType type_of(const ParameterSpec& spec, std::optional<DType> floats) {
  return {is_floating_point(spec.dtype) ? floats.value_or(spec.dtype) : spec.dtype,
          {spec.shape.begin(), spec.shape.end()}};
}

}  // namespace

std::vector<TensorType> LayerType::outputs(const Attributes& settings, const std::vector<TensorType>& inputs,
                                           std::optional<DType> floats) const {
  std::vector<SymbolicShape> input_shapes;
  for (const TensorType& input : inputs) input_shapes.push_back(input.shape);
  std::vector<TensorType> tensors;
  for (const ParameterSpec& parameter : parameters(settings)) tensors.push_back(type_of(parameter, floats));
  const std::vector<DTypeRule> rules = dtypes.of(settings);
  std::vector<TensorType> result;
  for (SymbolicShape& shape : shapes(settings, input_shapes)) {
    const DTypeRule& rule = rules.at(std::min(result.size(), rules.size() - 1));
    result.push_back({dtype_by(rule, settings, inputs, tensors), std::move(shape)});
  }
  return result;
}

const AttributeSpec* LayerType::find_attribute(std::string_view attribute) const {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const AttributeSpec& spec) { return spec.name == attribute; });
  return found == attributes.end() ? nullptr : &*found;
}

Attributes LayerType::defaults() const {
  Attributes result;
  for (const AttributeSpec& spec : attributes)
    if (spec.fallback) result.set(spec.name, *spec.fallback);
  return result;
}

AttributeSpec required_integer(std::string name, std::string meaning) {
  return declare(std::move(name), AttributeKind::Integer, std::move(meaning));
}

AttributeSpec integer(std::string name, std::int64_t fallback, std::string meaning) {
  return declare(std::move(name), AttributeKind::Integer, std::move(meaning), fallback);
}

AttributeSpec boolean(std::string name, bool fallback, std::string meaning) {
  return declare(std::move(name), AttributeKind::Boolean, std::move(meaning), fallback);
}

AttributeSpec number(std::string name, double fallback, std::string meaning) {
  return declare(std::move(name), AttributeKind::Number, std::move(meaning), fallback);
}

AttributeSpec required_scalar(std::string name, std::string meaning) {
  return declare(std::move(name), AttributeKind::Scalar, std::move(meaning));
}

AttributeSpec scalar(std::string name, AttributeValue fallback, std::string meaning) {
  return declare(std::move(name), AttributeKind::Scalar, std::move(meaning), std::move(fallback));
}

AttributeSpec required_text(std::string name, std::string meaning) {
  return declare(std::move(name), AttributeKind::Text, std::move(meaning));
}

AttributeSpec text(std::string name, std::string fallback, std::vector<std::string> choices, std::string meaning) {
  AttributeSpec result = declare(std::move(name), AttributeKind::Text, std::move(meaning), std::move(fallback));
  result.choices = std::move(choices);
  return result;
}

AttributeSpec required_number(std::string name, std::string meaning) {
  return declare(std::move(name), AttributeKind::Number, std::move(meaning));
}

AttributeSpec required_tuple(std::string name, std::size_t length, std::string meaning) {
  AttributeSpec result = declare(std::move(name), AttributeKind::Integers, std::move(meaning));
  result.length = length;
  return result;
}

AttributeSpec tuple(std::string name, std::size_t length, std::int64_t fallback, std::string meaning) {
  AttributeSpec result = required_tuple(std::move(name), length, std::move(meaning));
  result.fallback = std::vector<std::int64_t>(length, fallback);
  return result;
}

AttributeSpec required_integers(std::string name, std::string meaning) {
  return declare(std::move(name), AttributeKind::Integers, std::move(meaning));
}

AttributeSpec required_numbers(std::string name, std::size_t length, std::string meaning) {
  AttributeSpec result = declare(std::move(name), AttributeKind::Numbers, std::move(meaning));
  result.length = length;
  return result;
}

AttributeSpec required_sizes(std::string name, std::string meaning) {
  return declare(std::move(name), AttributeKind::Sizes, std::move(meaning));
}

AttributeSpec required_size(std::string name, std::string meaning) {
  AttributeSpec result = required_sizes(std::move(name), std::move(meaning));
  result.length = 1;
  return result;
}

AttributeSpec or_none(AttributeSpec spec) {
  spec.nullable = true;
  spec.fallback = std::monostate{};
  return spec;
}

AttributeSpec of_elements_or_none(AttributeSpec spec) {
  spec.nullable_elements = true;
  return spec;
}

AttributeSpec padding_attribute(std::size_t length, std::vector<std::string> words, std::string meaning) {
  AttributeSpec result = tuple("padding", length, 0, std::move(meaning));
  result.kind = AttributeKind::Padding;
  result.choices = std::move(words);
  return result;
}

AttributeSpec deciding(Decides what, AttributeSpec spec) {
  spec.decides = what;
  return spec;
}

AttributeSpec data_format() {
  return deciding(Decides::Form, text("data_format", "channels_first", {"channels_first", "channels_last"},
                                      "where the channels stand; PyTorch has channels_first only"));
}

AttributeSpec fused_activation() {
  return text("activation", "linear", {},
              "a name in keras.activations, applied to the output; PyTorch has a layer of its own for it");
}

std::string describe(const Layer& layer) {
  return "layer \"" + shortened(layer.name) + "\" (" + shortened(layer.type) + ")";
}

std::int64_t channel_axis(const Attributes& attributes, std::int64_t rank) {
  return attributes.text("data_format") == "channels_last" ? rank - 1 : 1;
}

std::int64_t resolve_axis(std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank)
    throw MalformedFile("axis " + std::to_string(axis) + " is out of range for " + std::to_string(rank) + " axes");
  return axis < 0 ? axis + rank : axis;
}

}  // namespace h5bridge
