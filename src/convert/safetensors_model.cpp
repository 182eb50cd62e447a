#include "convert/safetensors_model.h"

#include <filesystem>
#include <map>
#include <set>

#include "convert/recognise.h"
#include "files/safetensors.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "model/tensor_view.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr const char* kMember = "safetensors";

// A name that stands for a tensor of the file is one more name of it; all else in the metadata is for its reader.
void add_ties(const safetensors::Metadata& metadata, Weights& weights) {
  for (const auto& [name, stored] : metadata)
    if (const Tensor* tensor = weights.find(stored); tensor && !weights.find(name)) weights.add(name, Tensor(*tensor));
}

Model shard_from(const ByteSourcePtr& file, const LoadOptions& options) {
  switch (recognise(file)) {
    case SourceKind::Safetensors: return model_from_safetensors(file);
    case SourceKind::Torch: return read_torch_file(file, {options.key, options.optimizer});
    default: throw MalformedFile("is no shard: expected a safetensors file, or one of torch.save");
  }
}

/// The files of a set, each with the names that it is to have.
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

}  // namespace

Model model_from_safetensors(const ByteSourcePtr& file) {
  safetensors::File content = safetensors::read(file);
  Model model;
  model.framework = Framework::Torch;
  model.format = "safetensors";
  for (NamedTensor& tensor : content.tensors) model.weights.add(std::move(tensor.name), std::move(tensor.tensor));
  add_ties(content.metadata, model.weights);
  if (!content.metadata.empty())
    model.metadata.set(kMember,
                       Json::Object(std::vector<Json::Member>(content.metadata.begin(), content.metadata.end())));
  return model;
}

Model model_from_shards(const std::string& index_path, const LoadOptions& options) {
  const Json index = Json::parse(read_text(*open_file(index_path)));
  const std::filesystem::path folder = std::filesystem::path(index_path).parent_path();
  std::map<std::string, Tensor> found;
  Model model;
  for (const auto& [name, expected] : shards_of(index)) {
    const std::string path = (folder / name).string();
    Model shard = in_file(path, [&] { return shard_from(open_file(path), options); });
    model.framework = shard.framework;
    model.format = shard.format;
    for (const NamedTensor& tensor : shard.weights) {
      if (!expected.contains(tensor.name))
        throw MalformedFile("the tensor \"" + shortened(tensor.name) + "\" of " + name + " is not in the index");
      found.emplace(tensor.name, tensor.tensor);
    }
    for (auto& [member, value] : shard.metadata) model.metadata.set(member, std::move(value));
  }
  for (const auto& [name, file] : index.at("weight_map").as_object()) {
    const auto tensor = found.find(name);
    if (tensor == found.end())
      throw MalformedFile("the tensor \"" + shortened(name) + "\" is not in " + file.as_string());
    model.weights.add(name, tensor->second);
  }
  return model;
}

void write_safetensors(const Model& model, std::ostream& out) {
  safetensors::Metadata metadata;
  std::vector<NamedTensor> tensors;
  std::map<TensorView, std::string> stored;
  std::vector<std::pair<std::string, std::string>> ties;
  for (const NamedTensor& item : model.weights) {
    const auto [view, is_new] = stored.emplace(view_of(item.tensor), item.name);
    if (is_new || item.tensor.element_count() == 0)
      tensors.push_back(item);
    else
      ties.emplace_back(item.name, view->second);
  }
  if (const Json* kept = model.metadata.find(kMember))
    for (const auto& [name, text] : kept->as_object())
      if (!model.weights.find(name)) metadata.emplace_back(name, text.as_string());
  // Without it, Hugging Face's libraries do not take the file for one of PyTorch's.
  if (metadata.empty()) metadata.emplace_back("format", "pt");
  metadata.insert(metadata.end(), ties.begin(), ties.end());
  safetensors::write(tensors, metadata, out);
}

}  // namespace h5bridge
