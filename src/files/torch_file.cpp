#include "files/torch_file.h"

#include <algorithm>

#include "files/pickle_json.h"
#include "files/torch_tensor.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr std::uint64_t kLargestPickle = std::uint64_t{1} << 28;
constexpr std::string_view kLegacyMagic =
    "\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";  // LONG1 0x1950a86a20f9469cfc6c

/// "archive/" of "archive/data.pkl": every entry of torch's is in one folder. Empty if there is none.
std::string folder_of(const ZipReader& archive) {
  if (archive.entries().empty()) return "";
  const std::string& name = archive.entries().front().name;
  const std::size_t slash = name.find('/');
  return slash == std::string::npos ? "" : name.substr(0, slash + 1);
}

bool has_pickle(const ZipReader& archive) {
  const std::string folder = folder_of(archive);
  return !folder.empty() && archive.find(folder + "data.pkl");
}

const ZipEntry& pickle_entry(const ZipReader& archive) {
  if (!has_pickle(archive)) throw MalformedFile("no data.pkl in the archive, so torch.save did not write it");
  const ZipEntry& entry = *archive.find(folder_of(archive) + "data.pkl");
  if (entry.size > kLargestPickle)
    throw MalformedFile("data.pkl has " + std::to_string(entry.size) + " bytes; more than " +
                        std::to_string(kLargestPickle) + " are not read");
  return entry;
}

}  // namespace

bool is_torchscript_archive(const ZipReader& archive) {
  return has_pickle(archive) && archive.find(folder_of(archive) + "constants.pkl");
}

bool is_torch_archive(const ZipReader& archive) { return has_pickle(archive) && !is_torchscript_archive(archive); }

bool is_legacy_torch_file(const ByteSource& file) {
  constexpr std::size_t kProtocol = 2;  // the opcode and its number come first
  if (file.size() < kProtocol + kLegacyMagic.size()) return false;
  std::string start(kProtocol + kLegacyMagic.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(start)));
  return start[0] == '\x80' && start.ends_with(kLegacyMagic);
}

TorchFile::TorchFile(ByteSourcePtr file)
    : archive_(std::move(file)),
      folder_(folder_of(archive_)),
      document_(pickle::read(archive_.read(pickle_entry(archive_)))) {
  const ZipEntry* byte_order = archive_.find(folder_ + "byteorder");
  if (!byte_order) return;
  if (byte_order->size > 16)
    throw MalformedFile("byteorder: " + std::to_string(byte_order->size) + " bytes, expected 'little' or 'big'");
  const std::vector<std::byte> bytes = archive_.read(*byte_order);
  const std::string order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (order == "big") throw Unsupported("the file was written on a big-endian machine");
  if (order != "little") throw MalformedFile("byteorder: found '" + order + "', expected 'little' or 'big'");
}

ByteSourcePtr TorchFile::storage(const std::string& key) const {
  if (const auto known = storages_.find(key); known != storages_.end()) return known->second;
  const ZipEntry* entry = archive_.find(folder_ + "data/" + key);
  if (!entry) throw MalformedFile("the storage data/" + key + " is not in the archive");
  return storages_.emplace(key, archive_.open(*entry)).first->second;
}

Tensor TorchFile::tensor(const pickle::Value& value, const std::string& name) const {
  try {
    return rebuild_tensor(value, [this](const std::string& key) { return storage(key); });
  } catch (const Error& error) {
    rethrow_in_file(error, "tensor '" + name + "'");
  }
}

Json TorchFile::to_json(const pickle::Value& value) const {
  return pickle::to_json(value, [this](const pickle::Value& object) -> std::optional<Json> {
    if (!is_tensor(object)) return std::nullopt;
    try {
      const Tensor found = tensor(object, "");
      return Json::Object{
          {"$tensor", Json::Object{{"shape", Json::array(found.shape())}, {"dtype", name_of(found.dtype())}}}};
    } catch (const Unsupported&) {
      return std::nullopt;  // shown as the record that it is
    }
  });
}

}  // namespace h5bridge
