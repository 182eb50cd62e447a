#include "files/keras_archive.h"

#include <filesystem>
#include <span>
#include <utility>

#include "files/hdf5.h"
#include "files/keras_objects.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr const char* kConfigFile = "config.json";
constexpr const char* kMetadataFile = "metadata.json";
constexpr const char* kWeightsFile = "model.weights.h5";
constexpr const char* kIndexFile = "model.weights.json";
constexpr const char* kArraysFile = "model.weights.npz";
constexpr std::uint64_t kLargestDocument = std::uint64_t{1} << 28;

// Nothing is ever unpacked to where a name says; such a name was made for somebody who does.
void check_entry_names(const ZipReader& archive) {
  for (const ZipEntry& entry : archive.entries()) {
    std::string name = "/" + entry.name + "/";
    for (char& letter : name)
      if (letter == '\\') letter = '/';
    const bool is_absolute = name.starts_with("//") || (entry.name.size() > 1 && entry.name[1] == ':');
    if (is_absolute || name.find("/../") != std::string::npos)
      throw MalformedFile("entry \"" + entry.name + "\" leads out of the archive, which is refused");
  }
}

Json read_json(const ZipReader& archive, const ZipEntry& entry) {
  if (entry.size > kLargestDocument)
    throw MalformedFile(entry.name + " is a text of " + std::to_string(entry.size) + " bytes, which is too large");
  const std::vector<std::byte> text = archive.read(entry);
  return Json::parse({reinterpret_cast<const char*>(text.data()), text.size()}, entry.name);
}

}  // namespace

Json training_config_of(const Json& compile) {
  if (!compile.is_object() || compile.as_object().empty()) return {};
  Json::Object result;
  for (const auto& [name, value] : compile.as_object())
    if (name != "optimizer") result.set(name, value);
  if (const Json* optimizer = compile.find("optimizer"); optimizer && !optimizer->is_null())
    result.set("optimizer_config", *optimizer);
  return result;
}

bool is_keras_archive(const ZipReader& archive) {
  return archive.find(kConfigFile) &&
         (archive.find(kMetadataFile) || archive.find(kWeightsFile) || archive.find(kArraysFile));
}

namespace {

// What config.json and metadata.json, if there, say.
KerasFile file_of_documents(Json config, const Json& metadata) {
  KerasFile file;
  file.format = "keras";
  if (const Json* version = metadata.find("keras_version"); version && version->is_string())
    file.keras_version = version->as_string();
  file.model_config = std::move(config);
  file.has_model_config = true;
  if (const Json* compile = file.model_config.find("compile_config"))
    file.training_config = training_config_of(*compile);
  if (file.model_config.is_object()) file.model_config.as_object().erase("compile_config");
  return file;
}

Json read_json(const std::filesystem::path& folder, const char* name) {
  const ByteSourcePtr file = open_file((folder / name).string());
  if (file->size() > kLargestDocument)
    throw MalformedFile(std::string(name) + " is a text of " + std::to_string(file->size()) +
                        " bytes, which is too large");
  std::string text(file->size(), '\0');
  file->read_at(0, std::as_writable_bytes(std::span(text)));
  return Json::parse(text, name);
}

}  // namespace

KerasFile read_keras_archive(const ZipReader& archive) {
  check_entry_names(archive);
  const ZipEntry* metadata = archive.find(kMetadataFile);
  const ZipEntry* config = archive.find(kConfigFile);
  if (!config) throw MalformedFile(std::string("has no ") + kConfigFile);
  KerasFile file = file_of_documents(read_json(archive, *config), metadata ? read_json(archive, *metadata) : Json());
  const ZipEntry* weights = archive.find(kWeightsFile);
  if (!weights && archive.find(kArraysFile))
    throw Unsupported(std::string("has its weights as ") + kArraysFile +
                      ", which h5bridge does not read: save the model again, with weights_format=\"h5\"");
  if (!weights) throw MalformedFile(std::string("has no ") + kWeightsFile + " beside " + kConfigFile);
  in_file(kWeightsFile, [&] {
    const hdf5::Group root = hdf5::open(archive.open(*weights));
    read_keras_objects({&root, 1}, file);
  });
  return file;
}

KerasFile read_keras_folder(const std::string& path) {
  const std::filesystem::path folder(path);
  std::error_code ignored;
  const bool has_metadata = std::filesystem::exists(folder / kMetadataFile, ignored);
  KerasFile file =
      file_of_documents(read_json(folder, kConfigFile), has_metadata ? read_json(folder, kMetadataFile) : Json());
  const std::string weights = (folder / kWeightsFile).string(), index = (folder / kIndexFile).string();
  if (!std::filesystem::exists(weights, ignored)) {
    KerasFile shards = in_file(kIndexFile, [&] { return read_keras_shards(index, read_json(folder, kIndexFile)); });
    file.objects = std::move(shards.objects);
    file.optimizer = std::move(shards.optimizer);
    file.extra = std::move(shards.extra);
    file.extra_tensors = std::move(shards.extra_tensors);
    return file;
  }
  in_file(kWeightsFile, [&] {
    const hdf5::Group root = hdf5::open(weights);
    read_keras_objects({&root, 1}, file);
  });
  return file;
}

}  // namespace h5bridge
