// Words of a JSON Schema, and of tables in Markdown.
#pragma once

#include <string>
#include <string_view>

#include "h5bridge/dtype.h"
#include "h5bridge/json.h"

namespace h5bridge::schema {

inline Json of_type(const char* type) { return Json::Object{{"type", type}}; }
inline Json array_of(Json items) { return Json::Object{{"type", "array"}, {"items", std::move(items)}}; }
inline Json any_of(Json one, Json other) {
  return Json::Object{{"anyOf", Json::Array{std::move(one), std::move(other)}}};
}

/// One of the form's own definitions: "size".
inline Json reference(std::string_view definition) {
  return Json::Object{{"$ref", "#/$defs/" + std::string(definition)}};
}

/// The definition of a type's attributes; types have a prefix, so that none is taken for one of the form's own.
inline std::string definition_of_layer(const std::string& type) { return "layer." + type; }

/// "If the type is this one, then its attributes are those": so that a validator names the attribute that is wrong.
inline Json attributes_of_layer(const std::string& type, bool needs_some) {
  Json::Object then{{"properties", Json::Object{{"attributes", reference(definition_of_layer(type))}}}};
  if (needs_some) then.set("required", Json::Array{"attributes"});
  return Json::Object{{"if", Json::Object{{"properties", Json::Object{{"type", Json::Object{{"const", type}}}}},
                                          {"required", Json::Array{"type"}}}},
                      {"then", std::move(then)}};
}

/// The names of all element types.
inline Json::Array dtypes() {
  Json::Array names;
  for (int dtype = 0; dtype <= static_cast<int>(DType::Complex128); ++dtype)
    names.push_back(name_of(static_cast<DType>(dtype)));
  return names;
}

/// `text` as code in Markdown.
inline std::string code(const std::string& text) { return "`" + text + "`"; }

}  // namespace h5bridge::schema
