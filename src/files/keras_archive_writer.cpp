#include <algorithm>
#include <ctime>
#include <fstream>

#include "files/hdf5.h"
#include "files/inflate.h"
#include "files/keras_archive.h"
#include "files/keras_objects.h"
#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr std::size_t kChecksumBlock = std::size_t{1} << 20;

// As keras.src.saving.saving_lib writes it: the time where the file is made.
std::string date_saved() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[32];
  return std::strftime(text, sizeof text, "%Y-%m-%d@%H:%M:%S", &local) > 0 ? text : "";
}

// Objects of Keras's, alone or in lists and dicts, with the module that a .h5 file leaves out.
Json with_modules(const Json& json, const std::string& module) {
  if (json.is_array()) {
    Json::Array result;
    for (const Json& element : json.as_array()) result.push_back(with_modules(element, module));
    return result;
  }
  if (!json.is_object()) return json;
  if (const Json* class_name = json.find("class_name"); class_name && json.find("config")) {
    if (json.find("module")) return json;
    return Json::Object{
        {"module", module}, {"class_name", *class_name}, {"config", json.at("config")}, {"registered_name", nullptr}};
  }
  Json::Object result;
  for (const auto& [name, value] : json.as_object()) result.set(name, with_modules(value, module));
  return result;
}

Json compile_config(const Json::Object& training) {
  Json::Object compile;
  if (const Json* optimizer = training.find("optimizer_config"))
    compile.set("optimizer", with_modules(*optimizer, "keras.optimizers"));
  for (const auto& [name, value] : training) {
    if (name == "optimizer_config") continue;
    const bool is_metrics = name == "metrics" || name == "weighted_metrics";
    compile.set(name, is_metrics       ? with_modules(value, "keras.metrics")
                      : name == "loss" ? with_modules(value, "keras.losses")
                                       : value);
  }
  return compile;
}

// The model as an object of Keras's, which its other formats have without a module.
Json as_object(const KerasFile& file) {
  const Json& model = file.model_config;
  const bool is_sequential = model.at("class_name") == Json("Sequential");
  Json::Object result{{"module", is_sequential ? "keras" : "keras.src.models.functional"},
                      {"class_name", model.at("class_name")},
                      {"config", model.at("config")},
                      {"registered_name", is_sequential ? Json() : Json("Functional")}};
  for (const char* member : {"build_config", "compile_config"})
    if (const Json* said = model.find(member)) result.set(member, *said);
  if (file.training_config.is_object()) result.set("compile_config", compile_config(file.training_config.as_object()));
  return result;
}

ZipWriter::Content content_at(const std::string& path, std::uint64_t offset) {
  const ByteSourcePtr file = open_file(path);
  ZipWriter::Content result{file->size() - offset, 0};
  std::vector<std::byte> block(std::min<std::uint64_t>(kChecksumBlock, result.size));
  for (std::uint64_t at = 0; at < result.size;) {
    const auto piece = std::span(block).first(std::min<std::uint64_t>(block.size(), result.size - at));
    file->read_at(offset + at, piece);
    result.crc32 = checksum(piece, result.crc32);
    at += piece.size();
  }
  return result;
}

}  // namespace

void write_keras_archive(KerasFile file, const std::string& path) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) throw SystemFailure("it cannot be written");
  ZipWriter archive(out);
  const Json metadata = Json::Object{{"keras_version", file.keras_version}, {"date_saved", date_saved()}};
  archive.add("metadata.json", metadata.dump());
  Json model = as_object(file);
  file.model_config = Json();
  archive.add("config.json", taken_text(model));
  archive.add_in_place("model.weights.h5", [&](std::uint64_t offset) {
    hdf5::NewFile weights(path, offset);
    write_keras_objects(file, weights.root());
    weights.finish();
    return content_at(path, offset);
  });
  archive.finish();
  out.close();
  if (!out) throw SystemFailure("writing failed (disk full?)");
}

}  // namespace h5bridge
