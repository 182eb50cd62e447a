#include "convert/schema.h"

#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

using Object = Json::Object;
using Array = Json::Array;
using schema::array_of, schema::of_type, schema::reference;

Json described(Json schema, const std::string& description) {
  Object result{{"description", description}};
  for (const auto& [key, value] : schema.as_object()) result.set(key, value);
  return result;
}

Json attribute_schema(const AttributeSpec& spec) {
  Object result = described(spec.kind->schema(), spec.meaning).as_object();
  if (spec.fallback) result.set("default", spec.kind->write(*spec.fallback));
  return result;
}

Array required_attributes(const LayerType& type) {
  Array result;
  for (const AttributeSpec& spec : type.attributes)
    if (!spec.fallback) result.push_back(spec.name);
  return result;
}

Json attributes_schema(const LayerType& type) {
  Object properties;
  for (const AttributeSpec& spec : type.attributes) properties.set(spec.name, attribute_schema(spec));
  Object result{{"description", type.summary},
                {"type", "object"},
                {"properties", std::move(properties)},
                {"additionalProperties", false}};
  if (Array required = required_attributes(type); !required.empty()) result.set("required", std::move(required));
  return result;
}

Json entry_schema(const std::vector<const LayerType*>& types) {
  Array names;
  Array conditions;
  for (const LayerType* type : types) {
    names.push_back(type->name);
    conditions.push_back(schema::attributes_of_layer(type->name, !required_attributes(*type).empty()));
  }
  return Object{
      {"description",
       "A call of a layer: with type it defines the layer, with call it calls one that is defined already."},
      {"type", "object"},
      {"properties",
       Object{
           {"name", described(reference("name"),
                              "With type: the module's path in the state_dict. It names the entry's values.")},
           {"type", Object{{"enum", std::move(names)}}},
           {"layer", described(reference("name"),
                               "With type: the module's path, where an input or another call has that name.")},
           {"attributes", described(of_type("object"),
                                    "With call: of those that are a call's, what it has in place of "
                                    "the layer's.")},
           {"call", described(reference("name"), "The name of a layer that an entry before defines.")},
           {"inputs", described(array_of(reference("value")), "Left out, it is the output of the entry before.")},
           {"named_inputs", Object{{"type", "object"}, {"additionalProperties", reference("value")}}},
           {"part_of", described(of_type("string"), "The call of a scope that it belongs to.")},
           {"keras", described(of_type("object"), "What Keras says of the layer beyond the computation.")},
       }},
      {"required", Array{"name"}},
      {"additionalProperties", false},
      {"oneOf", Array{Object{{"required", Array{"type"}}},
                      Object{{"required", Array{"call"}}, {"properties", Object{{"keras", false}, {"layer", false}}}}}},
      {"allOf", std::move(conditions)},
  };
}

Json input_schema() {
  return Object{
      {"type", "object"},
      {"properties",
       Object{
           {"name", reference("name")},
           {"shape", described(array_of(reference("size")), "With the batch axis.")},
           {"dtype", Object{{"enum", schema::dtypes()}, {"default", "float32"}}},
       }},
      {"required", Array{"name", "shape"}},
      {"additionalProperties", false},
  };
}

Json scope_schema() {
  const Json call = Object{
      {"type", "object"},
      {"properties", Object{{"name", of_type("string")},
                            {"part_of", described(of_type("string"), "The call of another scope that it belongs to.")},
                            {"arguments", described(array_of(reference("value")), "One for each input.")},
                            {"results", array_of(reference("value"))},
                            {"masks", described(array_of(schema::any_of(reference("value"), of_type("null"))),
                                                "Those of the arguments that Keras's call is told.")},
                            {"keras_arguments", of_type("object")}}},
      {"required", Array{"name", "arguments", "results"}},
      {"additionalProperties", false},
  };
  return Object{
      {"description",
       "A model within the model: defined once, and called as a whole. Its entries stand among the others, and say "
       "with part_of which call they belong to."},
      {"type", "object"},
      {"properties",
       Object{{"name", described(of_type("string"), "With a '.' behind it, what its entries' names begin with.")},
              {"inputs", array_of(reference("input"))},
              {"calls", array_of(call)},
              {"keras", described(of_type("object"), "What Keras says of the model.")}}},
      {"required", Array{"name", "inputs", "calls"}},
      {"additionalProperties", false},
  };
}

Json outputs_schema() {
  return Object{
      {"anyOf", Array{Object{{"type", "array"}, {"items", reference("value")}, {"minItems", 1}},
                      Object{{"type", "object"}, {"additionalProperties", reference("value")}, {"minProperties", 1}}}}};
}

std::vector<const LayerType*> types_of(const Registry& registry) {
  std::vector<const LayerType*> result;
  for (const Family& family : registry.families())
    for (const LayerType& type : family.types) result.push_back(&type);
  return result;
}

}  // namespace

Json architecture_schema(const Registry& registry) {
  const std::vector<const LayerType*> types = types_of(registry);
  Object definitions{
      {"name", Object{{"type", "string"}, {"pattern", "^[^:]+$"}}},
      {"value", Object{{"description", "An input or an entry, with :1, :2, ... for its further outputs."},
                       {"type", "string"},
                       {"pattern", "^[^:]+(:[0-9]+)?$"}}},
      {"size", Object{{"description", "A number, or a symbol, or arithmetic on symbols with + - * //."},
                      {"anyOf", Array{of_type("integer"), Object{{"type", "string"}, {"minLength", 1}}}}}},
      {"input", input_schema()},
      {"scope", scope_schema()},
      {"entry", entry_schema(types)},
  };
  for (const LayerType* type : types)
    definitions.set(schema::definition_of_layer(type->name), attributes_schema(*type));
  return Object{
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "h5bridge architecture"},
      {"description",
       "A model's architecture as a typed graph of layers. Generated from the layer definitions; "
       "docs/architecture_json.md "
       "explains it."},
      {"type", "object"},
      {"properties",
       Object{
           {"h5bridge", described(Object{{"enum", Array{1, 2}}},
                                  "The version of this form: the lowest that can say what the document says.")},
           {"name", described(of_type("string"), "The model's name.")},
           {"inputs", Object{{"type", "array"}, {"items", reference("input")}, {"minItems", 1}}},
           {"layers",
            described(array_of(reference("entry")), "In an order in which every value is made before it is used.")},
           {"outputs", outputs_schema()},
           {"aliases", described(Object{{"type", "object"}, {"additionalProperties", of_type("string")}},
                                 "Further names of tensors in the state_dict, with their first ones.")},
           {"unused", described(array_of(of_type("string")), "Tensors of the state_dict that no layer has.")},
           {"state_dict", described(array_of(of_type("string")), "All names of the state_dict, in PyTorch's order.")},
           {"buffers", described(array_of(of_type("string")), "Those of them that are buffers.")},
           {"frozen", described(array_of(of_type("string")), "Parameters with requires_grad=False.")},
           {"tied", described(array_of(array_of(of_type("string"))),
                              "Groups of parameters that are one; the first name is that of named_parameters().")},
           {"notes", described(array_of(of_type("string")), "What forward does and no layer says, a line each.")},
           {"scopes", described(array_of(reference("scope")), "Models within the model.")},
           {"keras", described(of_type("object"), "What Keras says of the model itself.")},
       }},
      {"required", Array{"h5bridge", "inputs", "layers", "outputs"}},
      {"additionalProperties", false},
      {"$defs", std::move(definitions)},
  };
}

}  // namespace h5bridge
