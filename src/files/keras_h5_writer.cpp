#include <algorithm>
#include <array>
#include <set>

#include "files/hdf5.h"
#include "files/keras_h5.h"
#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using hdf5::CharacterSet;

// Keras's HDF5_OBJECT_HEADER_LIMIT: what an attribute may hold without the library refusing it.
constexpr std::size_t kAttributeLimit = 64512;
// What an attribute holds of a string of variable length: its length and its place in the file.
constexpr std::size_t kReferenceSize = 16;
constexpr const char* kTopLevel = "top_level_model_weights";

/// Writes a list of names as Keras does: as one attribute, or where that would be too large, padded to equal lengths
/// and split evenly (numpy.array_split) over `attribute`0, `attribute`1, ...
void write_names(const hdf5::NewObject& object, const std::string& attribute, const std::vector<std::string>& names) {
  if (names.empty()) return object.set_no_texts(attribute);
  std::size_t width = 1;
  for (const std::string& name : names) width = std::max(width, name.size());
  if (width > kAttributeLimit)
    throw Unsupported("a name of " + std::to_string(width) + " bytes in " + attribute + " of " + object.path() +
                      ": Keras allows " + std::to_string(kAttributeLimit));

  const std::size_t most = kAttributeLimit / width;
  const std::size_t parts = (names.size() + most - 1) / most;
  if (parts == 1) {
    const bool fits = names.size() * kReferenceSize <= kAttributeLimit;  // many short names: padding takes less
    return fits ? object.set_texts(attribute, names) : object.set_padded_texts(attribute, names);
  }
  auto next = names.begin();
  for (std::size_t part = 0; part < parts; ++part) {
    const auto end = next + static_cast<std::ptrdiff_t>(names.size() / parts + (part < names.size() % parts ? 1 : 0));
    object.set_padded_texts(attribute + std::to_string(part), {next, end});
    next = end;
  }
}

/// Refuses names that HDF5 would take for something else: "a//b", ".", an end in the middle.
void check_name(const std::string& name, const std::string& kind) {
  const std::string padded = "/" + name + "/";
  for (const std::string_view bad : {std::string_view("//"), std::string_view("/./"), std::string_view("\0", 1)})
    if (padded.find(bad) != std::string::npos)
      throw Unsupported(kind + " \"" + name + "\" cannot be a name in an HDF5 file");
}

/// Keras has variables of these types, but its own HDF5 files return them as opaque bytes that it cannot load.
bool keras_cannot_load(DType dtype) {
  constexpr std::array<DType, 3> kOpaque{DType::BFloat16, DType::Float8E4M3FN, DType::Float8E5M2};
  return std::find(kOpaque.begin(), kOpaque.end(), dtype) != kOpaque.end();
}

void check_variables(const std::vector<KerasVariable>& variables, const std::string& owner) {
  std::set<std::string_view> seen;
  for (const auto& [path, tensor] : variables) {
    const std::string what = owner + ": variable";
    check_name(path, what);
    if (!seen.insert(path).second) throw Unsupported(what + " \"" + path + "\" occurs twice");
    if (keras_cannot_load(tensor.dtype()))
      throw Unsupported(
          what + " \"" + path + "\" is " + std::string(name_of(tensor.dtype())) +
          ", which Keras cannot load from an HDF5 file; float32 has all of its bits (SaveOptions::dtype)");
  }
}

void check_file(const KerasFile& file) {
  std::set<std::string_view> taken{kTopLevel};
  for (const auto& [layer, variables] : file.layers) {
    check_name(layer, "layer");
    if (!taken.insert(layer).second) throw Unsupported("layer name \"" + layer + "\" is taken");
    check_variables(variables, "layer \"" + layer + "\"");
  }
  check_variables(file.top_level, "the model");
  check_variables(file.optimizer, "the optimizer");
}

void write_variables(const hdf5::NewGroup& group, const std::vector<KerasVariable>& variables) {
  std::vector<std::string> paths;
  for (const KerasVariable& variable : variables) paths.push_back(variable.path);
  write_names(group, "weight_names", paths);
  for (const auto& [path, tensor] : variables) group.write(path, tensor);
}

void write_weights(const hdf5::NewGroup& group, const KerasFile& file) {
  std::vector<std::string> names;
  std::vector<const KerasLayerWeights*> layers;
  for (const KerasLayerWeights& layer : file.layers) {
    names.push_back(layer.layer);
    layers.push_back(&layer);
  }
  write_names(group, "layer_names", names);
  // Keras sorts its groups, so that one called as the beginning of another's path comes first.
  std::sort(layers.begin(), layers.end(), [](const auto* a, const auto* b) { return a->layer < b->layer; });
  for (const KerasLayerWeights* layer : layers) write_variables(group.create_group(layer->layer), layer->variables);
  write_variables(group.create_group(kTopLevel), file.top_level);
}

void write_versions(const hdf5::NewObject& object, const KerasFile& file, CharacterSet character_set) {
  if (!file.keras_version.empty()) object.set_text("keras_version", file.keras_version, character_set);
  if (!file.backend.empty()) object.set_text("backend", file.backend, character_set);
}

}  // namespace

void write_keras_h5(KerasFile file, const std::string& path) {
  check_file(file);
  hdf5::NewFile out(path);
  {
    const hdf5::NewGroup root = out.root();
    write_extra(root, file);  // before a longer text, as HDF5 keeps both in one piece, which it copies to add to it
    if (file.model_config.is_null()) {
      write_versions(root, file, CharacterSet::Ascii);
      write_weights(root, file);
    } else {
      write_versions(root, file, CharacterSet::Utf8);
      root.set_text("model_config", taken_text(file.model_config), CharacterSet::Ascii);
      if (!file.training_config.is_null())
        root.set_text("training_config", taken_text(file.training_config), CharacterSet::Ascii);
      const hdf5::NewGroup weights = root.create_group("model_weights");
      write_weights(weights, file);
      write_versions(weights, file, CharacterSet::Ascii);
    }
    if (!file.optimizer.empty()) write_variables(root.create_group("optimizer_weights"), file.optimizer);
  }
  out.finish();
}

}  // namespace h5bridge
