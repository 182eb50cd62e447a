#include "pytorch/file.h"

#include <algorithm>
#include <memory>

#include "files/byte_order.h"
#include "files/pickle_json.h"
#include "h5bridge/error.h"
#include "pytorch/tensor.h"

namespace h5bridge {
namespace {

constexpr std::uint64_t kLargestPickle = std::uint64_t{1} << 28;

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

/// Archives of before PyTorch 2.1 do not say, and are little-endian.
bool is_big_endian(const ZipReader& archive, const std::string& folder) {
  const ZipEntry* byte_order = archive.find(folder + "byteorder");
  if (!byte_order) return false;
  if (byte_order->size > 16)
    throw MalformedFile("byteorder: " + std::to_string(byte_order->size) + " bytes, expected 'little' or 'big'");
  const std::vector<std::byte> bytes = archive.read(*byte_order);
  const std::string order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (order != "big" && order != "little")
    throw MalformedFile("byteorder: found '" + order + "', expected 'little' or 'big'");
  return order == "big";
}

}  // namespace

bool is_torchscript_archive(const ZipReader& archive) {
  return has_pickle(archive) && archive.find(folder_of(archive) + "constants.pkl");
}

bool is_torch_archive(const ZipReader& archive) { return has_pickle(archive) && !is_torchscript_archive(archive); }

TorchContent open_torch_zip(ZipReaderPtr archive) {
  const std::string folder = folder_of(*archive);
  pickle::Document document = pickle::read(archive->read(pickle_entry(*archive)), archive->size());
  const bool is_big = is_big_endian(*archive, folder);
  return {std::move(document), [archive, folder, is_big](const std::string& key, std::size_t number_size) {
            const ZipEntry* entry = archive->find(folder + "data/" + key);
            if (!entry) throw MalformedFile("the storage data/" + key + " is not in the archive");
            ByteSourcePtr bytes = archive->open(*entry);
            return is_big ? with_reversed_numbers(std::move(bytes), number_size) : bytes;
          }};
}

TorchFile::TorchFile(const ByteSourcePtr& file)
    : TorchFile(is_legacy_torch_file(*file) ? open_legacy_torch(file)
                                            : open_torch_zip(std::make_shared<const ZipReader>(file))) {}

ByteSourcePtr TorchFile::storage(const std::string& key, std::size_t number_size) const {
  const std::pair wanted(key, number_size);
  if (const auto known = storages_.find(wanted); known != storages_.end()) return known->second;
  return storages_.emplace(wanted, content_.open_storage(key, number_size)).first->second;
}

Tensor TorchFile::tensor(const pickle::Value& value, const std::string& name) const {
  try {
    return rebuild_tensor(value, [this](const std::string& key, std::size_t size) { return storage(key, size); });
  } catch (const Error& error) {
    rethrow_in_file(error, "tensor '" + name + "'");
  }
}

Json TorchFile::to_json(const pickle::Value& value) const {
  const auto of_tensor = [this](const pickle::Value& object) -> std::optional<Json> {
    if (!is_tensor(object)) return std::nullopt;
    try {
      const Tensor found = tensor(object, "");
      return Json::Object{
          {"$tensor", Json::Object{{"shape", Json::array(found.shape())}, {"dtype", name_of(found.dtype())}}}};
    } catch (const Unsupported&) {
      return std::nullopt;  // shown as the record that it is
    }
  };
  return pickle::to_json(value, of_tensor, spare_);
}

}  // namespace h5bridge
