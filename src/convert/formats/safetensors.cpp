// A state_dict as safetensors, whose ties stand in the metadata as safetensors.torch.save_model notes them
// ({"head.weight": "tokens.weight"}: the first is not stored, and is the second).
#include "files/safetensors.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <ostream>
#include <span>
#include <string_view>

#include "convert/formats/format.h"
#include "convert/formats/torch_destination.h"
#include "convert/inspection_parts.h"
#include "convert/reference.h"
#include "convert/safetensors_ties.h"
#include "convert/torch_notes.h"
#include "h5bridge/error.h"
#include "model/base64.h"
#include "model/tensor_view.h"

namespace h5bridge {
namespace {

constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kSafetensorsIndex = ".safetensors.index.json";
constexpr std::string_view kReferenceMember = "h5bridge.reference";  // of the metadata: reference_bytes in base64
constexpr std::size_t kMostReference = 32 << 20;  // its characters: the format wants headers of no more than 100 MB
constexpr std::uint64_t kSafetensorsShardSize = 5'000'000'000;  // as Hugging Face's libraries have it

// Ties included; metadata["safetensors"] has the file's own texts.
Model read_safetensors(const ByteSourcePtr& file) {
  safetensors::File content = safetensors::read(file);
  Model model;
  model.framework = Framework::Torch;
  model.format = "safetensors";
  for (NamedTensor& tensor : content.tensors) model.weights.add(std::move(tensor.name), std::move(tensor.tensor));
  if (const auto kept =
          std::ranges::find(content.metadata, kReferenceMember, &safetensors::Metadata::value_type::first);
      kept != content.metadata.end()) {
    model.reference = reference_from_bytes(bytes_in_memory(from_base64(kept->second)));
    content.metadata.erase(kept);
  }
  if (!content.metadata.empty())
    model.metadata.set(kSafetensorsMember,
                       Json::Object(std::vector<Json::Member>(content.metadata.begin(), content.metadata.end())));
  add_safetensors_ties(model);
  return model;
}

// What a file has of a model: tensors in their order, of which those that are the same view of the same bytes are
// stored once, and texts.
struct Content {
  std::vector<NamedTensor> tensors;
  safetensors::Metadata metadata;
  std::map<std::string, std::vector<std::string>> ties;  // by the name that is stored
};

Content content_of(const Model& model) {
  Content content;
  std::map<TensorView, std::string> stored;
  for (const NamedTensor& item : model.weights) {
    const auto [view, is_new] = stored.emplace(view_of(item.tensor), item.name);
    if (is_new || item.tensor.element_count() == 0)
      content.tensors.push_back(item);
    else
      content.ties[view->second].push_back(item.name);
  }
  if (const Json* kept = model.metadata.find(kSafetensorsMember))
    for (const auto& [name, text] : kept->as_object())
      if (!model.weights.find(name)) content.metadata.emplace_back(name, text.as_string());
  // Without it, Hugging Face's libraries do not take the file for one of PyTorch's.
  if (content.metadata.empty()) content.metadata.emplace_back("format", "pt");
  return content;
}

// With the names that stand for them.
void write_tensors(std::span<const NamedTensor> tensors, const Content& content, const std::string& path) {
  safetensors::Metadata metadata = content.metadata;
  for (const NamedTensor& tensor : tensors)
    if (const auto ties = content.ties.find(tensor.name); ties != content.ties.end())
      for (const std::string& name : ties->second) metadata.emplace_back(name, tensor.name);
  write_stream(path, [&](std::ostream& out) { safetensors::write(tensors, metadata, out); });
}

void write_safetensors(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  require_weights(model);
  const Model torch = torch_destination(model, notes);
  note_training(torch, options, "", notes);
  Content content = content_of(torch);
  if (const auto reference = kept_reference(torch, options.dtype, notes)) {
    const std::string bytes = reference_bytes(*reference);
    std::string text = to_base64(std::as_bytes(std::span(bytes)));
    if (text.size() <= kMostReference)
      content.metadata.emplace_back(kReferenceMember, std::move(text));
    else
      notes.push_back("left out: the reference, which is larger than the header of a .safetensors may be");
  }
  write_tensors(content.tensors, content, path);
}

// Runs of at most so many bytes; a tensor that is larger is one by itself.
std::vector<std::span<const NamedTensor>> in_runs(std::span<const NamedTensor> tensors, std::uint64_t most) {
  std::vector<std::span<const NamedTensor>> runs;
  std::size_t first = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t size = tensors[i].tensor.byte_count();
    if (i > first && (size > most || bytes > most - size)) {
      runs.push_back(tensors.subspan(first, i - first));
      first = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (first < tensors.size() || runs.empty()) runs.push_back(tensors.subspan(first));
  return runs;
}

// "model-00001-of-00003.safetensors", as Hugging Face's libraries call them.
std::string shard_name(const std::string& stem, std::size_t number, std::size_t count) {
  const auto digits = [](std::size_t value) {
    const std::string text = std::to_string(value);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return stem + "-" + digits(number) + "-of-" + digits(count) + std::string(kSuffix);
}

void write_safetensors_shards(const Model& model, const Destination& destination, const SaveOptions& options,
                              Notes& notes) {
  const std::string file = std::filesystem::path(destination.name).filename().string();
  if (!file.ends_with(kSafetensorsIndex))
    throw UsageError("SaveOptions::shard_size: a set of several files goes by its index, called NAME" +
                     std::string(kSafetensorsIndex));
  require_weights(model);
  const Model torch = torch_destination(model, notes);
  note_training(torch, options, "", notes);
  const Content content = content_of(torch);
  const auto runs = in_runs(content.tensors, options.shard_size > 0 ? options.shard_size : kSafetensorsShardSize);
  std::vector<Json::Member> weight_map;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string name = shard_name(file.substr(0, file.size() - kSafetensorsIndex.size()), i + 1, runs.size());
    for (const NamedTensor& tensor : runs[i]) {
      weight_map.emplace_back(tensor.name, name);
      total += tensor.tensor.byte_count();
    }
    write_tensors(runs[i], content, destination.beside(name));
  }
  const Json index = Json::Object{{"metadata", Json::Object{{"total_size", total}}},
                                  {"weight_map", Json::Object(std::move(weight_map))}};
  write_stream(destination.path, [&](std::ostream& out) { out << index.dump(2) << '\n'; });
}

}  // namespace

Format safetensors_format() {
  return {
      .name = "safetensors",
      .suffixes = {".safetensors", ".safetensors.index.json"},
      .holds = Holds::Weights,
      .has_reference = true,
      .looks_like = [](const SourceFile& file) { return safetensors::looks_like(*file.bytes()); },
      .read = [](const SourceFile& file,
                 const LoadOptions&) { return FileContent{.torch = read_safetensors(file.bytes())}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions&) { return inspect_state_dict(read_safetensors(file.bytes())); },
      .write = write_safetensors,
      .write_shards = write_safetensors_shards,
      .shard_suffixes = {".safetensors.index.json"},
  };
}

}  // namespace h5bridge
