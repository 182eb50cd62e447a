#include "facets/keras/mapping.h"

#include <algorithm>
#include <map>

#include "facets/keras/quantised.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/keras_origin.h"
#include "model/quoted.h"

namespace h5bridge {
namespace spelling {
namespace {

// A spelling for kinds that JSON and attributes both have: T is what std::get takes, `read` what Json has for it.
template <typename T, typename Read>
Spelling plain(Read read) {
  return {[](const AttributeValue& value) {
            return std::holds_alternative<std::monostate>(value) ? Json() : Json(std::get<T>(value));
          },
          [read](const Json& json) { return json.is_null() ? AttributeValue() : AttributeValue(read(json)); }};
}

// One of keras.activations, as there is a mapping of a layer for each.
std::string known_activation(const std::string& name) {
  const std::vector<const KerasMapping*> mappings = Registry::instance().keras_class("Activation");
  if (std::ranges::any_of(mappings, [&](const KerasMapping* mapping) {
        const Json* fixed = mapping->fixed.find("activation");
        return fixed && *fixed == Json(name);
      }))
    return name;
  throw Unsupported("the activation \"" + shortened(name) + "\" is none of keras.activations");
}

}  // namespace

Spelling boolean() {
  // Keras takes any truth value, and some files of tf.keras have 1 for True.
  return plain<bool>(
      [](const Json& json) { return json == Json(0) || json == Json(1) ? json.as_integer() == 1 : json.as_bool(); });
}
Spelling integer() {
  return plain<std::int64_t>([](const Json& json) { return json.as_integer(); });
}
Spelling number() {
  return plain<double>([](const Json& json) { return json.as_float(); });
}
Spelling scalar() {
  return {[](const AttributeValue& value) { return attribute_to_json(value); },
          [](const Json& json) -> AttributeValue {
            if (json.is_null()) return std::monostate{};
            if (json.is_integer()) return json.as_integer();
            return json.as_float();
          }};
}
Spelling axes() {
  return {[](const AttributeValue& value) {
            const auto* several = std::get_if<std::vector<std::int64_t>>(&value);
            return several && several->size() == 1 ? Json(several->at(0)) : attribute_to_json(value);
          },
          [](const Json& json) -> AttributeValue {
            if (json.is_null()) return std::monostate{};
            if (json.is_integer()) return std::vector<std::int64_t>{json.as_integer()};
            std::vector<std::int64_t> result;
            for (const Json& axis : json.as_array()) result.push_back(axis.as_integer());
            return result;
          }};
}
Spelling integer_list() {
  Spelling result = axes();
  result.to_keras = [](const AttributeValue& value) { return attribute_to_json(value); };
  return result;
}
Spelling text() {
  return plain<std::string>([](const Json& json) { return json.as_string(); });
}

Spelling dtype() {
  return {[](const AttributeValue& value) { return attribute_to_json(value); },
          [](const Json& json) -> AttributeValue {
            if (const auto known = dtype_named(json.as_string())) return *known;
            throw Unsupported("no dtype is called " + quoted(json));
          }};
}

Spelling text_or_none() {
  return {text().to_keras,
          [](const Json& json) { return json.is_null() ? AttributeValue{} : AttributeValue(json.as_string()); }};
}

Spelling integers(std::size_t length) {
  return {
      [](const AttributeValue& value) { return Json::array(std::get<std::vector<std::int64_t>>(value)); },
      [length](const Json& json) -> AttributeValue {
        if (json.is_integer()) return std::vector<std::int64_t>(length, json.as_integer());
        std::vector<std::int64_t> result;
        for (const Json& element : json.as_array()) result.push_back(element.as_integer());
        if (result.size() != length)
          throw MalformedFile("has " + std::to_string(result.size()) + " elements, expected " + std::to_string(length));
        return result;
      }};
}

Spelling or_none(Spelling spelling) {
  return {[to = spelling.to_keras](const AttributeValue& value) {
            return std::holds_alternative<std::monostate>(value) ? Json() : to(value);
          },
          [from = spelling.from_keras](const Json& json) { return json.is_null() ? AttributeValue{} : from(json); }};
}

Spelling one_minus() {
  // The shortest decimal that is nearest: 1 - 0.99 is 0.01, not 0.010000000000000009.
  const auto complement = [](double value) {
    const double rounded = static_cast<double>(static_cast<std::int64_t>((1.0 - value) * 1e12 + 0.5)) / 1e12;
    return 1.0 - rounded == value ? rounded : 1.0 - value;
  };
  return {[complement](const AttributeValue& value) {
            return std::holds_alternative<std::monostate>(value) ? Json() : Json(complement(std::get<double>(value)));
          },
          [complement](const Json& json) { return AttributeValue(complement(json.as_float())); }};
}

Spelling activation() {
  return {[](const AttributeValue& value) { return Json(std::get<std::string>(value)); },
          [](const Json& json) -> AttributeValue {
            if (json.is_null()) return std::string("linear");
            if (json.is_string()) return known_activation(json.as_string());
            // Keras 3 writes some functions as {"class_name": "function", "config": "relu"}.
            const Json* class_name = json.find("class_name");
            const Json* config = json.find("config");
            if (class_name && config && *class_name == Json("function") && config->is_string())
              return known_activation(config->as_string());
            throw Unsupported("the activation is an object of class " + quoted(class_name ? *class_name : json) +
                              ", not a named function");
          }};
}

}  // namespace spelling

const ListParameter* KerasMapping::find_list(std::string_view parameter) const {
  const auto found = std::ranges::find(lists, parameter, &ListParameter::name);
  return found == lists.end() ? nullptr : &*found;
}

bool KerasMapping::says_nothing(std::string_view parameter, const Json& constant) const {
  if (constant.is_null()) return true;
  if (parameter == "training" && (constant == Json(false) || constant == Json(0))) return true;
  if (is_operation()) return false;
  const auto row = std::ranges::find(attributes, parameter, &Correspondence::keras);
  return row != attributes.end() && row->when_absent && row->spelling.to_keras(*row->when_absent) == constant;
}

KerasMapping overflowing_unsigned(KerasMapping mapping) {
  mapping.of_integers = [](const Attributes&, DType dtype) {
    return name_of(dtype).starts_with("uint") ? OfIntegers::NotKnown : OfIntegers::AsFloats;
  };
  return mapping;
}

void take_training(KerasMapping& mapping) {
  mapping.attributes.push_back({"training", "training", spelling::boolean(), false});
  if (mapping.call.empty()) mapping.call = {"inputs"};
  if (std::ranges::find(mapping.call, "training") == mapping.call.end()) mapping.call.push_back("training");
}

KerasMapping as_variant(std::string name, KerasMapping mapping) {
  mapping.variant = std::move(name);
  return mapping;
}

KerasEmitter::Results KerasMapping::emit_main(const Attributes&, Json::Object config, KerasEmitter& emitter) {
  return emitter.main(std::move(config), emitter.inputs());
}

namespace {

Json initializer(const std::string& class_name) {
  static const std::map<std::string, Json::Object> settings{
      {"GlorotUniform", {{"seed", nullptr}, {"input_axes", nullptr}, {"output_axes", nullptr}}},
      {"Orthogonal", {{"seed", nullptr}, {"gain", 1.0}}},
      {"RandomUniform", {{"seed", nullptr}, {"minval", -0.05}, {"maxval", 0.05}}},
  };
  const auto found = settings.find(class_name);
  const Json::Object config = found == settings.end() ? Json::Object{} : found->second;
  return Json::Object{
      {"module", "keras.initializers"}, {"class_name", class_name}, {"config", config}, {"registered_name", nullptr}};
}

// What every Keras layer has besides its own configuration.
const Json::Object& common_config() {
  static const Json::Object common{{"trainable", true},
                                   {"dtype", Json::Object{{"module", "keras"},
                                                          {"class_name", "DTypePolicy"},
                                                          {"config", Json::Object{{"name", "float32"}}},
                                                          {"registered_name", nullptr}}}};
  return common;
}

// Every layer may have one, and most write it only where they do.
constexpr const char* kActivityRegularizer = "activity_regularizer";

// Keras 3 writes some functions as {"class_name": "function", "config": "relu"}; the name alone says it.
Json function_name(const Json& function) {
  const Json* class_name = function.is_object() ? function.find("class_name") : nullptr;
  return class_name && *class_name == Json("function") ? function.at("config") : Json();
}

// Whether a configuration says the same as Keras's own value; {"seed": null} and a missing optional key do.
bool same_setting(const Json& a, const Json& b) {
  if (a == b) return true;
  if (!a.is_object() || !b.is_object()) return false;
  const auto covered = [](const Json::Object& one, const Json::Object& other) {
    return std::all_of(one.begin(), one.end(), [&](const Json::Member& member) {
      const Json* twin = other.find(member.first);
      return twin ? same_setting(member.second, *twin) : member.second.is_null();
    });
  };
  return covered(a.as_object(), b.as_object()) && covered(b.as_object(), a.as_object());
}

}  // namespace

Json::Object carried_for(const std::vector<std::pair<std::string, std::string>>& weights, bool activity_regularizer) {
  Json::Object result;
  for (const auto& [weight, initial] : weights) result.set(weight + "_initializer", initializer(initial));
  for (const auto& [weight, initial] : weights) result.set(weight + "_regularizer", nullptr);
  if (activity_regularizer) result.set("activity_regularizer", nullptr);
  for (const auto& [weight, initial] : weights) result.set(weight + "_constraint", nullptr);
  return result;
}

namespace {

std::vector<std::string> open_in(const KerasMapping& mapping, const Attributes& attributes) {
  return open_integers(*Registry::instance().find(mapping.type), attributes);
}

bool is_among(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

bool can_write(const KerasMapping& mapping, const Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  return std::ranges::all_of(open_in(mapping, attributes),
                             [&](const std::string& name) { return is_among(mapping.open, name); }) &&
         mapping.fits(attributes, inputs);
}

Json::Object config_of(const KerasMapping& mapping, const Layer& layer) {
  const std::vector<std::string> open = open_in(mapping, layer.attributes);
  for (const std::string& name : open)
    if (!is_among(mapping.open, name))
      throw Unsupported("\"" + name + "\" is open (" + quoted(attribute_to_json(layer.attributes.at(name))) +
                        "), and has to be a number in Keras; LoadOptions::fix_sizes may help");
  const Json::Object said = keras_origin_to_json(layer.keras);
  const auto carried = [&](const std::string& key, const Json& standard) {
    const Json* kept = said.find(key);
    return kept ? *kept : standard;
  };
  Json::Object config{{"name", layer.name}};
  for (const auto& [key, standard] : common_config())
    if (!mapping.is_operation() &&
        std::find(mapping.refused.begin(), mapping.refused.end(), key) == mapping.refused.end())
      config.set(key, carried(key, standard));
  for (const Correspondence& row : mapping.attributes)
    if (!is_among(open, row.attribute))
      config.set(row.keras, row.spelling.to_keras(layer.attributes.at(row.attribute)));
  for (const auto& [key, value] : mapping.fixed) config.set(key, value);
  for (const auto& [key, standard] : mapping.carried) config.set(key, carried(key, standard));
  if (const Json* kept = said.find(kActivityRegularizer); kept && !mapping.is_operation())
    config.set(kActivityRegularizer, *kept);
  return config;
}

namespace {

// Keras may take what the type does not: another dtype, another word.
void require_known(const AttributeKind& kind, const AttributeValue& value) {
  try {
    kind.check(value);
  } catch (const MalformedFile& error) {
    throw Unsupported(error.what());
  }
}

}  // namespace

std::optional<Layer> layer_from_config(const KerasMapping& mapping, const Json::Object& config,
                                       const std::vector<SymbolicShape>& inputs) {
  if (!mapping.accepts(inputs) || !mapping.reads(config)) return std::nullopt;
  refuse_quantised(config);
  for (const auto& [key, value] : mapping.fixed)
    if (const Json* given = config.find(key); given && *given != value && function_name(*given) != value)
      return std::nullopt;

  Layer layer;
  layer.type = mapping.type;
  layer.attributes = Registry::instance().find(mapping.type)->defaults();
  Json::Object rest = config;
  rest.erase("name");
  for (const auto& [key, value] : mapping.fixed) rest.erase(key);
  mapping.lift(rest, layer.attributes, inputs);
  for (const Correspondence& row : mapping.attributes) {
    const Json* given = rest.find(row.keras);
    if (!given && row.when_absent) {
      layer.attributes.set(row.attribute, *row.when_absent);
      continue;
    }
    if (!given && mapping.is_operation()) {
      if (Registry::instance().find(mapping.type)->find_attribute(row.attribute)->fallback) continue;
      return std::nullopt;
    }
    if (!given) throw MalformedFile("its configuration has no \"" + row.keras + "\"");
    try {
      layer.attributes.set(row.attribute, row.spelling.from_keras(*given));
      const AttributeKind& kind = *Registry::instance().find(mapping.type)->find_attribute(row.attribute)->kind;
      if (layer.attributes.is_none(row.attribute) && !kind.takes_none()) throw MalformedFile("is null");
      require_known(kind, layer.attributes.at(row.attribute));
    } catch (const Error& error) {
      rethrow_in_file(error, "\"" + row.keras + "\"");
    }
    rest.erase(row.keras);
  }
  Json::Object kept;
  const auto keep = [&](const Json::Object& standards) {
    for (const auto& [key, standard] : standards) {
      const Json* given = rest.find(key);
      if (given && !same_setting(*given, standard)) kept.set(key, *given);
      rest.erase(key);
    }
  };
  keep(common_config());
  keep(mapping.carried);
  if (!mapping.is_operation()) keep({{kActivityRegularizer, nullptr}});
  layer.keras = keras_origin_from_json(kept);
  for (const auto& [key, value] : rest) {
    if (value.is_null()) continue;
    if (mapping.is_operation()) return std::nullopt;  // another mapping may know it
    throw Unsupported("its setting \"" + shortened(key) + "\" (" + quoted(value) + ") is not known");
  }
  mapping.derive(layer.attributes, inputs);
  Registry::instance().find(mapping.type)->check(layer.attributes);
  return layer;
}

std::vector<std::string> unsaid_settings(const Layer& layer, Matters matters) {
  std::vector<std::string> lines;
  const std::vector<const KerasMapping*> mappings = Registry::instance().keras_of(layer.type);
  if (mappings.empty()) return lines;
  for (const UnsaidSetting& setting : mappings.front()->unsaid)
    if (setting.matters == matters && setting.is_on(layer.attributes))
      lines.push_back(
          describe(layer) + ": " +
          (setting.attribute.empty()
               ? ""
               : setting.attribute + " = " + quoted(attribute_to_json(layer.attributes.at(setting.attribute))) + ": ") +
          setting.becomes);
  return lines;
}

}  // namespace h5bridge
