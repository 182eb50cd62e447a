#include "convert/recognise.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "convert/architecture_json.h"
#include "files/keras_archive.h"
#include "files/keras_objects.h"
#include "files/safetensors.h"
#include "files/zip.h"
#include "h5bridge/error.h"
#include "h5bridge/json.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr std::uint64_t kLargestText = std::uint64_t{1} << 28;

bool begins_with(const ByteSource& file, std::uint64_t offset, std::string_view magic) {
  if (offset > file.size() || file.size() - offset < magic.size()) return false;
  std::string found(magic.size(), '\0');
  file.read_at(offset, std::as_writable_bytes(std::span(found)));
  return found == magic;
}

// HDF5's signature stands at 0, 512, 1024, 2048, ...: a user block of any length may come before.
bool looks_like_hdf5(const ByteSource& file) {
  constexpr std::string_view signature("\x89HDF\r\n\x1a\n", 8);
  if (begins_with(file, 0, signature)) return true;
  for (std::uint64_t offset = 512; offset < file.size(); offset *= 2)
    if (begins_with(file, offset, signature)) return true;
  return false;
}

bool looks_like_json(const ByteSource& file) {
  std::array<char, 64> head{};
  const std::size_t count = std::min<std::uint64_t>(head.size(), file.size());
  file.read_at(0, std::as_writable_bytes(std::span(head).first(count)));
  const auto* first =
      std::find_if(head.data(), head.data() + count, [](char c) { return !std::strchr(" \t\r\n", c) || c == '\0'; });
  const std::string_view rest(first, head.data() + count);
  return rest.starts_with('{') || rest.starts_with("\"{");
}

[[noreturn]] void not_read_yet(const std::string& what) {
  throw Unsupported("is " + what + ", which h5bridge does not read yet");
}

SourceKind recognise_zip(const ByteSourcePtr& file) {
  const ZipReader archive(file);
  if (is_torchscript_archive(archive)) not_read_yet("a TorchScript archive");
  if (is_torch_archive(archive)) return SourceKind::Torch;
  if (is_keras_archive(archive)) return SourceKind::KerasArchive;
  for (const ZipEntry& entry : archive.entries())
    if (entry.name.ends_with("models/model.json")) not_read_yet("an archive of torch.export.save (.pt2)");
  throw MalformedFile("is a zip archive without a model in it");
}

SourceKind recognise_json(const ByteSource& file) {
  const Json json = read_keras_json(file);
  if (looks_like_architecture(json)) return SourceKind::Architecture;
  if (looks_like_keras_config(json)) return SourceKind::KerasConfig;
  if (is_keras_shard_index(json)) return SourceKind::KerasShards;
  if (json.find("weight_map")) return SourceKind::ShardIndex;
  throw MalformedFile("is JSON, but no architecture: it has neither \"h5bridge\" nor \"class_name\" and \"config\"");
}

}  // namespace

SourceKind recognise(const ByteSourcePtr& file) {
  if (file->size() == 0) throw MalformedFile("is empty");
  if (looks_like_hdf5(*file)) return SourceKind::KerasH5;
  if (looks_like_zip(*file)) return recognise_zip(file);
  if (is_legacy_torch_file(*file)) return SourceKind::Torch;
  if (looks_like_json(*file)) return recognise_json(*file);
  if (safetensors::looks_like(*file)) return SourceKind::Safetensors;
  throw MalformedFile("is neither HDF5, nor what torch.save writes, nor safetensors, nor JSON");
}

std::string format_name(SourceKind kind) {
  switch (kind) {
    case SourceKind::KerasH5: return "keras-h5";
    case SourceKind::KerasArchive: return "keras";
    case SourceKind::KerasShards: return "keras-weights";
    case SourceKind::Torch: return "torch";
    case SourceKind::Safetensors: return "safetensors";
    case SourceKind::ShardIndex: return "safetensors";
    case SourceKind::Architecture: return "architecture";
    case SourceKind::KerasConfig: return "keras-config";
  }
  return {};
}

Json read_keras_json(const ByteSource& file) {
  Json json = Json::parse(read_text(file));
  return json.is_string() ? Json::parse(json.as_string()) : json;
}

std::string read_text(const ByteSource& file) {
  if (file.size() > kLargestText)
    throw MalformedFile("is a text of " + std::to_string(file.size()) + " bytes, which is too large");
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace h5bridge
