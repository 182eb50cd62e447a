#include <algorithm>

#include "convert/schema.h"
#include "facets/spec/attributes/schema_parts.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using schema::code;

// Text inside of a table: a bar would end the cell.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

std::string default_of(const AttributeSpec& spec) {
  return spec.fallback ? code(spec.kind->write_short(*spec.fallback).dump()) : "required";
}

// "`Conv2D`", "`Activation` with `activation` = `"relu"`".
std::string keras_classes(const Registry& registry, const LayerType& type) {
  std::vector<std::string> classes;
  for (const KerasMapping* mapping : registry.keras_of(type.name)) {
    std::vector<std::string> settings;
    for (const auto& [key, value] : mapping->fixed) settings.push_back(code(key + " = " + value.dump()));
    if (mapping->class_name.empty()) {
      classes.emplace_back("operations");
      continue;
    }
    classes.push_back((mapping->is_operation() ? "operation " : "") + code(mapping->class_name) +
                      (settings.empty() ? "" : " with " + joined(settings, ", ")));
  }
  return classes.empty() ? "none" : joined(classes, "; ");
}

// The tensors of any sample: which there are depends on the attributes.
std::string tensors_of(const LayerType& type) {
  std::vector<std::string> names;
  for (const Sample& sample : type.samples)
    for (const ParameterSpec& spec : type.parameters(attributes_from_json(type, sample.attributes, type.name))) {
      const std::string name = code(spec.name) + (spec.role == Role::Buffer ? " (buffer)" : "");
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  return joined(names, ", ");
}

std::string table_of_attributes(const LayerType& type) {
  if (type.attributes.empty()) return "";
  std::string result = "\n| attribute | kind | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const AttributeSpec& spec : type.attributes)
    result += "| " + code(spec.name) + " | " + cell(spec.kind->describe()) + " | " + cell(default_of(spec)) + " | " +
              cell(spec.meaning + (spec.of_call ? " (a call's own)" : "")) + " |\n";
  return result;
}

std::string section_of(const Registry& registry, const LayerType& type) {
  std::string result =
      "\n### " + type.name + "\n" + type.summary + "\n\n- Keras: " + keras_classes(registry, type) + "\n";
  if (const std::string tensors = tensors_of(type); !tensors.empty()) result += "- Tensors: " + tensors + "\n";
  if (type.operands != LayerType().operands)
    result += "- Inputs: " + (type.operands.empty() ? "none" : to_string(type.operands)) + "\n";
  return result + "- Source: " + type.source + "\n" + table_of_attributes(type);
}

}  // namespace

std::string layers_table(const Registry& registry) {
  std::string result =
      "# Layers\n\n"
      "All layer types of the [architecture JSON](architecture_json.md). Generated from the layer definitions in "
      "`src/layers/` by\n"
      "`h5bridge_generate`; a test compares this copy. Attributes are those of PyTorch's constructor or function; the "
      "meaning says where one\n"
      "is Keras's. Those that are a call's own may be otherwise in other calls of a layer. An integer may be open, "
      "too: "
      "text that says how it is computed of the inputs' sizes. Where Keras has several "
      "ways to say a type, the\n"
      "first one is written, and all are read.\n";
  for (const Family& family : registry.families()) {
    result += "\n## " + family.name + "\n";
    for (const LayerType& type : family.types) result += section_of(registry, type);
  }
  return result;
}

}  // namespace h5bridge
