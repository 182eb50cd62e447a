#include "facets/spec/layer_type.h"

#include <algorithm>

#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/model_itself.h"
#include "model/open_integer.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

AttributeValue read_value(const AttributeSpec& spec, const Json& json) { return spec.kind->read(json); }

AttributeValue checked_value(const AttributeSpec& spec, const AttributeValue& value) {
  return spec.kind->complete(value);
}

// What hangs on an integer that is open is checked where it is a number.
template <typename Check>
void as_far_as_known(Check&& check) {
  try {
    check();
  } catch (const OpenInteger&) {
  }
}

[[noreturn]] void refuse_attribute(const LayerType& type, const std::string& name) {
  std::vector<std::string> known;
  for (const AttributeSpec& spec : type.attributes) known.push_back(spec.name);
  throw MalformedFile(type.name + " has no attribute \"" + shortened(name) + "\"" + did_you_mean(name, known));
}

// All that `type` declares, of `given` pairs of names and values or by default.
template <typename Given, typename Read>
Attributes completed(const LayerType& type, const Given& given, Read&& read) {
  for (const auto& [name, value] : given)
    if (!type.find_attribute(name)) refuse_attribute(type, name);
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
  as_far_as_known([&] {
    type.settle(result);
    type.check(result);
  });
  return result;
}

// What `given` sets in place of the layer's.
template <typename Given, typename Read>
Attributes called(const LayerType& type, const Given& given, const Attributes& of_layer, Read&& read) {
  Attributes result;
  Attributes all = of_layer;
  for (const auto& [name, value] : given) {
    const AttributeSpec* spec = type.find_attribute(name);
    if (!spec) refuse_attribute(type, name);
    if (!spec->of_call)
      throw MalformedFile("attribute \"" + spec->name + "\" of " + type.name + " is the layer's, and no call's");
    const AttributeValue own = in_file("attribute \"" + spec->name + "\"", [&] { return read(*spec, value); });
    all.set(spec->name, own);
    if (own != of_layer.at(spec->name)) result.set(spec->name, own);
  }
  as_far_as_known([&] { type.check(all); });
  return result;
}

}  // namespace

Attributes attributes_from_json(const LayerType& type, const Json::Object& json, const std::string& where) {
  return in_file(where, [&] { return completed(type, json, read_value); });
}

Attributes complete_attributes(const LayerType& type, const Attributes& given, const std::string& where) {
  try {
    Attributes all = in_file(where, [&] { return completed(type, given, checked_value); });
    return all == given ? given : all;    // which shares its values
  } catch (const MalformedFile& error) {  // of no file: a program made it
    throw UsageError(error.what());
  }
}

Attributes call_attributes_from_json(const LayerType& type, const Json::Object& json, const Attributes& of_layer,
                                     const std::string& where) {
  return in_file(where, [&] { return called(type, json, of_layer, read_value); });
}

Attributes complete_call_attributes(const LayerType& type, const Attributes& given, const Attributes& of_layer,
                                    const std::string& where) {
  try {
    return in_file(where, [&] { return called(type, given, of_layer, checked_value); });
  } catch (const MalformedFile& error) {  // of no file: a program made it
    throw UsageError(error.what());
  }
}

Attributes with_sizes(const LayerType& type, Attributes attributes, const std::map<std::string, std::int64_t>& sizes) {
  for (const auto& [name, value] : Attributes(attributes))
    if (const AttributeSpec* spec = type.find_attribute(name)) attributes.set(name, spec->kind->bind(value, sizes));
  return attributes;
}

std::vector<std::string> open_integers(const LayerType& type, const Attributes& attributes) {
  std::vector<std::string> result;
  for (const auto& [name, value] : attributes)
    if (const AttributeSpec* spec = type.find_attribute(name); spec && spec->kind->is_open(value))
      result.push_back(name);
  return result;
}

Json::Object attributes_to_json(const LayerType& type, const Attributes& attributes) {
  Json::Object result;
  for (const AttributeSpec& spec : type.attributes) {
    const AttributeValue& value = attributes.at(spec.name);
    if (!spec.fallback || value != *spec.fallback) result.set(spec.name, spec.kind->write(value));
  }
  return result;
}

std::string tensor_name(const std::string& layer, const std::string& parameter) {
  if (parameter.empty()) return layer;
  return is_model_itself(layer) ? parameter : layer + "." + parameter;
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
