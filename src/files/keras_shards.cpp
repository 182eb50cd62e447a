#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "files/keras_objects.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// One, or a list of several.
std::vector<std::string> files_of(const Json& entry) {
  std::vector<std::string> files;
  if (entry.is_array())
    for (const Json& file : entry.as_array()) files.push_back(file.as_string());
  else
    files.push_back(entry.as_string());
  for (const std::string& file : files)
    if (file.empty() || file == "." || file == ".." || file.find_first_of("/\\") != std::string::npos)
      throw MalformedFile("the shard \"" + shortened(file) + "\" is no file beside the index");
  return files;
}

// "layers/dense" for "/layers/dense/vars", and the model itself, "", for "/vars".
std::string object_of_entry(const std::string& entry) {
  return entry == "/vars" ? "" : entry.substr(1, entry.size() - std::string_view("//vars").size());
}

}  // namespace

bool is_keras_shard_index(const Json& index) {
  const Json* map = index.find("weight_map");
  return map && map->is_object() && !map->as_object().empty() &&
         std::ranges::all_of(map->as_object(), [](const Json::Member& entry) {
           return entry.first.starts_with("/") && entry.first.ends_with("/vars");
         });
}

KerasFile read_keras_shards(const std::string& path, const Json& index) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::map<std::string, std::string> shards;  // to their places
  for (const auto& [entry, files] : index.at("weight_map").as_object())
    for (const std::string& file : files_of(files)) shards.emplace(file, (folder / file).string());
  std::vector<hdf5::Group> roots;
  for (const auto& [name, place] : shards) roots.push_back(in_file(name, [&] { return hdf5::open(place); }));
  KerasFile file;
  file.format = "keras-weights";
  read_keras_objects(roots, file);
  std::set<std::string_view> found;
  for (const KerasObject& object : file.objects) found.insert(object.path);
  for (const auto& [entry, files] : index.at("weight_map").as_object()) {
    const std::string object = object_of_entry(entry);
    if (!is_of_optimizer(object) && !found.contains(object))
      throw MalformedFile("the variables at " + shortened(entry) + " are in no shard");
  }
  return file;
}

}  // namespace h5bridge
