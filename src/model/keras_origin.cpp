#include "model/keras_origin.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// How a member of each kind is read and written. `read` says whether it takes the value: one that it leaves stays among
// Keras's own settings. What `written` has nothing for is left out.

bool read(const Json& json, bool& flag) {
  flag = json.as_bool();
  return true;
}
std::optional<Json> written(const bool& flag) { return flag ? std::optional<Json>(true) : std::nullopt; }

// A setting of Keras's own, in which some files have 1 or null.
bool read(const Json& json, std::optional<bool>& setting) {
  if (json.is_bool()) setting = json.as_bool();
  return json.is_bool();
}
std::optional<Json> written(const std::optional<bool>& setting) {
  return setting ? std::optional<Json>(*setting) : std::nullopt;
}

bool read(const Json& json, std::optional<std::string>& text) {
  text = json.as_string();
  return true;
}
std::optional<Json> written(const std::optional<std::string>& text) {
  return text ? std::optional<Json>(*text) : std::nullopt;
}

bool read(const Json& json, std::optional<DataFormat>& format) {
  format = data_format_named(json.as_string());
  if (!format) throw MalformedFile("expected \"channels_last\" or \"channels_first\", found " + quoted(json));
  return true;
}
std::optional<Json> written(const std::optional<DataFormat>& format) {
  return format ? std::optional<Json>(name_of(*format)) : std::nullopt;
}

bool read(const Json& json, Json::Object& object) {
  object = json.as_object();
  return true;
}
std::optional<Json> written(const Json::Object& object) {
  return object.empty() ? std::nullopt : std::optional<Json>(object);
}

bool read(const Json& json, std::vector<std::string>& names) {
  for (const Json& name : json.as_array()) names.push_back(name.as_string());
  return true;
}
std::optional<Json> written(const std::vector<std::string>& names) {
  return names.empty() ? std::nullopt : std::optional<Json>(Json::array(names));
}

bool read(const Json& json, std::optional<Json>& whole) {
  whole = json;
  return true;
}
std::optional<Json> written(const std::optional<Json>& whole) { return whole; }

KerasPorts::Port port_from(const std::string& name, const Json& axes) {
  KerasPorts::Port port{name, {}};
  for (const Json& axis : axes.as_array()) port.axes.push_back(axis.as_integer());
  return port;
}

bool read(const Json& json, std::optional<KerasPorts>& ports) {
  ports.emplace();
  for (const auto& [name, axes] : json.at("inputs").as_object()) ports->inputs.push_back(port_from(name, axes));
  for (const Json& output : json.at("outputs").as_array())
    ports->outputs.push_back(port_from(output.at("name").as_string(), output.at("axes")));
  return true;
}
std::optional<Json> written(const std::optional<KerasPorts>& ports) {
  if (!ports) return std::nullopt;
  Json::Object inputs;
  for (const KerasPorts::Port& port : ports->inputs) inputs.set(port.name, Json::array(port.axes));
  Json::Array outputs;
  for (const KerasPorts::Port& port : ports->outputs)
    outputs.push_back(Json::Object{{"name", port.name}, {"axes", Json::array(port.axes)}});
  return Json::Object{{"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}};
}

template <typename Origin>
struct OriginRow {
  std::string_view key;
  bool (*read)(const Json&, Origin&);
  void (*write)(const Origin&, std::string_view key, Json::Object&);
};

template <typename Origin, typename T>
Origin origin_of(T Origin::*);

template <auto member, typename Origin = decltype(origin_of(member))>
constexpr OriginRow<Origin> origin_row(std::string_view key) {
  return {key, [](const Json& json, Origin& origin) { return read(json, origin.*member); },
          [](const Origin& origin, std::string_view name, Json::Object& json) {
            if (std::optional<Json> value = written(origin.*member)) json.set(name, std::move(*value));
          }};
}

// Was a number before it had a name: 1, of the one that has a variant.
bool read_variant(const Json& json, KerasOrigin& origin) {
  if (!json.is_integer()) return read(json, origin.variant);
  origin.variant = "";
  return true;
}
void write_variant(const KerasOrigin& origin, std::string_view key, Json::Object& json) {
  if (origin.variant) json.set(key, origin.variant->empty() ? Json(1) : Json(*origin.variant));
}

// The place of Keras's own settings, whose keys are no row's. A member that says the same goes before.
template <typename Origin>
constexpr OriginRow<Origin> kConfig{"", [](const Json&, Origin&) { return false; },
                                    [](const Origin& origin, std::string_view, Json::Object& json) {
                                      for (const auto& [key, value] : origin.config)
                                        if (!json.contains(key)) json.set(key, value);
                                    }};

// In the order in which they are written.
constexpr std::array kLayerRows{
    origin_row<&KerasOrigin::name>("name"),
    origin_row<&KerasOrigin::trainable>("trainable"),
    kConfig<KerasOrigin>,
    origin_row<&KerasOrigin::fused_into>("fused_into"),
    origin_row<&KerasOrigin::fused_as>("fused_as"),
    origin_row<&KerasOrigin::silent_arguments>("arguments"),
    origin_row<&KerasOrigin::spelling>("spelling"),
    origin_row<&KerasOrigin::class_name>("class_name"),
    origin_row<&KerasOrigin::module>("module"),
    origin_row<&KerasOrigin::unfit>("unfit"),
    OriginRow<KerasOrigin>{"variant", read_variant, write_variant},
    origin_row<&KerasOrigin::implied>("implied"),
    origin_row<&KerasOrigin::inserted>("inserted"),
    origin_row<&KerasOrigin::folded_format>("data_format"),
};

constexpr std::array kModelRows{
    origin_row<&KerasModelOrigin::class_name>("class_name"),
    origin_row<&KerasModelOrigin::name>("name"),
    origin_row<&KerasModelOrigin::trainable>("trainable"),
    kConfig<KerasModelOrigin>,
    origin_row<&KerasModelOrigin::variable_path>("variable_path"),
    origin_row<&KerasModelOrigin::input_layers>("input_layers"),
    origin_row<&KerasModelOrigin::output_layers>("output_layers"),
    origin_row<&KerasModelOrigin::optional_inputs>("optional_inputs"),
    origin_row<&KerasModelOrigin::masked_outputs>("masked_outputs"),
    origin_row<&KerasModelOrigin::data_format>("data_format"),
    origin_row<&KerasModelOrigin::original>("original"),
    origin_row<&KerasModelOrigin::presented>("presented"),
};

template <typename Origin, std::size_t count>
Origin from_json(const std::array<OriginRow<Origin>, count>& rows, const Json::Object& json) {
  Origin origin;
  for (const auto& [key, value] : json) {
    const auto row = std::ranges::find(rows, std::string_view(key), &OriginRow<Origin>::key);
    const bool is_taken = row != rows.end() && in_file('"' + key + '"', [&] { return row->read(value, origin); });
    if (!is_taken) origin.config.set(key, value);
  }
  return origin;
}

template <typename Origin, std::size_t count>
Json::Object to_json(const std::array<OriginRow<Origin>, count>& rows, const Origin& origin) {
  Json::Object json;
  for (const OriginRow<Origin>& row : rows) row.write(origin, row.key, json);
  return json;
}

}  // namespace

KerasOrigin keras_origin_from_json(const Json::Object& json) { return from_json(kLayerRows, json); }
KerasModelOrigin keras_model_origin_from_json(const Json::Object& json) { return from_json(kModelRows, json); }

Json::Object keras_origin_to_json(const KerasOrigin& origin) { return to_json(kLayerRows, origin); }
Json::Object keras_model_origin_to_json(const KerasModelOrigin& origin) { return to_json(kModelRows, origin); }

}  // namespace h5bridge
