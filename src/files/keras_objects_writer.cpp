#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "files/keras_objects.h"
#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

/// Keras has float8 variables, and its own files return them as bytes that it cannot load.
bool keras_reads_back(DType dtype) { return dtype != DType::Float8E4M3FN && dtype != DType::Float8E5M2; }

// Of its variables those from `first` on, up to `end`.
void write_object(const hdf5::NewGroup& root, const KerasObject& object, std::size_t first, std::size_t end) {
  const hdf5::NewGroup group = root.create_group((object.path.empty() ? "" : object.path + "/") + "vars");
  if (!object.name.empty()) group.set_text("name", object.name, hdf5::CharacterSet::Utf8);
  for (std::size_t i = first; i < end; ++i) {
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

// Of the model and of its optimizer.
std::vector<KerasObject> all_objects(const KerasFile& file) {
  std::set<std::string> seen;
  std::vector<KerasObject> objects = file.objects;
  std::ranges::move(optimizer_objects(file), std::back_inserter(objects));
  for (const KerasObject& object : objects)
    if (!seen.insert(object.path).second) throw Unsupported("the path \"" + object.path + "\" is that of two objects");
  return objects;
}

/// Variables of an object that stand in one shard.
struct ShardPart {
  const KerasObject* object;
  std::size_t first, end;
};

using Shard = std::vector<ShardPart>;

// As many variables a shard as fit, in their order, like Keras (saving_lib.py, ShardedH5IOStore).
std::vector<Shard> shards_of(const std::vector<KerasObject>& objects, std::uint64_t most) {
  std::vector<Shard> shards(1);
  std::uint64_t size = 0;
  for (const KerasObject& object : objects) {
    shards.back().push_back({&object, 0, 0});
    for (std::size_t i = 0; i < object.variables.size(); ++i) {
      const std::uint64_t own = object.variables[i].byte_count();
      if (own > most)
        throw UsageError(object.path + "/vars/" + std::to_string(i) + " takes " + std::to_string(own) +
                         " bytes, more than SaveOptions::shard_size");
      if (size > most - own) {
        shards.emplace_back(Shard{{&object, i, i}});
        size = 0;
      }
      size += own;
      shards.back().back().end = i + 1;
    }
  }
  return shards;
}

// The file of one variable, {"/layers/dense/vars": "model_00000.weights.h5"}; of several, a list of theirs.
Json weight_map(const std::vector<Shard>& shards, const std::vector<std::string>& names) {
  std::map<std::string, Json::Array> files;
  std::map<std::string, std::size_t> counts;
  std::vector<std::string> order;
  for (std::size_t s = 0; s < shards.size(); ++s)
    for (const ShardPart& part : shards[s]) {
      if (part.first == part.end) continue;
      const std::string entry = "/" + (part.object->path.empty() ? "" : part.object->path + "/") + "vars";
      if (files[entry].empty()) order.push_back(entry);
      files[entry].emplace_back(names[s]);
      counts[entry] += part.end - part.first;
    }
  Json::Object map;
  for (const std::string& entry : order) map.set(entry, counts[entry] == 1 ? files[entry].front() : Json(files[entry]));
  return map;
}

}  // namespace

void write_keras_objects(KerasFile& file, const hdf5::NewGroup& root) {
  for (const KerasObject& object : all_objects(file)) write_object(root, object, 0, object.variables.size());
  write_extra(root, file);
}

Json write_keras_shards(KerasFile file, const std::string& name, std::uint64_t most,
                        const std::function<std::string(const std::string&)>& place_of) {
  const std::vector<KerasObject> objects = all_objects(file);
  const std::vector<Shard> shards = shards_of(objects, most);
  std::vector<std::string> names;
  std::uint64_t total = 0;
  for (const Shard& shard : shards) {
    const std::string number = std::to_string(names.size());
    names.push_back(name + "_" + std::string(number.size() < 5 ? 5 - number.size() : 0, '0') + number + ".weights.h5");
    hdf5::NewFile out(place_of(names.back()));
    for (const auto& [object, first, end] : shard) {
      write_object(out.root(), *object, first, end);
      for (std::size_t i = first; i < end; ++i) total += object->variables[i].byte_count();
    }
    if (names.size() == 1) write_extra(out.root(), file);
    out.finish();
  }
  return Json::Object{{"metadata", Json::Object{{"total_size", static_cast<std::int64_t>(total)}}},
                      {"weight_map", weight_map(shards, names)}};
}

void write_keras_weights(KerasFile file, const std::string& path) {
  hdf5::NewFile out(path);
  write_keras_objects(file, out.root());
  out.finish();
}

}  // namespace h5bridge
