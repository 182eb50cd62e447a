#include "layers/recurrent/keras_cells.h"

#include <algorithm>
#include <functional>

#include "h5bridge/error.h"
#include "layers/recurrent/stacked_cells.h"
#include "model/keras_origin.h"
#include "model/quoted.h"

namespace h5bridge::recurrent {
namespace {

constexpr const char* kStack = "StackedRNNCells";
constexpr const char* kStackName = "stacked_rnn_cells";

// Of a cell whose attributes are some of a layer's, or which is itself a layer of `type`.
KerasMapping cell_mapping(const Kind& kind, const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = kind.keras_class + "Cell"};
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

// `own`: what it says besides its cells, which is what every layer has.
Json stack_object(const Json::Object& own, Json::Array cells) {
  Json::Object config = config_of({.type = kStackedCells, .class_name = kStack},
                                  Layer{own.at("name").as_string(), kStackedCells, {}, keras_origin_from_json(own)});
  config.set("cells", std::move(cells));
  return object(kStack, std::move(config));
}

const Json::Array& stacked(const Json& stack) { return stack.at("config").at("cells").as_array(); }

std::string name_of_cell(const Kind& kind, std::size_t index) {
  return kind.keras_cell + (index == 0 ? "" : "_" + std::to_string(index));
}

// What `cell` says besides its attributes, which it adds to `attributes`.
Json taken(const Kind& kind, const Json& cell, Attributes& attributes) {
  const KerasMapping mapping = cell_mapping(kind, kind.type);
  const Json::Object& config = cell.at("config").as_object();
  Layer read = layer_from_config(mapping, config, {}).value();
  for (const Correspondence& row : mapping.attributes) attributes.set(row.attribute, read.attributes.at(row.attribute));
  read.keras.name = config.at("name").as_string();
  return Json::Object{{"class_name", mapping.class_name}, {"config", keras_origin_to_json(read.keras)}};
}

Json whole(const Kind& kind, const Attributes& attributes, std::size_t index, const Json* kept) {
  const Json::Object own = kept ? kept->at("config").as_object() : Json::Object{{"name", name_of_cell(kind, index)}};
  const KerasMapping mapping = cell_mapping(kind, kind.type);
  return object(mapping.class_name, config_of(mapping, Layer{own.at("name").as_string(), kind.type, attributes,
                                                             keras_origin_from_json(own)}));
}

// Whether one cell may be said by the settings of the other.
bool are_alike(const Kind& kind, const Json& one, const Json& other) {
  const Json* a = one.find("config");
  const Json* b = other.find("config");
  if (!a || !b || other.at("class_name") != Json(kind.keras_class + "Cell")) return false;
  return std::ranges::all_of(cell_rows(kind), [&](const Correspondence& row) {
    const Json* x = a->find(row.keras.c_str());
    const Json* y = b->find(row.keras.c_str());
    return !x || !y ? x == y : *x == *y;
  });
}

const Kind& kind_of_cell(const Json& cell) {
  const std::string& class_name = cell.at("class_name").as_string();
  for (const Kind& kind : kinds())
    if (class_name == kind.keras_class + "Cell") return kind;
  throw Unsupported("it steps a cell of the class " + shortened(class_name) + ", which is not known");
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

KerasMapping sequence_mapping(std::string type, std::string class_name) {
  KerasMapping mapping{.type = std::move(type), .class_name = std::move(class_name)};
  mapping.attributes = {
      {"return_sequences", "return_sequences", spelling::boolean()},
      {"return_state", "return_state", spelling::boolean()},
      {"go_backwards", "go_backwards", spelling::boolean()},
      {"stateful", "stateful", spelling::boolean()},
      {"zero_output_for_mask", "zero_output_for_mask", spelling::boolean(), false},
  };
  mapping.carried = {{"unroll", false}, {"activity_regularizer", nullptr}};
  mapping.call = {"sequences", "initial_state", "mask"};
  take_training(mapping);
  return mapping;
}

bool is_stack(const Json& cell) { return cell.is_object() && cell.at("class_name") == Json(kStack); }

bool is_cell_of(const Kind& kind, const Json& cell) {
  if (!is_stack(cell)) return cell.at("class_name") == Json(kind.keras_class + "Cell");
  const Json::Array& cells = stacked(cell);
  return !cells.empty() && is_cell_of(kind, cells[0]) &&
         std::ranges::all_of(cells, [&](const Json& each) { return are_alike(kind, cells[0], each); });
}

Json take_cells(const Kind& kind, const Json& cell, Attributes& attributes) {
  if (!is_stack(cell)) return taken(kind, cell, attributes);
  Json::Array cells;
  for (const Json& each : stacked(cell)) cells.push_back(taken(kind, each, attributes));
  attributes.set("num_layers", static_cast<std::int64_t>(cells.size()));
  Json::Object kept = cell.at("config").as_object();
  kept.set("cells", std::move(cells));
  return Json::Object{{"class_name", kStack}, {"config", std::move(kept)}};
}

Json whole_cells(const Kind& kind, const Attributes& attributes, const Json& kept) {
  const std::int64_t count = attributes.integer("num_layers");
  if (count == 1 && !is_stack(kept)) return whole(kind, attributes, 0, kept.is_object() ? &kept : nullptr);
  const Json::Object own = is_stack(kept) ? kept.at("config").as_object() : Json::Object{{"name", kStackName}};
  const Json* cells = own.find("cells");
  Json::Array all;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    all.push_back(whole(kind, attributes, i, cells && i < cells->as_array().size() ? &cells->as_array()[i] : nullptr));
  return stack_object(own, std::move(all));
}

std::vector<Layer> take_different_cells(const Json& stack, std::int64_t input_size) {
  std::vector<Layer> cells;
  for (const Json& each : stacked(stack)) {
    const Kind& kind = kind_of_cell(each);
    const Json::Object& config = each.at("config").as_object();
    Layer cell = layer_from_config(cell_mapping(kind, kind.type + "Cell"), config, {}).value();
    cell.attributes.set("input_size", input_size);
    cell.keras.name = config.at("name").as_string();
    input_size = cell.attributes.integer("hidden_size");
    cells.push_back(std::move(cell));
  }
  return cells;
}

Json whole_stack(const std::vector<Layer>& cells, const Json& kept) {
  Json::Array all;
  for (Layer cell : cells) {
    const Kind& kind = kind_of(cell.type);
    const KerasMapping mapping = cell_mapping(kind, cell.type);
    cell.name = cell.keras.name.value_or(name_of_cell(kind, all.size()));
    all.push_back(object(mapping.class_name, config_of(mapping, cell)));
  }
  const Json::Object own = is_stack(kept) ? kept.at("config").as_object() : Json::Object{{"name", kStackName}};
  return stack_object(own, std::move(all));
}

Json kept_of_stack(const Json& stack) {
  Json::Object kept = stack.at("config").as_object();
  kept.erase("cells");
  return Json::Object{{"class_name", kStack}, {"config", std::move(kept)}};
}

}  // namespace h5bridge::recurrent
