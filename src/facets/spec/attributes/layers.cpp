#include "facets/spec/attributes/layers.h"

#include <algorithm>

#include "facets/spec/attributes/schema_parts.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "model/keras_origin.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

Json layer_to_json(const Layer& layer, Json::Object attributes) {
  Json::Object result{{"type", layer.type}};
  if (!attributes.empty()) result.set("attributes", std::move(attributes));
  if (Json::Object keras = keras_origin_to_json(layer.keras); !keras.empty()) result.set("keras", std::move(keras));
  return result;
}

const Json::Object& member(const Json& json, const char* name) {
  static const Json::Object none;
  const Json* found = json.find(name);
  return found ? found->as_object() : none;
}

class LayersKind : public AttributeKind {
 public:
  explicit LayersKind(std::vector<LayerType> types) : types_(std::move(types)) {}

  AttributeValue read(const Json& json) const override {
    std::vector<Layer> result;
    for (const Json& each : json.as_array()) {
      in_file("number " + std::to_string(result.size()), [&] { result.push_back(read_layer(each)); });
    }
    require_some(result);
    return result;
  }

  Json write(const AttributeValue& value) const override {
    Json::Array result;
    for (const Layer& layer : std::get<std::vector<Layer>>(value))
      result.push_back(layer_to_json(layer, attributes_to_json(type_of(layer.type), layer.attributes)));
    return result;
  }

  Json schema() const override {
    Json::Array names, conditions;
    for (const LayerType& type : types_) {
      names.push_back(type.name);
      const auto is_required = [](const AttributeSpec& spec) { return !spec.fallback; };
      conditions.push_back(schema::attributes_of_layer(type.name, std::ranges::any_of(type.attributes, is_required)));
    }
    const Json layer = Json::Object{{"type", "object"},
                                    {"properties", Json::Object{{"type", Json::Object{{"enum", std::move(names)}}},
                                                                {"attributes", schema::of_type("object")},
                                                                {"keras", schema::of_type("object")}}},
                                    {"required", Json::Array{"type"}},
                                    {"additionalProperties", false},
                                    {"allOf", std::move(conditions)}};
    Json::Object list = schema::array_of(layer).as_object();
    list.set("minItems", 1);
    return list;
  }

  std::string describe() const override {
    std::vector<std::string> names;
    for (const LayerType& type : types_) names.push_back(schema::code(type.name));
    return "layers, each with " + schema::code("type") + " (" + joined(names, ", ") + "), " +
           schema::code("attributes") + " and " + schema::code("keras");
  }

  AttributeValue bind(const AttributeValue& value, const std::map<std::string, std::int64_t>& sizes) const override {
    std::vector<Layer> layers = std::get<std::vector<Layer>>(value);
    for (Layer& layer : layers) layer.attributes = with_sizes(type_of(layer.type), layer.attributes, sizes);
    return layers;
  }

  AttributeValue complete(const AttributeValue& value) const override {
    if (!std::holds_alternative<std::vector<Layer>>(value)) AttributeKind::check(value);
    std::vector<Layer> layers = std::get<std::vector<Layer>>(value);
    require_some(layers);
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].attributes =
          complete_attributes(type_of(layers[i].type), layers[i].attributes, "number " + std::to_string(i));
    return layers;
  }

  void check(const AttributeValue& value) const override { complete(value); }

  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    const auto agree_in = [&](const Layer& one, const Layer& other) {
      if (one.type != other.type) return false;
      return std::ranges::all_of(type_of(one.type).attributes, [&](const AttributeSpec& spec) {
        return spec.decides == Decides::Training ||
               spec.kind->agree(one.attributes.at(spec.name), other.attributes.at(spec.name), rank);
      });
    };
    return std::ranges::equal(std::get<std::vector<Layer>>(a), std::get<std::vector<Layer>>(b), agree_in);
  }

  bool is_open(const AttributeValue& value) const override {
    const auto* layers = std::get_if<std::vector<Layer>>(&value);
    return layers && std::ranges::any_of(*layers, [&](const Layer& layer) {
             return !open_integers(type_of(layer.type), layer.attributes).empty();
           });
  }

  std::int64_t since(const AttributeValue&) const override { return 2; }

 private:
  const LayerType& type_of(const std::string& name) const {
    const auto found = std::ranges::find(types_, name, &LayerType::name);
    if (found != types_.end()) return *found;
    std::vector<std::string> names;
    for (const LayerType& type : types_) names.push_back(type.name);
    throw MalformedFile("is a layer of type \"" + shortened(name) + "\", expected one of " + joined(names));
  }

  Layer read_layer(const Json& json) const {
    for (const auto& [key, value] : json.as_object())
      if (key != "type" && key != "attributes" && key != "keras")
        throw MalformedFile("has a member \"" + shortened(key) + "\", expected type, attributes and keras");
    const LayerType& type = type_of(json.at("type").as_string());
    return {"", type.name, attributes_from_json(type, member(json, "attributes"), type.name),
            keras_origin_from_json(member(json, "keras"))};
  }

  static void require_some(const std::vector<Layer>& layers) {
    if (layers.empty()) throw MalformedFile("is empty, expected a layer or more");
  }

  std::vector<LayerType> types_;
};

}  // namespace

AttributeSpec required_layers(std::string name, std::vector<LayerType> types, std::string meaning) {
  return {std::move(name), std::make_shared<LayersKind>(std::move(types)), std::move(meaning)};
}

std::vector<ParameterSpec> parameters_of_held(const std::string& attribute, const std::vector<LayerType>& types,
                                              const std::vector<Layer>& held) {
  std::vector<ParameterSpec> result;
  for (std::size_t i = 0; i < held.size(); ++i)
    for (ParameterSpec& spec :
         std::ranges::find(types, held[i].type, &LayerType::name)->parameters(held[i].attributes)) {
      spec.name = tensor_name(attribute + "." + std::to_string(i), spec.name);
      result.push_back(std::move(spec));
    }
  return result;
}

Json layers_to_json(const std::vector<Layer>& layers) {
  Json::Array result;
  for (const Layer& layer : layers) {
    Json::Object attributes;
    for (const auto& [name, value] : layer.attributes) attributes.set(name, attribute_to_json(value));
    result.push_back(layer_to_json(layer, std::move(attributes)));
  }
  return result;
}

}  // namespace h5bridge
