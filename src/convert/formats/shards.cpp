// A state_dict in several files of PyTorch's or of safetensors, read by their index: {"weight_map": {name: file}}.
#include <filesystem>
#include <map>
#include <set>

#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "convert/safetensors_ties.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

/// The files of a set, which lie beside the index, each with the names that it is to have.
std::map<std::string, std::set<std::string>> shards_of(const Json& index) {
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [name, file] : index.at("weight_map").as_object()) {
    const std::string& shard = file.as_string();
    if (shard.empty() || shard == "." || shard == ".." || shard.find_first_of("/\\") != std::string::npos)
      throw MalformedFile("the shard \"" + shortened(shard) + "\" is no file beside the index");
    shards[shard].insert(name);
  }
  return shards;
}

bool is_index(const SourceFile& file) { return file.json() && file.json()->find("weight_map"); }

Model read_shard(const std::string& path, const LoadOptions& options) {
  const SourceFile file(path, options.memory_map);
  const Format& format = recognise(file);
  std::optional<Model> shard;
  if (format.holds == Holds::Weights && !is_index(file)) shard = format.read(file, options).torch;
  if (!shard) throw MalformedFile("is no shard: expected a safetensors file, or one of torch.save");
  return *std::move(shard);
}

// Whether it only stands for another tensor, as one shard's metadata has it.
bool is_tie(const Model& shard, const std::string& name) {
  const Json* texts = shard.metadata.find(kSafetensorsMember);
  return texts && texts->find(name);
}

// Throws MalformedFile where a name is not in its shard, and where a shard has names that the index lacks.
Model read_shards(const SourceFile& file, const LoadOptions& options) {
  const Json& index = *file.json();
  const std::filesystem::path folder = std::filesystem::path(file.path()).parent_path();
  std::map<std::string, Tensor> found;
  Model model;
  for (const auto& [name, expected] : shards_of(index)) {
    const std::string path = (folder / name).string();
    Model shard = in_file(path, [&] { return read_shard(path, options); });
    model.framework = shard.framework;
    model.format = shard.format;
    for (const NamedTensor& tensor : shard.weights) {
      if (is_tie(shard, tensor.name)) continue;
      if (!expected.contains(tensor.name))
        throw MalformedFile("the tensor \"" + shortened(tensor.name) + "\" of " + name + " is not in the index");
      found.emplace(tensor.name, tensor.tensor);
    }
    for (auto& [member, value] : shard.metadata) model.metadata.set(member, std::move(value));
  }
  for (const auto& [name, shard] : index.at("weight_map").as_object()) {
    const auto tensor = found.find(name);
    if (tensor == found.end())
      throw MalformedFile("the tensor \"" + shortened(name) + "\" is not in " + shard.as_string());
    model.weights.add(name, tensor->second);
  }
  add_safetensors_ties(model);  // of any shard, to a tensor of any shard
  return model;
}

}  // namespace

Format shards_format() {
  return {
      .name = "safetensors",
      .holds = Holds::Weights,
      .looks_like = is_index,
      .read = [](const SourceFile& file,
                 const LoadOptions& options) { return FileContent{.torch = read_shards(file, options)}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions& options) { return inspect_state_dict(read_shards(file, options)); },
  };
}

}  // namespace h5bridge
