// torch.save before PyTorch 1.6, and with _use_new_zipfile_serialization=False ever since.
#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "files/little_endian.h"
#include "h5bridge/error.h"
#include "model/checked.h"
#include "model/quoted.h"
#include "pytorch/content.h"
#include "pytorch/dtype_names.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

constexpr std::string_view kLegacyMagic =
    "\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";  // LONG1 0x1950a86a20f9469cfc6c
constexpr std::int64_t kLegacyVersion = 1001;
constexpr std::uint64_t kTarMagicAt = 257;
constexpr std::uint64_t kFirstWindow = std::uint64_t{1} << 16;
constexpr std::uint64_t kLargestWindow = std::uint64_t{1} << 28;

/// Reads pickles one behind the other. How long one is shows only when it is read, so it is tried with windows that
/// grow: memory follows the pickles, not the gigabytes of storages behind them.
class PickleRow {
 public:
  explicit PickleRow(ByteSourcePtr file) : file_(std::move(file)) {}

  pickle::Document next() {
    const std::uint64_t rest = file_->size() - position_;
    for (std::uint64_t size = kFirstWindow;; size *= 4) {
      const bool is_last = size >= rest || size >= kLargestWindow;
      std::vector<std::byte> window(std::min({size, rest, kLargestWindow}));
      file_->read_at(position_, window);
      try {
        pickle::Document document = pickle::read(window, file_->size());
        position_ += document.size();
        return document;
      } catch (const MalformedFile& error) {
        if (is_last)
          throw MalformedFile("the pickle at byte " + std::to_string(position_) + ": " + std::string(error.what()));
      }
    }
  }
  std::uint64_t position() const { return position_; }

 private:
  ByteSourcePtr file_;
  std::uint64_t position_ = 0;
};

void check_version(const pickle::Value& value) {
  const auto* version = value.as<std::int64_t>();
  if (!version || *version != kLegacyVersion)
    throw Unsupported("its protocol is " + (version ? std::to_string(*version) : pickle::describe(value)) +
                      ", expected " + std::to_string(kLegacyVersion));
}

/// Bytes of an element, by the key of a storage: the object's persistent ids ('storage', class, key, ...) state it.
std::map<std::string, std::uint64_t> widths_in(const pickle::Document& object) {
  std::map<std::string, std::uint64_t> widths;
  for (const auto& persistent : object.persistent_ids()) {
    const auto* id = persistent.data.id->as<pickle::Tuple>();
    if (!id || id->items.size() < 3) continue;
    const auto* kind = id->items[0]->as<std::string>();
    const auto* type = id->items[1]->as<pickle::Global>();
    const auto* key = id->items[2]->as<std::string>();
    if (!kind || *kind != "storage" || !type || !key) continue;
    const std::optional<std::size_t> width = element_size_of_storage_class(type->name);
    if (!width)
      throw Unsupported("the storage " + shortened(*key) + " has elements of " + type->path() +
                        ", whose size is not known");
    if (widths.emplace(*key, *width).first->second != *width)
      throw MalformedFile("the storage " + shortened(*key) + " is stated with elements of two sizes");
  }
  return widths;
}

std::int64_t length_at(const ByteSource& file, std::uint64_t position) {
  std::array<std::byte, sizeof(std::uint64_t)> bytes{};
  file.read_at(position, bytes);
  return static_cast<std::int64_t>(load_little_endian<std::uint64_t>(bytes));
}

/// The storages, which stand behind the pickles in the order of their keys.
std::map<std::string, ByteSourcePtr> storages_behind(const ByteSourcePtr& file, std::uint64_t position,
                                                     const pickle::Value& keys,
                                                     const std::map<std::string, std::uint64_t>& widths) {
  const auto* list = pickle::sequence(keys);
  if (!list) throw MalformedFile("expected a list of the storages' keys, found " + pickle::describe(keys));
  std::map<std::string, ByteSourcePtr> storages;
  for (const pickle::Ref item : *list) {
    const auto* key = item->as<std::string>();
    const auto width = key ? widths.find(*key) : widths.end();
    if (width == widths.end())
      throw MalformedFile("no tensor uses the storage " + (key ? shortened(*key) : pickle::describe(*item)));
    const std::int64_t length = length_at(*file, position);
    if (length < 0)
      throw MalformedFile("the storage " + shortened(*key) + " has a length of " + std::to_string(length));
    const auto size = static_cast<std::uint64_t>(
        checked_multiply(length, static_cast<std::int64_t>(width->second), "a storage's size"));
    position += sizeof(std::uint64_t);
    storages[*key] = part_of(file, position, size);
    position += size;
  }
  return storages;
}

}  // namespace

bool is_legacy_torch_file(const ByteSource& file) {
  constexpr std::size_t kProtocol = 2;  // the opcode and its number come first
  if (file.size() < kProtocol + kLegacyMagic.size()) return false;
  std::string start(kProtocol + kLegacyMagic.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(start)));
  return start[0] == '\x80' && start.ends_with(kLegacyMagic);
}

bool is_torch_tar(const ByteSource& file) {
  constexpr std::string_view kMagic = "ustar";
  constexpr std::array<std::string_view, 4> kParts{"sys_info", "pickle", "tensors", "storages"};
  if (file.size() < kTarMagicAt + kMagic.size()) return false;
  std::string header(kTarMagicAt + kMagic.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(header)));
  const std::string_view first = header.c_str();
  return header.ends_with(kMagic) && std::ranges::count(kParts, first) > 0;
}

TorchContent open_legacy_torch(const ByteSourcePtr& file) {
  PickleRow pickles(file);
  pickles.next();  // the magic number
  check_version(pickles.next().root());
  pickles.next();  // what machine wrote it
  pickle::Document object = pickles.next();
  const pickle::Document keys = pickles.next();
  auto storages = storages_behind(file, pickles.position(), keys.root(), widths_in(object));
  return {std::move(object), [storages = std::move(storages)](const std::string& key, std::size_t) {
            const auto found = storages.find(key);
            if (found == storages.end()) throw MalformedFile("the storage " + shortened(key) + " is not in the file");
            return found->second;
          }};
}

}  // namespace h5bridge
