// Writes what is generated from the layer definitions: `h5bridge_generate ROOT` the schema and the tables into
// the repository at ROOT. For the tests, `--samples` prints every sample of every layer type as a model, and
// `--keras-samples` every sample of every Keras class that is read, as a constructor call; `--keras-classes` those
// classes; `--aten-rows` how the arguments of ATen's operators are read.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include "convert/schema.h"
#include "facets/aten/row.h"
#include "generate/keras_samples.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw SystemFailure(path.string() + ": cannot be written");
}

Json shape_to_json(const SymbolicShape& shape) {
  Json::Array result;
  for (const Size& size : shape) result.push_back(size.value() ? Json(*size.value()) : Json(size.str()));
  return result;
}

Json shapes_to_json(const std::vector<Shape>& shapes) {
  Json::Array result;
  for (const Shape& shape : shapes) result.push_back(Json::array(shape));
  return result;
}

Json range_to_json(const std::optional<std::pair<double, double>>& range) {
  return range ? Json(Json::Array{range->first, range->second}) : Json();
}

bool is_integer(const Sample& sample, std::size_t input) {
  return sample.ids_below > 0 || sample.integers.contains(input);
}

Json integers_to_json(const Sample& sample) {
  Json::Array result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    const auto found = sample.integers.find(i);
    result.push_back(found == sample.integers.end() ? Json() : Json::array(found->second));
  }
  return result;
}

// A model of one layer, all of whose outputs are the model's; its batch is open.
Json one_layer_model(const LayerType& type, const Sample& sample) {
  Json::Array inputs;
  Json::Array values;
  for (const SymbolicShape& shape : sample.open_inputs()) {
    const std::string name = "x" + std::to_string(inputs.size());
    inputs.push_back(Json::Object{{"name", name},
                                  {"shape", shape_to_json(shape)},
                                  {"dtype", is_integer(sample, inputs.size()) ? "int64" : "float32"}});
    if (!type.operands.empty()) values.push_back(name);
  }
  Json::Array outputs{"layer"};
  for (std::size_t i = 1;
       i < type.shapes(attributes_from_json(type, sample.attributes, type.name), sample.open_inputs()).size(); ++i)
    outputs.push_back("layer:" + std::to_string(i));
  return Json::Object{
      {"h5bridge", 1},
      {"name", "Sample"},
      {"inputs", std::move(inputs)},
      {"layers",
       Json::Array{Json::Object{
           {"name", "layer"}, {"type", type.name}, {"attributes", sample.attributes}, {"inputs", std::move(values)}}}},
      {"outputs", std::move(outputs)},
  };
}

Json tensors_of(const LayerType& type, const Sample& sample) {
  Json::Array result;
  for (const ParameterSpec& spec : type.parameters(attributes_from_json(type, sample.attributes, type.name)))
    result.push_back(Json::Object{{"name", spec.name},
                                  {"shape", Json::array(spec.shape)},
                                  {"dtype", name_of(spec.dtype)},
                                  {"buffer", spec.role == Role::Buffer}});
  return result;
}

Json samples_of(const Registry& registry) {
  Json::Array result;
  for (const Family& family : registry.families())
    for (const LayerType& type : family.types)
      for (const Sample& sample : type.samples) {
        result.push_back(Json::Object{{"type", type.name},
                                      {"sample", sample.what},
                                      {"attributes", sample.attributes},
                                      {"input_shapes", shapes_to_json(sample.inputs)},
                                      {"ids_below", sample.ids_below},
                                      {"between", range_to_json(sample.between)},
                                      {"integers", integers_to_json(sample)},
                                      {"in_keras", sample.in_keras},
                                      {"tensors", tensors_of(type, sample)},
                                      {"architecture", one_layer_model(type, sample)}});
      }
  return result;
}

/// The types of integers with which Keras computes something that is not known here.
Json integers_not_known(const KerasMapping& mapping) {
  Json::Array result;
  for (const DType dtype : {DType::Int64, DType::Int32, DType::Int8, DType::UInt8, DType::Bool})
    if (mapping.of_integers(Registry::instance().find(mapping.type)->defaults(), dtype) == OfIntegers::NotKnown)
      result.push_back(name_of(dtype));
  return result;
}

Json keras_samples_of(const Registry& registry) {
  Json::Array result;
  for (const Family& family : registry.families())
    for (const KerasMapping& mapping : family.keras)
      for (const KerasSample& sample : samples_of(mapping))
        result.push_back(Json::Object{{"type", mapping.type},
                                      {"module", mapping.module},
                                      {"class_name", mapping.class_name},
                                      {"sample", sample.what},
                                      {"config", sample.config},
                                      {"call", sample.call},
                                      {"inputs_as_list", mapping.inputs_as_list},
                                      {"input_shapes", shapes_to_json(sample.inputs)},
                                      {"ids_below", sample.ids_below},
                                      {"between", range_to_json(sample.between)},
                                      {"integers_not_known", integers_not_known(mapping)}});
  return result;
}

Json keras_classes_of(const Registry& registry) {
  std::set<std::pair<std::string, std::string>> classes;
  for (const Family& family : registry.families())
    for (const KerasMapping& mapping : family.keras)
      if (!mapping.written_only) classes.emplace(mapping.module, mapping.class_name);
  Json::Array result;
  for (const auto& [module, class_name] : classes)
    result.push_back(Json::Object{{"module", module}, {"class_name", class_name}});
  return result;
}

Json names_to_json(const std::vector<std::pair<std::string, Json>>& values) {
  Json::Object result;
  for (const auto& [name, value] : values) result.set(name, value);
  return result;
}

Json defaults_of(const LayerType& type) {
  Json::Object result;
  for (const AttributeSpec& spec : type.attributes)
    result.set(spec.name, spec.fallback ? Json::Array{spec.kind->write_short(*spec.fallback)} : Json::Array{});
  return result;
}

Json row_to_json(const Registry& registry, const aten::Row& row) {
  Json::Object renamed;
  for (const auto& [name, wanted] : row.renamed) renamed.set(name, wanted);
  const LayerType* type = registry.find(row.type);
  Json::Array operands;
  if (type)
    for (const Operand& operand : type->operands) operands.push_back(operand.name);
  return Json::Object{{"operators", Json::array(row.operators)},
                      {"type", row.type},
                      {"renamed", std::move(renamed)},
                      {"defaults", names_to_json(row.defaults)},
                      {"nothing_at", names_to_json(row.nothing_at)},
                      {"ignored", Json::array(row.ignored)},
                      {"is_adjusted", static_cast<bool>(row.adjust)},
                      {"attributes", type ? defaults_of(*type) : Json(Json::Object{})},
                      {"operands", std::move(operands)}};
}

/// The rows of ATen's operators, with what their types have at each attribute: [] where it is required.
Json aten_rows_of(const Registry& registry) {
  Json::Array result;
  for (const auto& [family, rows] : aten::rows_by_family())
    for (const aten::Row* row : rows)
      if (!row->operators.empty()) result.push_back(row_to_json(registry, *row));
  return result;
}

void generate(const std::string& argument) {
  const Registry& registry = Registry::instance();
  static const std::map<std::string, Json (*)(const Registry&)> listings{{"--samples", samples_of},
                                                                         {"--keras-samples", keras_samples_of},
                                                                         {"--keras-classes", keras_classes_of},
                                                                         {"--aten-rows", aten_rows_of}};
  if (const auto listing = listings.find(argument); listing != listings.end()) {
    std::cout << listing->second(registry).dump(1) << "\n";
    return;
  }
  const std::filesystem::path root(argument);
  write(root / "schemas" / "architecture.schema.json", architecture_schema(registry).dump(2) + "\n");
  write(root / "docs" / "layers.md", layers_table(registry));
  write(root / "docs" / "optimizers.md", optimizers_table());
  write(root / "docs" / "aten.md", aten_table());
  write(root / "python" / "h5bridge" / "exporter" / "registry.py", exporter_table(registry));
}

}  // namespace
}  // namespace h5bridge

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: h5bridge_generate ROOT | --samples | --keras-samples | --keras-classes | --aten-rows\n";
    return 2;
  }
  try {
    h5bridge::generate(arguments[1]);
    return 0;
  } catch (const h5bridge::Error& error) {
    std::cerr << "h5bridge_generate: " << error.what() << "\n";
    return static_cast<int>(error.status());
  }
}
