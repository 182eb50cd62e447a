#include "pytorch/distributed.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/assembled.h"
#include "pytorch/file.h"
#include "pytorch/nested.h"

namespace h5bridge {
namespace {

using pickle::Dict;
using pickle::Ref;

constexpr const char* kMetadata = ".metadata";
constexpr std::uint64_t kLargestMetadata = std::uint64_t{1} << 28;

/// A member of a dataclass's object; nullptr if it has none of that name.
Ref member(const pickle::Value& value, std::string_view name) {
  const auto* object = value.as<pickle::Object>();
  const auto* members = object && object->state ? object->state->as<Dict>() : nullptr;
  return members ? pickle::find(*members, name) : nullptr;
}

const Dict& dict_in(const pickle::Value& metadata, const char* name) {
  const Ref found = member(metadata, name);
  const auto* dict = found ? found->as<Dict>() : nullptr;
  if (!dict) throw MalformedFile(std::string("has no dict \"") + name + "\"");
  return *dict;
}

const std::string& text_in(const pickle::Value& value, const char* name) {
  const Ref found = member(value, name);
  const auto* text = found ? found->as<std::string>() : nullptr;
  if (!text) throw MalformedFile("an entry has no text \"" + std::string(name) + "\"");
  return *text;
}

std::uint64_t count_in(const pickle::Value& value, const char* name) {
  const Ref found = member(value, name);
  const auto* number = found ? found->as<std::int64_t>() : nullptr;
  if (!number || *number < 0) throw MalformedFile("an entry has no count \"" + std::string(name) + "\"");
  return static_cast<std::uint64_t>(*number);
}

/// Of torch.Size, which is a call with a tuple.
std::optional<Shape> shape_from(Ref value) {
  const auto* object = value ? value->as<pickle::Object>() : nullptr;
  const auto* arguments = object ? pickle::sequence(*object->arguments) : nullptr;
  const auto* sizes = arguments ? (arguments->size() == 1 ? pickle::sequence(*arguments->front()) : nullptr)
                                : (value ? pickle::sequence(*value) : nullptr);
  if (object && arguments && arguments->empty()) return Shape{};
  if (!sizes) return std::nullopt;
  Shape shape;
  for (const Ref size : *sizes) {
    const auto* number = size->as<std::int64_t>();
    if (!number || *number < 0) return std::nullopt;
    shape.push_back(*number);
  }
  return shape;
}

Shape shape_in(const pickle::Value& value, const char* name) {
  std::optional<Shape> shape = shape_from(member(value, name));
  if (!shape) throw MalformedFile("an entry has no sizes \"" + std::string(name) + "\"");
  return *std::move(shape);
}

DType dtype_in(const pickle::Value& tensor) {
  const Ref properties = member(tensor, "properties");
  const auto* object = properties ? properties->as<pickle::Object>() : nullptr;
  const auto* stated = object && object->state ? pickle::sequence(*object->state) : nullptr;
  const auto* dtype = stated && !stated->empty() ? stated->front()->as<pickle::Global>() : nullptr;
  if (!dtype) throw MalformedFile("it does not say its element type");
  if (const auto known = dtype_named(dtype->name); known && dtype->module == "torch") return *known;
  throw Unsupported("its elements are those of " + dtype->path() + ", which has no equivalent here");
}

/// Where something lies.
struct Extent {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Extents by name, and by the offset of the part: none for what is no tensor.
using Extents = std::map<std::pair<std::string, std::optional<Shape>>, Extent>;

Extents extents_of(const pickle::Value& metadata) {
  Extents extents;
  for (const auto& [index, info] : dict_in(metadata, "storage_data").items) {
    const std::string& name = text_in(*index, "fqn");
    if (const Ref transformed = member(*info, "transform_descriptors"); transformed && !transformed->as<pickle::None>())
      throw Unsupported("\"" + shortened(name) + "\" was transformed when it was written (compressed, say)");
    const std::string& file = text_in(*info, "relative_path");
    if (file.empty() || file == "." || file == ".." || file.find_first_of("/\\") != std::string::npos)
      throw MalformedFile("\"" + shortened(file) + "\" is no file beside it");
    const Extent extent{file, count_in(*info, "offset"), count_in(*info, "length")};
    if (!extents.emplace(std::pair(name, shape_from(member(*index, "offset"))), extent).second)
      throw MalformedFile("\"" + shortened(name) + "\" is stated twice");
  }
  return extents;
}

/// The files of the folder, each opened when something in it is first read.
class Files {
 public:
  explicit Files(std::string folder) : folder_(std::move(folder)) {}

  ByteSourcePtr open(const Extent& extent) const {
    const std::lock_guard lock(mutex_);
    ByteSourcePtr& file = files_[extent.file];
    if (!file) file = open_file((std::filesystem::path(folder_) / extent.file).string());
    return in_file(extent.file, [&] { return part_of(file, extent.offset, extent.length); });
  }

 private:
  std::string folder_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, ByteSourcePtr> files_;
};

class DistributedReader {
 public:
  DistributedReader(const std::string& folder, const pickle::Value& metadata)
      : folder_(folder),
        files_(std::make_shared<const Files>(folder)),
        metadata_(metadata),
        extents_(extents_of(metadata)) {
    const Ref plan = member(metadata, "planner_data");
    if (const auto* paths = plan ? plan->as<Dict>() : nullptr)
      for (const auto& [key, path] : paths->items)
        if (const auto* name = key->as<std::string>(); name && paths_.emplace(*name, path).second)
          planned_.push_back(*name);
  }

  TorchContent read() {
    std::map<std::string, Ref> values;
    std::vector<std::string> order;  // as the state_dict had them: in the metadata those come first that are sharded
    for (const auto& [key, value] : dict_in(metadata_, "state_dict_metadata").items) {
      const auto* name = key->as<std::string>();
      if (!name) throw MalformedFile("a name is " + pickle::describe(*key));
      if (values.emplace(*name, value).second && !paths_.contains(*name)) order.push_back(*name);
    }
    for (const std::string& name : planned_)
      if (values.contains(name)) order.push_back(name);
    for (const std::string& name : order) in_file("\"" + shortened(name) + "\"", [&] { add(name, *values.at(name)); });
    const std::string code = nested_.pickled();
    const auto bytes = std::as_bytes(std::span(code));
    return {pickle::read(bytes, size_of_folder(folder_)),
            [storages = std::move(storages_)](const std::string& key, std::size_t) { return storages.at(key); }};
  }

 private:
  void add(const std::string& name, const pickle::Value& value) {
    // What else there is has been pickled by itself.
    if (!member(value, "chunks")) return nested_.add(path_of(name), value_of(name));
    const DType dtype = dtype_in(value);
    const Shape shape = shape_in(value, "size");
    storages_[name] = assembled(shape, size_of(dtype), parts_of(name, value, dtype));
    nested_.add(path_of(name), StoredTensor{dtype, shape, name});
  }

  std::vector<TensorPart> parts_of(const std::string& name, const pickle::Value& value, DType dtype) const {
    const auto* chunks = pickle::sequence(*member(value, "chunks"));
    if (!chunks) throw MalformedFile("its parts are no list");
    std::vector<TensorPart> parts;
    for (const Ref chunk : *chunks) {
      Shape offsets = shape_in(*chunk, "offsets");
      Shape sizes = shape_in(*chunk, "sizes");
      const Extent extent = extent_of(name, offsets);
      auto open = [files = files_, extent, dtype, sizes, name] {
        return in_file(extent.file, [&] { return open_part(files->open(extent), dtype, sizes, name); });
      };
      parts.push_back({std::move(offsets), std::move(sizes), std::move(open)});
    }
    return parts;
  }

  static ByteSourcePtr open_part(const ByteSourcePtr& file, DType dtype, const Shape& sizes, const std::string& name) {
    const TorchFile torch(file);
    const Tensor tensor = torch.tensor(torch.root(), name);
    if (tensor.dtype() != dtype || tensor.shape() != sizes)
      throw MalformedFile("a part of \"" + shortened(name) + "\" is of shape " + to_string(tensor.shape()) +
                          ", expected " + to_string(sizes));
    if (!tensor.is_contiguous()) return bytes_in_memory(tensor.read());
    return part_of(tensor.source(), static_cast<std::uint64_t>(tensor.offset()) * size_of(dtype), tensor.byte_count());
  }

  Json value_of(const std::string& name) const {
    const TorchFile torch(files_->open(extent_of(name, std::nullopt)));
    return torch.to_json(torch.root());
  }

  const Extent& extent_of(const std::string& name, const std::optional<Shape>& offset) const {
    const auto found = extents_.find({name, offset});
    if (found == extents_.end())
      throw MalformedFile("no file is stated for it" + (offset ? ", its part at " + to_string(*offset) : ""));
    return found->second;
  }

  /// As it was nested; a planner of somebody's own may say nothing of that.
  std::vector<PathStep> path_of(const std::string& name) const {
    const auto path = paths_.find(name);
    const auto* steps = path == paths_.end() ? nullptr : pickle::sequence(*path->second);
    if (!steps) return {name};
    std::vector<PathStep> result;
    for (const Ref step : *steps) {
      if (const auto* text = step->as<std::string>())
        result.emplace_back(*text);
      else if (const auto* number = step->as<std::int64_t>())
        result.emplace_back(*number);
      else
        throw MalformedFile("its path has " + pickle::describe(*step));
    }
    return result;
  }

  const std::string& folder_;
  std::shared_ptr<const Files> files_;
  const pickle::Value& metadata_;
  Extents extents_;
  std::map<std::string, Ref> paths_;
  std::vector<std::string> planned_;  // their names, in order
  Nested nested_;
  std::map<std::string, ByteSourcePtr> storages_;
};

}  // namespace

bool is_distributed_checkpoint(const std::string& folder) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(std::filesystem::path(folder) / kMetadata, ignored);
}

TorchContent open_distributed_checkpoint(const std::string& folder) {
  return in_file(kMetadata, [&] {
    const ByteSourcePtr file = open_file((std::filesystem::path(folder) / kMetadata).string());
    if (file->size() > kLargestMetadata)
      throw MalformedFile("has " + std::to_string(file->size()) + " bytes; more than " +
                          std::to_string(kLargestMetadata) + " are not read");
    const pickle::Document metadata = pickle::read(read_all(*file), size_of_folder(folder));
    return DistributedReader(folder, metadata.root()).read();
  });
}

}  // namespace h5bridge
