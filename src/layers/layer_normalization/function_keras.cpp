#include <limits>
#include <set>

#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "facets/keras/not_of_integers.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/layer_normalization/function.h"

namespace h5bridge::layer_normalization {
namespace {

using Argument = KerasEmitter::Argument;

// The axes, from the first to the last of the input.
SymbolicShape last_sizes(const Json& axis, const SymbolicShape& input) {
  const auto rank = static_cast<std::int64_t>(input.size());
  std::set<std::int64_t> axes;
  for (const Json& each : axis.is_array() ? axis.as_array() : Json::Array{axis})
    axes.insert(resolve_axis(each.as_integer(), rank));
  if (axes.empty()) throw MalformedFile("its axis is an empty list");
  if (*axes.begin() != rank - static_cast<std::int64_t>(axes.size()))
    throw Unsupported("with a scale of its own, axes that are not the last ones have no layer type");
  return SymbolicShape(input.begin() + *axes.begin(), input.end());
}

// What is None is the machine epsilon in PyTorch, and 1e-7 in Keras, its epsilon().
Spelling epsilon() {
  return {[](const AttributeValue& value) {
            const auto* number = std::get_if<double>(&value);
            return Json(number ? *number : static_cast<double>(std::numeric_limits<float>::epsilon()));
          },
          [](const Json& json) { return AttributeValue(json.is_null() ? 1e-7 : json.as_float()); }};
}

// The operation of keras.ops takes the operands in the same order, None for those that are left out. With x alone
// `is_layer` is read as a layer without a weight.
KerasMapping function(const Functional& row, const std::string& class_name, const std::vector<std::string>& call,
                      bool is_layer) {
  KerasMapping mapping = operation(row.name, class_name, {{"eps", "epsilon", epsilon(), 1e-7}}, call, kNN);
  mapping.of_integers = not_of_integers;
  mapping.accepts = [is_layer](const std::vector<SymbolicShape>& inputs) { return !is_layer || inputs.size() > 1; };
  mapping.lower = [row, class_name](const Attributes& a, Json::Object config,
                                    KerasEmitter& emitter) -> KerasEmitter::Results {
    const auto count = static_cast<std::int64_t>(a.sizes("normalized_shape").size());
    const auto rank = static_cast<std::int64_t>(emitter.output_shape().size());
    Json::Array axes;
    for (std::int64_t axis = rank - count; axis < rank; ++axis) axes.push_back(axis);
    std::vector<Argument> arguments{emitter.input(0)};
    for (const std::string& name : row.operands) {
      const auto given = operand(emitter, row, name);
      arguments.push_back(given ? Argument(*given) : Argument(Json()));
    }
    return Composition(emitter).last(class_name, std::move(arguments),
                                     {{"axis", std::move(axes)}, {"epsilon", config.at("epsilon")}}, kNN);
  };
  mapping.lift = [call](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    if (const Json* scaling = config.find("rms_scaling"); scaling && *scaling == Json(true))
      throw Unsupported("its rms_scaling is on, and with a gamma or a beta of its own that has no layer type");
    for (std::size_t i = 1; i < call.size(); ++i)
      if (const Json* given = config.find(call[i])) {
        if (!given->is_null()) throw Unsupported("its " + call[i] + " is a number");
        if (i < inputs.size()) throw Unsupported("it has no " + call[i] + ", and what comes behind that");
        config.erase(call[i]);
      }
    const Json* axis = config.find("axis");
    attributes.set("normalized_shape", last_sizes(axis ? *axis : Json(-1), inputs.at(0)));
    for (const char* key : {"axis", "rms_scaling"}) config.erase(key);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> function_mappings() {
  return {function(layer_norm_function(), "LayerNorm", {"x", "gamma", "beta"}, false),
          function(rms_norm_function(), "RMSNorm", {"x", "scale"}, true)};
}

}  // namespace h5bridge::layer_normalization
