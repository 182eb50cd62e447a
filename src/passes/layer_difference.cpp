#include "passes/layer_difference.h"

#include <algorithm>
#include <cmath>

#include "facets/registry.h"

namespace h5bridge {
namespace {

// Keras has written some settings that went through float32.
bool is_same(double a, double b) { return a == b || std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)); }

bool is_same(const Size& a, const Size& b) { return a.is_open() || b.is_open() || a == b; }

// An axis counted from the end is the one counted from the beginning.
bool is_same(std::int64_t a, std::int64_t b, std::int64_t rank) {
  return a == b || (a < 0 && b >= 0 && a + rank == b) || (b < 0 && a >= 0 && b + rank == a);
}

template <typename T, typename Same>
bool all_same(const std::vector<T>& a, const std::vector<T>& b, Same same) {
  return std::ranges::equal(a, b, same);
}

bool is_same(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) {
  if (a == b) return true;
  const auto as_number = [](const AttributeValue& value) -> std::optional<double> {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
    if (const auto* number = std::get_if<double>(&value)) return *number;
    return std::nullopt;
  };
  if (a.index() != b.index()) {
    const auto x = as_number(a), y = as_number(b);
    return x && y && is_same(*x, *y);
  }
  if (const auto* x = std::get_if<std::int64_t>(&a)) return is_same(*x, std::get<std::int64_t>(b), rank);
  if (const auto* x = std::get_if<double>(&a)) return is_same(*x, std::get<double>(b));
  if (const auto* x = std::get_if<std::vector<double>>(&a))
    return all_same(*x, std::get<std::vector<double>>(b), [](double p, double q) { return is_same(p, q); });
  if (const auto* x = std::get_if<std::vector<std::int64_t>>(&a))
    return all_same(*x, std::get<std::vector<std::int64_t>>(b),
                    [rank](std::int64_t p, std::int64_t q) { return is_same(p, q, rank); });
  if (const auto* x = std::get_if<SymbolicShape>(&a))
    return all_same(*x, std::get<SymbolicShape>(b), [](const Size& p, const Size& q) { return is_same(p, q); });
  return false;
}

std::string words_of(const AttributeValue& value) { return attribute_to_json(value).dump(); }

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
    if (is_same(value_a, value_b, static_cast<std::int64_t>(rank))) continue;
    const Certainty certainty = certainty_of(type, spec);
    if (!first || certainty < first->certainty) first = {certainty, spec.name, words_of(value_a), words_of(value_b)};
  }
  if (first && given_a.type != given_b.type) first = {first->certainty, {}, given_a.type, given_b.type};
  return first;
}

}  // namespace h5bridge
