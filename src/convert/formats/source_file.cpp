#include "convert/formats/source_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "files/keras_h5.h"
#include "h5bridge/error.h"
#include "model/mapped_file.h"
#include "model/work_counts.h"

namespace h5bridge {
namespace {

constexpr std::uint64_t kLargestText = std::uint64_t{1} << 28;

template <typename T>
const T* pointer_to(const std::optional<T>& value) {
  return value ? &*value : nullptr;
}

// Editors of Windows begin a text with it.
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

Json read_document(const ByteSource& file) {
  ++work().containers_opened;
  const std::string text = read_text(file);
  Json json = Json::parse(text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text);
  return json.is_string() ? Json::parse(json.as_string()) : json;
}

}  // namespace

SourceFile::SourceFile(std::string path, bool is_mapped) : path_(std::move(path)), is_mapped_(is_mapped) {
  std::error_code ignored;
  is_folder_ = std::filesystem::is_directory(path_, ignored);
}

const ByteSourcePtr& SourceFile::bytes() const {
  if (!bytes_) bytes_ = is_mapped_ ? map_file(path_) : open_file(path_);
  return bytes_;
}

const ZipReaderPtr& SourceFile::zip() const {
  if (!zip_) zip_.emplace(looks_like_zip(*bytes()) ? std::make_shared<const ZipReader>(bytes()) : nullptr);
  return *zip_;
}

const Json* SourceFile::json() const {
  if (!json_) json_.emplace(looks_like_json() ? std::optional(read_document(*bytes())) : std::nullopt);
  return pointer_to(*json_);
}

const KerasFile* SourceFile::hdf5() const {
  const auto read = [&] { return is_mapped_ ? read_keras_h5(bytes()) : read_keras_h5(path_); };
  if (!hdf5_) hdf5_.emplace(looks_like_hdf5() ? std::optional(read()) : std::nullopt);
  return pointer_to(*hdf5_);
}

bool SourceFile::begins_with(std::uint64_t offset, std::string_view magic) const {
  const ByteSource& file = *bytes();
  if (offset > file.size() || file.size() - offset < magic.size()) return false;
  std::string found(magic.size(), '\0');
  file.read_at(offset, std::as_writable_bytes(std::span(found)));
  return found == magic;
}

// HDF5's signature stands at 0, 512, 1024, 2048, ...: a user block of any length may come before. A zip is none, but
// a .keras has a whole HDF5 file in it, which may start at such a place.
bool SourceFile::looks_like_hdf5() const {
  constexpr std::string_view signature("\x89HDF\r\n\x1a\n", 8);
  if (begins_with(0, signature)) return true;
  if (looks_like_zip(*bytes())) return false;
  for (std::uint64_t offset = 512; offset < bytes()->size(); offset *= 2)
    if (begins_with(offset, signature)) return true;
  return false;
}

bool SourceFile::looks_like_json() const {
  std::array<char, 64> head{};
  const std::size_t count = std::min<std::uint64_t>(head.size(), bytes()->size());
  bytes()->read_at(0, std::as_writable_bytes(std::span(head).first(count)));
  const bool has_mark = std::string_view(head.data(), count).starts_with(kByteOrderMark);
  const auto* first = std::find_if(head.data() + (has_mark ? kByteOrderMark.size() : 0), head.data() + count,
                                   [](char c) { return !std::strchr(" \t\r\n", c) || c == '\0'; });
  const std::string_view rest(first, head.data() + count);
  // The length that a safetensors file begins with may look like a brace; it has zeros, and text has none.
  if (rest.find('\0') != std::string_view::npos) return false;
  return rest.starts_with('{') || rest.starts_with("\"{");
}

std::string read_text(const ByteSource& file) {
  if (file.size() > kLargestText)
    throw MalformedFile("is a text of " + std::to_string(file.size()) + " bytes, which is too large");
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace h5bridge
