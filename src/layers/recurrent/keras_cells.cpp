#include "layers/recurrent/keras_cells.h"

#include <algorithm>
#include <functional>

#include "h5bridge/error.h"
#include "model/keras_origin.h"

namespace h5bridge::recurrent {
namespace {

constexpr const char* kStack = "StackedRNNCells";

// Its attributes are some of the layer's.
KerasMapping cell_mapping(const Kind& kind) {
  KerasMapping mapping{.type = kind.type, .class_name = kind.keras_class + "Cell"};
  mapping.attributes = cell_rows(kind);
  mapping.carried = cell_carried(kind);
  return mapping;
}

Json object(const std::string& class_name, Json::Object config) {
  return Json::Object{{"module", "keras.layers"},
                      {"class_name", class_name},
                      {"config", std::move(config)},
                      {"registered_name", nullptr}};
}

const Json::Array& stacked(const Json& stack) { return stack.at("config").at("cells").as_array(); }

// What `cell` says besides its attributes, which it adds to `attributes` as the cell number `index`.
Json taken(const Kind& kind, const Json& cell, std::size_t index, Attributes& attributes) {
  const KerasMapping mapping = cell_mapping(kind);
  const std::string& class_name = cell.at("class_name").as_string();
  if (class_name != mapping.class_name)
    throw Unsupported("it stacks a " + class_name + " on a " + mapping.class_name +
                      ", which PyTorch has no module for");
  const Json::Object& config = cell.at("config").as_object();
  Layer read = layer_from_config(mapping, config, {}).value();
  for (const Correspondence& row : mapping.attributes) {
    const AttributeValue& value = read.attributes.at(row.attribute);
    if (index == 0)
      attributes.set(row.attribute, value);
    else if (!(value == attributes.at(row.attribute)))
      throw Unsupported("its stacked cells differ in \"" + row.keras + "\", which PyTorch has no module for");
  }
  read.keras.name = config.at("name").as_string();
  return Json::Object{{"class_name", class_name}, {"config", keras_origin_to_json(read.keras)}};
}

Json whole(const Kind& kind, const Attributes& attributes, std::size_t index, const Json* kept) {
  const std::string name = kind.keras_cell + (index == 0 ? "" : "_" + std::to_string(index));
  const Json::Object own = kept ? kept->at("config").as_object() : Json::Object{{"name", name}};
  const KerasMapping mapping = cell_mapping(kind);
  return object(mapping.class_name, config_of(mapping, Layer{own.at("name").as_string(), kind.type, attributes,
                                                             keras_origin_from_json(own)}));
}

}  // namespace

std::vector<Correspondence> cell_rows(const Kind& kind) {
  std::vector<Correspondence> rows{
      {"hidden_size", "units", spelling::integer()},
      {"bias", "use_bias", spelling::boolean()},
      {"input_dropout", "dropout", spelling::number()},
      {"recurrent_dropout", "recurrent_dropout", spelling::number()},
  };
  if (kind.type == "RNN") {
    rows.push_back({"nonlinearity", "activation", spelling::activation()});
  } else {
    for (const char* name : {"activation", "recurrent_activation"})
      rows.push_back({name, name, spelling::activation()});
  }
  if (kind.type == "GRU") rows.push_back({"reset_after", "reset_after", spelling::boolean()});
  return rows;
}

Json::Object cell_carried(const Kind& kind) {
  Json::Object carried = carried_for({{"kernel", "GlorotUniform"}, {"recurrent", "Orthogonal"}, {"bias", "Zeros"}},
                                     /*activity_regularizer=*/false);
  if (kind.type == "LSTM") carried.set("unit_forget_bias", true);
  carried.set("seed", nullptr);
  return carried;
}

bool is_stack(const Json& cell) { return cell.is_object() && cell.at("class_name") == Json(kStack); }

bool is_cell_of(const Kind& kind, const Json& cell) {
  if (is_stack(cell)) return !stacked(cell).empty() && is_cell_of(kind, stacked(cell)[0]);
  return cell.at("class_name") == Json(kind.keras_class + "Cell");
}

Json take_cells(const Kind& kind, const Json& cell, Attributes& attributes) {
  if (!is_stack(cell)) return taken(kind, cell, 0, attributes);
  Json::Array cells;
  for (const Json& each : stacked(cell)) cells.push_back(taken(kind, each, cells.size(), attributes));
  const auto is_frozen = [](const Json& each) { return each.at("config").find("trainable") != nullptr; };
  if (std::ranges::adjacent_find(cells, std::ranges::not_equal_to(), is_frozen) != cells.end())
    throw Unsupported("its stacked cells differ in \"trainable\"");
  attributes.set("num_layers", static_cast<std::int64_t>(cells.size()));
  Json::Object kept = cell.at("config").as_object();
  kept.set("cells", std::move(cells));
  return Json::Object{{"class_name", kStack}, {"config", std::move(kept)}};
}

Json whole_cells(const Kind& kind, const Attributes& attributes, const Json& kept) {
  const std::int64_t count = attributes.integer("num_layers");
  if (count == 1 && !is_stack(kept)) return whole(kind, attributes, 0, kept.is_object() ? &kept : nullptr);
  const Json::Object own = is_stack(kept) ? kept.at("config").as_object() : Json::Object{{"name", "stacked_rnn_cells"}};
  const Json* cells = own.find("cells");
  Json::Array all;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    all.push_back(whole(kind, attributes, i, cells && i < cells->as_array().size() ? &cells->as_array()[i] : nullptr));
  // No rows: what every layer has.
  Json::Object config =
      config_of({.type = kind.type, .class_name = kStack},
                Layer{own.at("name").as_string(), kind.type, attributes, keras_origin_from_json(own)});
  config.set("cells", std::move(all));
  return object(kStack, std::move(config));
}

}  // namespace h5bridge::recurrent
