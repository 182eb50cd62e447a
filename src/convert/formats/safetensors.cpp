// A state_dict as safetensors, whose ties stand in the metadata as safetensors.torch.save_model notes them
// ({"head.weight": "tokens.weight"}: the first is not stored, and is the second).
#include "files/safetensors.h"

#include <map>

#include "convert/formats/format.h"
#include "convert/formats/torch_destination.h"
#include "convert/inspection_parts.h"
#include "convert/torch_notes.h"
#include "model/tensor_view.h"

namespace h5bridge {
namespace {

constexpr const char* kMember = "safetensors";

// A name that stands for a tensor of the file is one more name of it; all else in the metadata is for its reader.
void add_ties(const safetensors::Metadata& metadata, Weights& weights) {
  for (const auto& [name, stored] : metadata)
    if (const Tensor* tensor = weights.find(stored); tensor && !weights.find(name)) weights.add(name, Tensor(*tensor));
}

// Ties included; metadata["safetensors"] has the file's own texts.
Model read_safetensors(const ByteSourcePtr& file) {
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

// In their order; tensors that are the same view of the same bytes are stored once.
void write_tensors(const Model& model, std::ostream& out) {
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

void write_safetensors(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  require_weights(model);
  const Model torch = torch_destination(model, notes);
  note_training(torch, options, "", notes);
  write_stream(path, [&](std::ostream& out) { write_tensors(torch, out); });
}

}  // namespace

Format safetensors_format() {
  return {
      .name = "safetensors",
      .suffixes = {".safetensors"},
      .holds = Holds::Weights,
      .looks_like = [](const SourceFile& file) { return safetensors::looks_like(*file.bytes()); },
      .read = [](const SourceFile& file,
                 const LoadOptions&) { return FileContent{.torch = read_safetensors(file.bytes())}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions&) { return inspect_state_dict(read_safetensors(file.bytes())); },
      .write = write_safetensors,
  };
}

}  // namespace h5bridge
