#include "pytorch/deepspeed.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "files/little_endian.h"
#include "h5bridge/error.h"
#include "model/checked.h"
#include "model/quoted.h"
#include "model/tensor_view.h"
#include "pytorch/assembled.h"
#include "pytorch/file.h"
#include "pytorch/nested.h"

namespace h5bridge {
namespace {

namespace fs = std::filesystem;
using pickle::Dict;
using pickle::Ref;

constexpr const char* kLatest = "latest";
constexpr std::string_view kOptimizerStates = "_optim_states.pt";
constexpr std::uint64_t kLargestTag = 4096;

/// The files of ranks in a folder, by their number. Empty where it is no checkpoint.
std::map<std::int64_t, fs::path> ranks_in(const fs::path& folder) {
  constexpr std::string_view kRank = "zero_pp_rank_";
  constexpr std::string_view kModelRank = "_mp_rank_";
  std::map<std::int64_t, fs::path> ranks;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const std::size_t at = name.find(kRank);
    if (!name.ends_with(kOptimizerStates) || at == std::string::npos) continue;
    const std::size_t model_rank = name.find(kModelRank, at);
    if (model_rank == std::string::npos) continue;
    if (name.compare(model_rank + kModelRank.size(), 2, "00") != 0)
      throw Unsupported("the model was cut over several ranks (tensor parallelism), which is not read");
    ranks[std::atoll(name.c_str() + at + kRank.size())] = entry.path();
  }
  return ranks;
}

/// The folder itself, or the one that its file "latest" names.
std::optional<fs::path> checkpoint_in(const fs::path& folder) {
  std::error_code ignored;
  if (const fs::path latest = folder / kLatest; fs::is_regular_file(latest, ignored)) {
    const ByteSourcePtr file = open_file(latest.string());
    if (file->size() > kLargestTag) return std::nullopt;
    const std::vector<std::byte> bytes = read_all(*file);
    std::string tag(text_of(bytes));
    tag.erase(tag.find_last_not_of(" \t\r\n") + 1);
    const bool is_name = !tag.empty() && tag != "." && tag != ".." && tag.find_first_of("/\\") == std::string::npos;
    if (is_name && !ranks_in(folder / tag).empty()) return folder / tag;
  }
  return ranks_in(folder).empty() ? std::nullopt : std::optional(folder);
}

const Dict& dict_of(Ref value, const char* what) {
  const auto* dict = value ? value->as<Dict>() : nullptr;
  if (!dict) throw MalformedFile(std::string("has no dict \"") + what + "\"");
  return *dict;
}

/// Of torch.Size, which may be a call with a tuple.
Shape shape_of(const pickle::Value& value) {
  const auto* object = value.as<pickle::Object>();
  const auto* sizes = pickle::sequence(value);
  if (object) {
    const auto* arguments = pickle::sequence(*object->arguments);
    sizes = arguments && arguments->size() == 1 ? pickle::sequence(*arguments->front()) : nullptr;
    if (arguments && arguments->empty()) return {};
  }
  if (!sizes) throw MalformedFile("a parameter's shape is " + pickle::describe(value));
  Shape shape;
  for (const Ref size : *sizes) {
    const auto* number = size->as<std::int64_t>();
    if (!number || *number < 0) throw MalformedFile("a parameter's shape has " + pickle::describe(*size));
    shape.push_back(*number);
  }
  return shape;
}

/// What a rank has of the parameters: of each group of the optimizer a row of numbers.
std::vector<Tensor> rows_of(const TorchFile& file, const Dict& state, const char* name) {
  const Ref rows = pickle::find(state, name);
  const auto* list = rows ? pickle::sequence(*rows) : nullptr;
  if (!list) throw MalformedFile(std::string("has no list \"") + name + "\"");
  std::vector<Tensor> result;
  for (const Ref row : *list) {
    result.push_back(file.tensor(*row, name));
    if (result.back().rank() != 1 || !result.back().is_contiguous())
      throw MalformedFile(std::string("a tensor of \"") + name + "\" is no row");
  }
  return result;
}

ByteSourcePtr bytes_of_tensor(const Tensor& tensor) {
  return part_of(tensor.source(), static_cast<std::uint64_t>(tensor.offset()) * size_of(tensor.dtype()),
                 tensor.byte_count());
}

class DeepspeedReader {
 public:
  explicit DeepspeedReader(const fs::path& folder) : folder_(folder) {
    for (const auto& [rank, path] : ranks_in(folder)) in_file(path.filename().string(), [&] { add_rank(path); });
    for (const std::vector<Tensor>& rank : rows_)
      if (rank.size() != rows_[0].size()) throw MalformedFile("its ranks have different numbers of groups");
  }

  TorchContent read() {
    const fs::path path = model_states();
    in_file(path.filename().string(), [&] { read_model(TorchFile(open_file(path.string()))); });
    const std::string code = nested_.pickled();
    return {pickle::read(std::as_bytes(std::span(code))),
            [storages = std::move(storages_)](const std::string& key, std::size_t) { return storages.at(key); }};
  }

 private:
  void add_rank(const fs::path& path) {
    const TorchFile file(open_file(path.string()));
    const Dict& state = dict_of(pickle::find(dict_of(&file.root(), "optimizer_state_dict"), "optimizer_state_dict"),
                                "optimizer_state_dict");
    const Ref stage = pickle::find(state, "zero_stage");
    const auto* number = stage ? stage->as<std::int64_t>() : nullptr;
    if (!number) throw MalformedFile("does not say its ZeRO stage");
    is_cut_by_parameter_ = *number == 3;
    rows_.push_back(
        rows_of(file, state, is_cut_by_parameter_ ? "fp32_flat_groups" : "single_partition_of_fp32_groups"));
  }

  fs::path model_states() const {
    for (const char* name : {"mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt"})
      if (std::error_code ignored; fs::is_regular_file(folder_ / name, ignored)) return folder_ / name;
    throw MalformedFile("there is no file of the model's states (mp_rank_00_model_states.pt)");
  }

  void read_model(const TorchFile& file) {
    const Dict& root = dict_of(&file.root(), "module");
    const auto* groups =
        pickle::find(root, "param_shapes") ? pickle::sequence(*pickle::find(root, "param_shapes")) : nullptr;
    if (!groups) throw MalformedFile("has no list \"param_shapes\"");
    std::map<std::string, Tensor> tensors;
    is_cut_by_parameter_ ? take_parts(*groups, tensors) : take_runs(*groups, tensors);
    add_others(file, root, tensors);
    std::vector<std::string> order = names_in_order(root, tensors);
    std::map<TensorView, std::string> stored;  // what is one tensor stays one
    for (const std::string& name : order) {
      const Tensor& tensor = tensors.at(name);
      const std::string& key = stored.emplace(view_of(tensor), name).first->second;
      if (key == name) storages_[name] = bytes_of_tensor(tensor.is_contiguous() ? tensor : tensor.contiguous());
      nested_.add({name}, StoredTensor{tensor.dtype(), tensor.shape(), key});
    }
  }

  template <typename Visit>
  static void for_each_shape(const Dict& group, Visit&& visit) {
    for (const auto& [key, value] : group.items) {
      const auto* name = key->template as<std::string>();
      if (!name) throw MalformedFile("a parameter's name is " + pickle::describe(*key));
      in_file("parameter " + shortened(*name), [&] { visit(*name, shape_of(*value)); });
    }
  }

  /// Stages 1 and 2: the ranks' rows of a group, one behind the other, are its parameters, one behind the other.
  void take_runs(const std::vector<Ref>& groups, std::map<std::string, Tensor>& tensors) const {
    if (groups.size() != rows_[0].size()) throw MalformedFile("its groups are not those of the ranks");
    for (std::size_t group = 0; group < groups.size(); ++group) {
      std::vector<Tensor> rows;
      for (const std::vector<Tensor>& rank : rows_) rows.push_back(rank[group]);
      const DType dtype = rows[0].dtype();
      const ByteSourcePtr whole = joined(rows);
      std::int64_t position = 0;
      for_each_shape(dict_of(groups[group], "param_shapes"), [&](const std::string& name, const Shape& shape) {
        const std::int64_t count = as_file_says([&] { return element_count(shape); });
        const std::uint64_t width = size_of(dtype);
        tensors.insert_or_assign(name, Tensor(dtype, shape,
                                              part_of(whole, static_cast<std::uint64_t>(position) * width,
                                                      static_cast<std::uint64_t>(count) * width)));
        position += count;
      });
    }
  }

  /// Stage 3: each parameter is cut into as many parts as there are ranks, filled up at the end. A rank's groups are
  /// one row of such parts.
  void take_parts(const std::vector<Ref>& groups, std::map<std::string, Tensor>& tensors) const {
    const DType dtype = rows_[0].at(0).dtype();
    const auto width = static_cast<std::int64_t>(size_of(dtype));
    std::vector<ByteSourcePtr> ranks;
    for (const std::vector<Tensor>& rows : rows_) ranks.push_back(joined(rows));
    const auto cut = static_cast<std::int64_t>(ranks.size());
    std::int64_t position = 0;
    for (const Ref shapes : groups)
      for_each_shape(dict_of(shapes, "param_shapes"), [&](const std::string& name, const Shape& shape) {
        const std::int64_t count = as_file_says([&] { return element_count(shape); });
        const std::int64_t part = count / cut + (count % cut == 0 ? 0 : 1);
        std::vector<TensorPart> parts;
        for (std::int64_t rank = 0; rank < cut; ++rank) {
          ByteSourcePtr bytes =
              part_of(ranks[static_cast<std::size_t>(rank)], static_cast<std::uint64_t>(position * width),
                      static_cast<std::uint64_t>(part * width));
          parts.push_back({{rank * part}, {part}, [bytes = std::move(bytes)] { return bytes; }});
        }
        const ByteSourcePtr whole = assembled({cut * part}, size_of(dtype), std::move(parts));
        tensors.insert_or_assign(name,
                                 Tensor(dtype, shape, part_of(whole, 0, static_cast<std::uint64_t>(count * width))));
        position = checked_add(position, part, "a rank's row");
      });
  }

  /// The rows one behind the other.
  static ByteSourcePtr joined(const std::vector<Tensor>& rows) {
    std::vector<TensorPart> parts;
    std::int64_t total = 0;
    for (const Tensor& row : rows) {
      if (row.dtype() != rows[0].dtype()) throw MalformedFile("its groups are of several element types");
      parts.push_back({{total}, row.shape(), [row] { return bytes_of_tensor(row); }});
      total = checked_add(total, row.element_count(), "a group's size");
    }
    return assembled({total}, size_of(rows.at(0).dtype()), std::move(parts));
  }

  /// Buffers, frozen parameters and those that are others under a second name.
  void add_others(const TorchFile& file, const Dict& root, std::map<std::string, Tensor>& tensors) const {
    const Ref module = pickle::find(root, "module");
    const auto* state = module ? module->as<Dict>() : nullptr;
    const Ref buffers = pickle::find(root, "buffer_names");
    if (const auto* names = buffers && state ? pickle::sequence(*buffers) : nullptr)
      for (const Ref item : *names)
        if (const auto* name = item->as<std::string>())
          if (const Ref buffer = pickle::find(*state, *name); buffer && is_tensor(*buffer))
            tensors.emplace(*name, file.tensor(*buffer, *name));
    const Ref frozen = pickle::find(root, "frozen_param_fragments");
    const auto* fragments = frozen ? frozen->as<Dict>() : nullptr;
    if (fragments && !fragments->items.empty() && is_cut_by_parameter_)
      throw Unsupported("its frozen parameters are in pieces, which are not read");
    if (fragments)
      for (const auto& [key, value] : fragments->items)
        if (const auto* name = key->as<std::string>()) tensors.emplace(*name, file.tensor(*value, *name));
    const Ref shared = pickle::find(root, "shared_params");
    if (const auto* pairs = shared ? shared->as<Dict>() : nullptr)
      for (const auto& [key, value] : pairs->items) {
        const auto* name = key->as<std::string>();
        const auto* other = value->as<std::string>();
        const auto known = other ? tensors.find(*other) : tensors.end();
        if (name && known != tensors.end()) tensors.emplace(*name, Tensor(known->second));
      }
  }

  /// As the module's own state_dict has them, where it does; others as they are cut.
  static std::vector<std::string> names_in_order(const Dict& root, const std::map<std::string, Tensor>& tensors) {
    std::vector<std::string> order;
    std::set<std::string> listed;
    const auto add = [&](const std::string& name) {
      if (tensors.contains(name) && listed.insert(name).second) order.push_back(name);
    };
    const Ref module = pickle::find(root, "module");
    if (const auto* state = module ? module->as<Dict>() : nullptr)
      for (const auto& [key, value] : state->items)
        if (const auto* name = key->as<std::string>()) add(*name);
    if (const Ref groups = pickle::find(root, "param_shapes"))
      for (const Ref group : *pickle::sequence(*groups))
        for (const auto& [key, shape] : group->as<Dict>()->items) add(*key->as<std::string>());
    for (const auto& [name, tensor] : tensors) add(name);
    return order;
  }

  fs::path folder_;
  bool is_cut_by_parameter_ = false;
  std::vector<std::vector<Tensor>> rows_;  // by rank and group
  Nested nested_;
  std::map<std::string, ByteSourcePtr> storages_;
};

}  // namespace

bool is_deepspeed_checkpoint(const std::string& folder) { return checkpoint_in(folder).has_value(); }

TorchContent open_deepspeed_checkpoint(const std::string& folder) {
  const std::optional<fs::path> found = checkpoint_in(folder);
  if (!found) throw MalformedFile("is no checkpoint of DeepSpeed");
  return DeepspeedReader(*found).read();
}

}  // namespace h5bridge
