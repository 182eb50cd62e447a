#include "pytorch/deepspeed.h"

#include <algorithm>
#include <charconv>
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

/// Of "zero_pp_rank_12_mp_rank_00_optim_states.pt" 12.
std::int64_t rank_number(std::string_view digits, const std::string& name) {
  std::int64_t rank = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw MalformedFile("its file \"" + shortened(name) + "\" does not say by a number which rank's it is");
  return rank;
}

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
    const std::size_t digits = at + kRank.size();
    ranks[rank_number(std::string_view(name).substr(digits, model_rank - digits), name)] = entry.path();
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

/// By rank and group.
using Rows = std::vector<std::vector<Tensor>>;

/// What a rank has of its optimizer: slots as rows, like the parameters', and what is the same for all parameters.
struct RankOptimizer {
  std::map<std::string, std::vector<Tensor>> rows;
  std::vector<std::pair<std::string, Json>> numbers;  // "step"
  std::vector<Json::Object> groups;                   // hyperparameters
  std::string missing;                                // why there is none
};

/// The state_dict of the optimizer whose parameters are a rank's rows.
class RankOptimizerReader {
 public:
  RankOptimizerReader(const TorchFile& file, const std::vector<Tensor>& rows) : file_(file), rows_(rows) {}

  RankOptimizer read(Ref state_dict) {
    const auto* dict = state_dict ? state_dict->as<Dict>() : nullptr;
    if (state_dict && pickle::sequence(*state_dict))
      return without("its ranks have the optimizer's state without padding (elastic_checkpoint), which is not read");
    const Ref state = dict ? pickle::find(*dict, "state") : nullptr;
    const Ref groups = dict ? pickle::find(*dict, "param_groups") : nullptr;
    if (!state || !state->as<Dict>() || state->as<Dict>()->items.empty() || !groups || !pickle::sequence(*groups))
      return without("its ranks have no state of the optimizer (\"state\" and \"param_groups\")");
    std::size_t row = 0;
    for (const Ref group : *pickle::sequence(*groups)) {
      const Dict& settings = dict_of(group, "param_groups");
      add_group(settings);
      const Ref numbers = pickle::find(settings, "params");
      const auto* list = numbers ? pickle::sequence(*numbers) : nullptr;
      if (!list) throw MalformedFile("a group of its optimizer lists no parameters");
      for (const Ref number : *list) {
        const auto found = std::ranges::find_if(state->as<Dict>()->items, [&](const auto& item) {
          const auto *own = item.first->template as<std::int64_t>(), *wanted = number->as<std::int64_t>();
          return own && wanted && *own == *wanted;
        });
        if (found == state->as<Dict>()->items.end())
          return without("its optimizer has no state of row " + std::to_string(row));
        add_row(dict_of(found->second, "state"), row);
        if (!result_.missing.empty()) return std::move(result_);
        ++row;
      }
    }
    if (row != rows_.size())
      return without("its optimizer has " + std::to_string(row) + " rows of parameters, expected " +
                     std::to_string(rows_.size()));
    for (const auto& [name, rows] : result_.rows)
      if (rows.size() != row) return without("its optimizer has \"" + shortened(name) + "\" of some rows alone");
    return std::move(result_);
  }

 private:
  static RankOptimizer without(std::string why) { return {{}, {}, {}, std::move(why)}; }

  void add_group(const Dict& group) {
    Json::Object settings;
    for (const auto& [key, value] : group.items)
      if (const auto* name = key->as<std::string>(); name && *name != "params")
        settings.set(*name, file_.to_json(*value));
    result_.groups.push_back(std::move(settings));
  }

  void add_row(const Dict& slots, std::size_t row) {
    for (const auto& [key, value] : slots.items) {
      const auto* name = key->as<std::string>();
      if (!name) throw MalformedFile("a slot of its optimizer is named by " + pickle::describe(*key));
      std::optional<double> number = pickle::number(*value);
      if (is_tensor(*value)) {
        const Tensor slot = file_.tensor(*value, *name);
        if (slot.rank() == 1 && slot.is_contiguous() && slot.shape() == rows_.at(row).shape()) {
          result_.rows[*name].push_back(slot);
          continue;
        }
        if (slot.element_count() == 1) number = cast(slot, DType::Float64).values<double>()[0];
      }
      if (!number) {
        result_.missing = "its slot \"" + shortened(*name) + "\" is " + pickle::describe(*value) +
                          ", which is no row of numbers like the parameters'";
        return;
      }
      const auto known = std::ranges::find(result_.numbers, *name, &std::pair<std::string, Json>::first);
      if (known == result_.numbers.end())
        result_.numbers.emplace_back(*name, Json(*number));
      else if (known->second != Json(*number))
        result_.missing = "its \"" + shortened(*name) + "\" differs from group to group";
    }
  }

  const TorchFile& file_;
  const std::vector<Tensor>& rows_;
  RankOptimizer result_;
};

class DeepspeedReader {
 public:
  explicit DeepspeedReader(const fs::path& folder) : folder_(folder) {
    for (const auto& [rank, path] : ranks_in(folder)) in_file(path.filename().string(), [&] { add_rank(path); });
    for (const std::vector<Tensor>& rank : rows_)
      if (rank.size() != rows_[0].size()) throw MalformedFile("its ranks have different numbers of groups");
    if (rows_.at(0).empty()) throw MalformedFile("its ranks have no parameters");
  }

  DeepspeedContent read() {
    const fs::path path = model_states();
    in_file(path.filename().string(), [&] { read_model(TorchFile(open_file(path.string()))); });
    const std::string code = nested_.pickled();
    return {{pickle::read(std::as_bytes(std::span(code)), size_of_folder(folder_.string())),
             [storages = std::move(storages_)](const std::string& key, std::size_t) { return storages.at(key); }},
            optimizer_left_out_};
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
    RankOptimizerReader reader(file, rows_.back());
    optimizers_.push_back(
        reader.read(pickle::find(state, is_cut_by_parameter_ ? "optimizer_state_dict" : "base_optimizer_state")));
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
    std::map<std::string, Tensor> tensors = taken(*groups, rows_);
    add_others(file, root, tensors);
    const bool has_optimizer = add_optimizer(*groups);
    std::vector<std::string> order = names_in_order(root, tensors);
    std::map<TensorView, std::string> stored;  // what is one tensor stays one
    for (const std::string& name : order) {
      const Tensor& tensor = tensors.at(name);
      const std::string& key = stored.emplace(view_of(tensor), name).first->second;
      if (key == name) storages_[name] = bytes_of_tensor(tensor.is_contiguous() ? tensor : tensor.contiguous());
      std::vector<PathStep> path{name};
      if (has_optimizer) path.insert(path.begin(), "model_state_dict");
      nested_.add(path, StoredTensor{tensor.dtype(), tensor.shape(), key});
    }
  }

  /// Why there is no optimizer in the ranks, or none that could be told.
  std::string missing_of_optimizer(std::size_t groups) const {
    for (const RankOptimizer& rank : optimizers_) {
      if (!rank.missing.empty()) return rank.missing;
      if (rank.numbers != optimizers_[0].numbers || rank.groups != optimizers_[0].groups)
        return "its ranks state different steps or hyperparameters";
      const auto names = [](const RankOptimizer& of) {
        std::set<std::string> result;
        for (const auto& [name, rows] : of.rows) result.insert(name);
        return result;
      };
      if (names(rank) != names(optimizers_[0])) return "its ranks have different slots";
    }
    if (optimizers_[0].groups.size() != groups)
      return "its optimizer has " + std::to_string(optimizers_[0].groups.size()) + " groups, and the model's states " +
             std::to_string(groups);
    // DeepSpeed's own Adam does not say whether it is AdamW.
    for (const Json::Object& group : optimizers_[0].groups)
      if (const Json* decay = group.find("weight_decay");
          group.contains("bias_correction") && decay && decay->is_number() && decay->as_float() != 0)
        return "its optimizer is DeepSpeed's own Adam with a weight_decay, which does not say whether that is AdamW's";
    return "";
  }

  /// Slots are cut as the parameters are. Whether there are any.
  bool add_optimizer(const std::vector<Ref>& groups) {
    optimizer_left_out_ = missing_of_optimizer(groups.size());
    if (!optimizer_left_out_.empty()) return false;
    const std::string root = "optimizer_state_dict";
    const RankOptimizer& first = optimizers_[0];
    std::map<std::string, std::map<std::string, Tensor>> slots;
    for (const auto& [name, own] : first.rows) {
      Rows rows;
      for (const RankOptimizer& rank : optimizers_) rows.push_back(rank.rows.at(name));
      slots.emplace(name, taken(groups, rows));
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      Json::Array names;
      for_each_shape(dict_of(groups[i], "param_shapes"), [&](const std::string& name, const Shape&) {
        names.emplace_back(name);
        for (const auto& [number, value] : first.numbers) nested_.add({root, "state", name, number}, value);
        for (const auto& [slot, tensors] : slots) {
          const Tensor& tensor = tensors.at(name);
          const std::string key = "optimizer/" + slot + "/" + name;
          storages_[key] = bytes_of_tensor(tensor);
          nested_.add({root, "state", name, slot}, StoredTensor{tensor.dtype(), tensor.shape(), key});
        }
      });
      const auto place = static_cast<std::int64_t>(i);
      for (const auto& [name, value] : first.groups[i])
        if (name != "bias_correction") nested_.add({root, "param_groups", place, name}, value);
      nested_.add({root, "param_groups", place, "params"}, Json(std::move(names)));
    }
    return true;
  }

  std::map<std::string, Tensor> taken(const std::vector<Ref>& groups, const Rows& rows) const {
    return is_cut_by_parameter_ ? take_parts(groups, rows) : take_runs(groups, rows);
  }

  template <typename Visit>
  static void for_each_shape(const Dict& group, Visit&& visit) {
    for (const auto& [key, value] : group.items) {
      const auto* name = key->template as<std::string>();
      if (!name) throw MalformedFile("a parameter's name is " + pickle::describe(*key));
      in_file("parameter " + shortened(*name), [&] { visit(*name, shape_of(*value)); });
    }
  }

  /// `count` elements from the place `begin` of a row of them on. Shapes are what the file says, and may be anything.
  static ByteSourcePtr elements(const ByteSourcePtr& row, std::int64_t begin, std::int64_t count, DType dtype) {
    const auto bytes = [&](std::int64_t elements) {
      return static_cast<std::uint64_t>(
          checked_multiply(elements, static_cast<std::int64_t>(size_of(dtype)), "a parameter's size in bytes"));
    };
    return part_of(row, bytes(begin), bytes(count));
  }

  /// Stages 1 and 2: the ranks' rows of a group, one behind the other, are its parameters, one behind the other.
  static std::map<std::string, Tensor> take_runs(const std::vector<Ref>& groups, const Rows& by_rank) {
    if (groups.size() != by_rank[0].size()) throw MalformedFile("its groups are not those of the ranks");
    std::map<std::string, Tensor> tensors;
    for (std::size_t group = 0; group < groups.size(); ++group) {
      std::vector<Tensor> rows;
      for (const std::vector<Tensor>& rank : by_rank) rows.push_back(rank[group]);
      const DType dtype = rows[0].dtype();
      const ByteSourcePtr whole = joined(rows);
      std::int64_t position = 0;
      for_each_shape(dict_of(groups[group], "param_shapes"), [&](const std::string& name, const Shape& shape) {
        const std::int64_t count = as_file_says([&] { return element_count(shape); });
        tensors.insert_or_assign(name, Tensor(dtype, shape, elements(whole, position, count, dtype)));
        position = checked_add(position, count, "a group's size");
      });
    }
    return tensors;
  }

  /// Stage 3: each parameter is cut into as many parts as there are ranks, filled up at the end. A rank's groups are
  /// one row of such parts.
  static std::map<std::string, Tensor> take_parts(const std::vector<Ref>& groups, const Rows& by_rank) {
    std::map<std::string, Tensor> tensors;
    const DType dtype = by_rank[0].at(0).dtype();
    std::vector<ByteSourcePtr> ranks;
    for (const std::vector<Tensor>& rows : by_rank) ranks.push_back(joined(rows));
    const auto cut = static_cast<std::int64_t>(ranks.size());
    std::int64_t position = 0;
    for (const Ref shapes : groups)
      for_each_shape(dict_of(shapes, "param_shapes"), [&](const std::string& name, const Shape& shape) {
        const std::int64_t count = as_file_says([&] { return element_count(shape); });
        const std::int64_t part = count / cut + (count % cut == 0 ? 0 : 1);
        std::vector<TensorPart> parts;
        for (std::int64_t rank = 0; rank < cut; ++rank) {
          ByteSourcePtr bytes = elements(ranks[static_cast<std::size_t>(rank)], position, part, dtype);
          parts.push_back({{rank * part}, {part}, [bytes = std::move(bytes)] { return bytes; }});
        }
        const std::int64_t filled_up = checked_multiply(cut, part, "a parameter's size");
        const ByteSourcePtr whole = assembled({filled_up}, size_of(dtype), std::move(parts));
        tensors.insert_or_assign(name, Tensor(dtype, shape, elements(whole, 0, count, dtype)));
        position = checked_add(position, part, "a rank's row");
      });
    return tensors;
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
  Rows rows_;
  std::vector<RankOptimizer> optimizers_;  // by rank
  std::string optimizer_left_out_;
  Nested nested_;
  std::map<std::string, ByteSourcePtr> storages_;
};

}  // namespace

bool is_deepspeed_checkpoint(const std::string& folder) { return checkpoint_in(folder).has_value(); }

DeepspeedContent open_deepspeed_checkpoint(const std::string& folder) {
  const std::optional<fs::path> found = checkpoint_in(folder);
  if (!found) throw MalformedFile("is no checkpoint of DeepSpeed");
  return DeepspeedReader(*found).read();
}

}  // namespace h5bridge
