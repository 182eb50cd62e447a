// Writes what is generated from the layer definitions: `h5bridge_generate ROOT` the schema and the table of layers into the
// repository at ROOT; `h5bridge_generate --samples` prints, for the tests, every sample of every layer type as a model.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "convert/schema.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw SystemFailure(path.string() + ": cannot be written");
}

// A model of one layer; its batch is open.
Json one_layer_model(const LayerType& type, const Sample& sample) {
  Json::Array inputs;
  Json::Array values;
  for (const Shape& shape : sample.inputs) {
    Json::Array sizes = Json::array(shape).as_array();
    sizes.at(0) = "batch";
    const std::string name = "x" + std::to_string(inputs.size());
    inputs.push_back(Json::Object{{"name", name}, {"shape", std::move(sizes)}, {"dtype", "float32"}});
    values.push_back(name);
  }
  return Json::Object{
      {"h5bridge", 1},
      {"name", "Sample"},
      {"inputs", std::move(inputs)},
      {"layers", Json::Array{Json::Object{{"name", "layer"}, {"type", type.name}, {"attributes", sample.attributes}, {"inputs", std::move(values)}}}},
      {"outputs", Json::Array{"layer"}},
  };
}

Json tensors_of(const LayerType& type, const Sample& sample) {
  Json::Array result;
  for (const ParameterSpec& spec : type.parameters(attributes_from_json(type, sample.attributes, type.name)))
    result.push_back(Json::Object{{"name", spec.name}, {"shape", Json::array(spec.shape)}, {"dtype", name_of(spec.dtype)}, {"buffer", spec.role == Role::Buffer}});
  return result;
}

Json samples_of(const Registry& registry) {
  Json::Array result;
  for (const Family& family : registry.families())
    for (const LayerType& type : family.types)
      for (const Sample& sample : type.samples) {
        Json::Array shapes;
        for (const Shape& shape : sample.inputs) shapes.push_back(Json::array(shape));
        result.push_back(Json::Object{{"type", type.name},
                                      {"sample", sample.what},
                                      {"attributes", sample.attributes},
                                      {"input_shapes", std::move(shapes)},
                                      {"in_keras", sample.in_keras},
                                      {"tensors", tensors_of(type, sample)},
                                      {"architecture", one_layer_model(type, sample)}});
      }
  return result;
}

void generate(const std::string& argument) {
  const Registry& registry = Registry::instance();
  if (argument == "--samples") {
    std::cout << samples_of(registry).dump(1) << "\n";
    return;
  }
  const std::filesystem::path root(argument);
  write(root / "schemas" / "architecture.schema.json", architecture_schema(registry).dump(2) + "\n");
  write(root / "docs" / "layers.md", layers_table(registry));
}

}  // namespace
}  // namespace h5bridge

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: h5bridge_generate ROOT | --samples\n";
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
