#include "passes/layer_difference.h"

#include "facets/registry.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

Certainty certainty_of(const LayerType& type, const AttributeSpec& spec) {
  if (type.is_identity || spec.decides == Decides::Training) return Certainty::InTraining;
  return spec.decides == Decides::Form ? Certainty::Possible : Certainty::Certain;
}

LayerDifference difference_of_types(const Layer& a, const Layer& b) {
  const LayerType& type_a = Registry::instance().type_of(a);
  const LayerType& type_b = Registry::instance().type_of(b);
  const bool in_one_group = !type_a.choice.group.empty() && type_a.choice.group == type_b.choice.group;
  const bool have_weights = !type_a.parameters(a.attributes).empty() && !type_b.parameters(b.attributes).empty();
  const bool is_certain = have_weights || (in_one_group && type_a.choice.which != type_b.choice.which);
  return {is_certain ? Certainty::Certain : Certainty::Possible, {}, a.type, b.type};
}

}  // namespace

Layer in_general(const Layer& layer) {
  std::optional<Layer> general = Registry::instance().type_of(layer).general(layer.attributes);
  if (!general) return layer;
  general->name = layer.name;
  general->keras = layer.keras;
  return *general;
}

std::optional<LayerDifference> layer_difference(const Layer& given_a, const Layer& given_b, std::size_t rank) {
  const Layer a = in_general(given_a);
  const Layer b = in_general(given_b);
  // Messages have the words of the files.
  if (a.type != b.type) {
    LayerDifference difference = difference_of_types(a, b);
    difference.a = given_a.type;
    difference.b = given_b.type;
    return difference;
  }
  const LayerType& type = Registry::instance().type_of(a);
  std::optional<LayerDifference> first;
  for (const AttributeSpec& spec : type.attributes) {
    const AttributeValue& value_a = a.attributes.at(spec.name);
    const AttributeValue& value_b = b.attributes.at(spec.name);
    if (spec.kind->agree(value_a, value_b, static_cast<std::int64_t>(rank))) continue;
    const Certainty certainty = certainty_of(type, spec);
    if (!first || certainty < first->certainty)
      first = {certainty, spec.name, quoted(spec.kind->write(value_a)), quoted(spec.kind->write(value_b))};
  }
  if (first && given_a.type != given_b.type) first = {first->certainty, {}, given_a.type, given_b.type};
  return first;
}

}  // namespace h5bridge
