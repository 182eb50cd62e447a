#include "keras/read_layer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/call.h"
#include "keras/constants.h"
#include "keras/expand.h"
#include "keras/shared_uses.h"
#include "keras/spelling.h"
#include "keras/wrappers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// What is wrong with the number of a call's inputs; empty if it fits.
std::string wrong_count(const BoundCall& arguments, const KerasMapping& mapping) {
  const std::vector<Operand>& operands = Registry::instance().find(mapping.type)->operands;
  if (operands.empty() && arguments.inputs.size() == 1) return {};  // in Keras all layers have one
  return h5bridge::wrong_count(operands, arguments.inputs.size());
}

Json::Object config_with_constants(const LayerCall& call, const BoundCall& arguments) {
  Json::Object config = call.layer.config;
  for (const auto& [name, constant] : arguments.constants) config.set(name, constant);
  return config;
}

// Arguments that say nothing come back where they stand in every call of the layer that says nothing else by them.
void keep_silent_arguments(const KerasMapping& mapping, const LayerCall& call, Layer& layer) {
  for (const auto& [name, argument] : call.call.keywords) {
    const Json* constant = argument.constant();
    if (!constant || !mapping.says_nothing(name, *constant)) continue;
    const bool is_in_all = std::ranges::all_of(call.layer.calls, [&](const KerasCall& other) {
      const auto given = std::ranges::find(other.keywords, name, &std::pair<std::string, KerasArgument>::first);
      if (given == other.keywords.end()) return false;
      const Json* value = given->second.constant();
      return !value || *value == *constant || !mapping.says_nothing(name, *value);
    });
    if (is_in_all) layer.keras.silent_arguments.set(name, *constant);
  }
}

std::optional<ReadLayer> read_as(const KerasMapping& mapping, const LayerCall& call, const BoundCall& arguments,
                                 const LiftedGraph& graph) {
  const std::vector<SymbolicShape> shapes = graph.shapes_of(arguments.inputs);
  const Json::Object config = config_with_constants(call, arguments);
  std::optional<Layer> layer = layer_from_config(mapping, config, shapes);
  if (!layer) return std::nullopt;
  layer->name = call.layer.name;
  keep_silent_arguments(mapping, call, *layer);
  keep_spelling(mapping, *layer, config, shapes,
                Registry::instance().type_of(*layer).shapes(layer->attributes, shapes));
  keep_trainable(mapping, *layer, config, shapes);
  const auto all = Registry::instance().keras_of(layer->type);
  const auto preferred = std::ranges::find_if(
      all, [&](const KerasMapping* candidate) { return candidate->fits(layer->attributes, shapes); });
  if (preferred == all.end() || *preferred != &mapping) {
    layer->keras.class_name = mapping.class_name;
    if (mapping.is_operation()) layer->keras.module = mapping.module;
    layer->keras.unfit = !mapping.fits(layer->attributes, shapes);
    if (!mapping.variant.empty()) layer->keras.variant = mapping.variant;
  }
  return ReadLayer{*std::move(layer), &mapping, arguments.constants};
}

}  // namespace

std::vector<const KerasMapping*> mappings_of(const KerasLayer& layer) {
  auto mappings = Registry::instance().keras_class(layer.class_name);
  const auto is_in = [&](const char* package) { return layer.module.starts_with(package); };
  const bool is_operation = is_in("keras.src.ops") || is_in("keras.ops") || is_in("keras.src.activations");
  if (is_operation || is_in("keras.layers"))
    std::erase_if(mappings, [&](const KerasMapping* mapping) { return mapping->is_operation() != is_operation; });
  return mappings;
}

bool is_port_of_model(const KerasLayer& layer) {
  return std::ranges::any_of(std::array{"InputLayer", kPassedOn, kWrapperInput, kWrapperResult, kWrapperTyped},
                             [&](const char* port) { return layer.class_name == port; });
}

bool may_be_operation(const KerasLayer& layer) {
  const auto mappings = mappings_of(layer);
  return !layer.find("trainable") && !is_port_of_model(layer) &&
         (mappings.empty() || std::ranges::any_of(mappings, &KerasMapping::is_operation));
}

ReadLayer read_layer(const LayerCall& call, const LiftedGraph& graph) {
  const auto mappings = mappings_of(call.layer);
  if (mappings.empty()) {
    const std::string why = why_not_shared(call.layer);
    throw Unsupported(why.empty() ? "there is no layer type for it" : why);
  }
  std::string refusal;
  std::string misfit;
  bool takes_inputs = false;
  for (const KerasMapping* mapping : mappings) {
    try {
      const BoundCall arguments = bound(call.call, *mapping);
      if (const std::string wrong = wrong_count(arguments, *mapping); !wrong.empty()) {
        misfit = wrong;
        continue;
      }
      takes_inputs = true;
      if (auto read = read_as(*mapping, call, arguments, graph)) return *std::move(read);
    } catch (const Unsupported& error) {
      refusal = error.what();
    }
  }
  if (!refusal.empty()) throw Unsupported(refusal);
  const auto is_number = [](const KerasArgument& argument) {
    return argument.constant() && number_layer(*argument.constant());
  };
  if (!takes_inputs && std::ranges::any_of(call.call.arguments, is_number))
    throw Unsupported(misfit + ", and a number among its arguments has no layer type");
  // An operation may take more than is known of it; and a .h5 does not say whether it is one.
  const bool is_maybe_operation =
      !call.layer.find("trainable") || std::ranges::any_of(mappings, &KerasMapping::is_operation);
  if (!takes_inputs && is_maybe_operation) throw Unsupported(misfit + ", in what is known of it");
  if (!takes_inputs) throw MalformedFile(misfit);
  throw Unsupported("its configuration " + quoted(Json(call.layer.config)) + " has no layer type yet");
}

Attributes attributes_of_further(const LayerCall& call, const ReadLayer& read, const Layer& layer,
                                 const LiftedGraph& graph) {
  const KerasMapping& mapping = *read.mapping;
  const BoundCall arguments = bound(call.call, mapping);
  if (const std::string wrong = wrong_count(arguments, mapping); !wrong.empty()) throw MalformedFile(wrong);
  const std::string which = "its call number " + std::to_string(call.number + 1);
  const LayerType& type = Registry::instance().type_of(layer);
  const auto is_of_call = [&](const std::string& parameter) {
    const auto row = std::ranges::find(mapping.attributes, parameter, &Correspondence::keras);
    return row != mapping.attributes.end() && type.find_attribute(row->attribute)->of_call;
  };
  const Json::Object& first = read.constants;
  for (const auto* constants : {&first, &arguments.constants})
    for (const auto& [name, constant] : *constants) {
      const Json* firsts = first.find(name);
      const Json* own = arguments.constants.find(name);
      if ((firsts && own && *firsts == *own) || is_of_call(name)) continue;
      throw Unsupported(which + " has " + name + "=" + (own ? quoted(*own) : "None") + ", its first has " + name + "=" +
                        (firsts ? quoted(*firsts) : "None") + ", and calls that differ are not known yet");
    }
  const std::vector<SymbolicShape> shapes = graph.shapes_of(arguments.inputs);
  type.shapes(layer.attributes, shapes);
  const auto again = layer_from_config(mapping, config_with_constants(call, arguments), shapes);
  Node node;
  for (const AttributeSpec& spec : type.attributes)
    if (again && spec.of_call && again->attributes.at(spec.name) != layer.attributes.at(spec.name))
      node.attributes.set(spec.name, again->attributes.at(spec.name));
  if (!again || again->attributes != as_called(layer, node).attributes)
    throw Unsupported(which + " has an input of another shape than its first, which makes another layer of it");
  return node.attributes;
}

}  // namespace h5bridge
