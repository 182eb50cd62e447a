#include <algorithm>
#include <iterator>
#include <set>

#include "files/keras_objects.h"
#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

/// Keras has float8 variables, and its own files return them as bytes that it cannot load.
bool keras_reads_back(DType dtype) { return dtype != DType::Float8E4M3FN && dtype != DType::Float8E5M2; }

void write_object(const hdf5::NewGroup& root, const KerasObject& object) {
  const hdf5::NewGroup group = root.create_group((object.path.empty() ? "" : object.path + "/") + "vars");
  if (!object.name.empty()) group.set_text("name", object.name, hdf5::CharacterSet::Utf8);
  for (std::size_t i = 0; i < object.variables.size(); ++i) {
    const Tensor& tensor = object.variables[i];
    if (!keras_reads_back(tensor.dtype()))
      throw Unsupported(object.path + "/vars/" + std::to_string(i) + " is " + std::string(name_of(tensor.dtype())) +
                        ", which Keras cannot load");
    const hdf5::NewObject written = group.write_as_numpy(std::to_string(i), tensor);
    if (tensor.dtype() == DType::BFloat16) written.set_text("dtype", "bfloat16", hdf5::CharacterSet::Utf8);
  }
}

// By their order.
std::vector<KerasObject> optimizer_objects(const KerasFile& file) {
  std::vector<KerasObject> result;
  for (const KerasVariable& variable : file.optimizer) {
    // Those of an optimizer within the optimizer have the way to it before their number, "inner_optimizer/vars/0".
    const std::size_t end = variable.path.rfind("/vars/");
    const std::string path = "optimizer" + (end == std::string::npos ? "" : "/" + variable.path.substr(0, end));
    auto object = std::ranges::find(result, path, &KerasObject::path);
    if (object == result.end()) {
      const Json* optimizer = file.training_config.find("optimizer_config");
      const Json* config = optimizer ? optimizer->find("config") : nullptr;
      const Json* name = config && end == std::string::npos ? config->find("name") : nullptr;
      object = result.insert(result.end(), {path, name && name->is_string() ? name->as_string() : "", {}});
    }
    object->variables.push_back(variable.tensor);
  }
  return result;
}

}  // namespace

void write_keras_objects(const KerasFile& file, const hdf5::NewGroup& root) {
  std::set<std::string> seen;
  std::vector<KerasObject> objects = file.objects;
  std::ranges::move(optimizer_objects(file), std::back_inserter(objects));
  for (const KerasObject& object : objects) {
    if (!seen.insert(object.path).second) throw Unsupported("the path \"" + object.path + "\" is that of two objects");
    write_object(root, object);
  }
  write_extra(root, file);
}

void write_keras_weights(const KerasFile& file, const std::string& path) {
  hdf5::NewFile out(path);
  write_keras_objects(file, out.root());
  out.finish();
}

}  // namespace h5bridge
