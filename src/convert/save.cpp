#include "convert/save.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "convert/formats/format.h"
#include "convert/replacement.h"
#include "convert/slot_check.h"
#include "convert/torch_notes.h"
#include "convert/unread_bytes.h"
#include "h5bridge/error.h"
#include "model/tensor_view.h"
#include "optimizers/settle_settings.h"
#include "passes/infer_shapes.h"
#include "passes/weight_check.h"

namespace h5bridge {
namespace {

bool is_in_shards(const Format& format, const std::string& destination, const SaveOptions& options) {
  const auto is_suffix = [&](const std::string& suffix) { return destination.ends_with(suffix); };
  return format.write_shards && (options.shard_size > 0 || std::ranges::any_of(format.shard_suffixes, is_suffix));
}

void check_shard_size(const std::vector<std::string>& paths, const SaveOptions& options) {
  const auto has_shards = [&](const std::string& path) {
    return format_for(path, options.format).write_shards != nullptr;
  };
  if (options.shard_size > 0 && std::ranges::none_of(paths, has_shards))
    throw UsageError("SaveOptions::shard_size is for formats of several files, of which no destination is");
}

// Writes all views to temporaries of `replacement`.
Notes write_all(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options,
                Replacement& replacement) {
  if (paths.empty()) throw UsageError("no destination is given");
  if (options.keras != 2 && options.keras != 3)
    throw UsageError("SaveOptions::keras " + std::to_string(options.keras) + ": expected 2 or 3");
  for (const std::string& path : paths) format_for(path, options.format);
  check_shard_size(paths, options);
  const std::optional<Model> completed = completed_for(model, options);
  const Model& source = completed ? *completed : model;
  Notes notes;
  for (const std::string& path : paths) {
    const auto beside = [&](const std::string& name) {
      return replacement.temporary_for((std::filesystem::path(path).parent_path() / name).string());
    };
    write_view(source, replacement.temporary_for(path), path, paths, options, beside, notes);
  }
  check_unread(model);
  return notes;
}

Model cast_weights(const Model& model, DType dtype) {
  Model result = model;
  std::map<TensorView, Tensor> made;  // what is one tensor stays one
  for (const NamedTensor& tensor : model.weights) {
    if (!is_floating_point(tensor.tensor.dtype())) continue;
    const auto [known, is_new] = made.try_emplace(view_of(tensor.tensor));
    if (is_new) known->second = cast(tensor.tensor, dtype);
    result.weights.set(tensor.name, known->second);
  }
  return result;
}

}  // namespace

const std::map<std::string, DType>& rounding_dtypes() {
  static const std::map<std::string, DType> dtypes{
      {"float32", DType::Float32}, {"float16", DType::Float16}, {"bfloat16", DType::BFloat16}};
  return dtypes;
}

std::optional<DType> rounding_dtype_named(const std::string& name) {
  const auto found = rounding_dtypes().find(name);
  return found == rounding_dtypes().end() ? std::nullopt : std::optional(found->second);
}

bool has_place_for_reference(const std::string& destination, const SaveOptions& options) {
  const Format& format = format_for(destination, options.format);
  return format.has_reference && !(format.framework == Framework::Torch && is_in_shards(format, destination, options));
}

void require_place_for_reference(const std::vector<std::string>& destinations, const SaveOptions& options) {
  const bool has_place = std::ranges::any_of(
      destinations, [&](const std::string& path) { return has_place_for_reference(path, options); });
  if (!has_place)
    throw Unsupported(destinations.at(0) +
                      ": has no place for a reference, which files of weights have (.h5, .keras, .pth, .ts, "
                      ".safetensors); another destination may be one");
}

bool hold_weights_alone(const std::vector<std::string>& destinations, const SaveOptions& options) {
  return std::ranges::all_of(destinations, [&](const std::string& destination) {
    return format_for(destination, options.format).holds == Holds::Weights;
  });
}

void complete_training(Model& model, std::optional<std::int64_t> epoch, std::optional<double> loss) {
  if (!epoch && !loss) return;
  if (!model.training) model.training.emplace();
  const auto complete = [&](auto& own, const auto& stated, const std::string& name) {
    if (!own)
      own = stated;
    else if (stated && *own != *stated)
      model.notes.push_back("the source has the " + name + " " + Json(*own).dump() + ", which stays: --" + name +
                            " is for one that has none");
  };
  complete(model.training->epoch, epoch, "epoch");
  complete(model.training->loss, loss, "loss");
}

std::optional<Model> completed_for(const Model& model, const SaveOptions& options) {
  std::optional<Model> result;
  const auto changed = [&]() -> Model& { return result ? *result : result.emplace(model); };
  if (options.dtype) result = cast_weights(model, *options.dtype);
  if (model.architecture) {
    Architecture whole = with_all_attributes(*model.architecture);
    check_graph(whole);
    if (whole != *model.architecture) changed().architecture = std::move(whole);
  }
  check_names(result ? *result : model);
  check_state_names(result ? *result : model);
  if (options.optimizer && model.training && model.training->optimizer) {
    settle_settings(*changed().training->optimizer);
    check_slots(*result);
  }
  return result;
}

Model prepared(const Model& model, const SaveOptions& options) {
  std::optional<Model> result = completed_for(model, options);
  return result ? *std::move(result) : model;
}

void write_view(const Model& model, const std::string& path, const std::string& destination,
                const std::vector<std::string>& destinations, const SaveOptions& options, const PlaceBeside& beside,
                Notes& notes) {
  const Format& format = format_for(destination, options.format);
  in_file(destination, [&] {
    const auto refuse = [&](const Notes& lost) {
      if (options.lossless && !lost.empty()) throw Unsupported(lost.front() + " (SaveOptions::lossless)");
    };
    refuse(model.notes);
    // Whoever made or changed the model by hand hears of it here, not from the file's next reader.
    if (model.architecture && !model.weights.empty()) check_fit(*model.architecture, model.weights);
    Notes own;
    if (is_in_shards(format, destination, options))
      format.write_shards(model, {destination, path, beside}, options, own);
    else
      format.write(model, path, options, own);
    const bool has_architecture = std::ranges::any_of(destinations, [&](const std::string& other) {
      const Format& beside_it = format_for(other, options.format);
      return beside_it.holds == Holds::Architecture && !beside_it.is_code;
    });
    if ((format.holds == Holds::Weights || format.is_code) && !has_architecture) {
      note_frozen(model, own);
      if (format.framework == Framework::Torch) {
        note_regularisation(model, own);
        note_wrappers(model, own);
      }
    }
    const bool has_reference = std::ranges::any_of(
        destinations, [&](const std::string& other) { return has_place_for_reference(other, options); });
    if (model.reference && !model.reference->outputs.empty() && !has_reference && !format.is_shown)
      own.push_back("left out: the reference inputs and outputs, which it has no place for");
    refuse(own);
    for (const std::string& note : own) notes.push_back(destination + ": " + note);
  });
}

std::vector<std::string> save(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options) {
  return with_errors([&] {
    Replacement replacement;
    Notes notes = write_all(model, paths, options, replacement);
    replacement.commit();
    return notes;
  });
}

Notes rehearse_save(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options) {
  return with_errors([&] {
    Replacement replacement;
    return write_all(model, paths, options, replacement);
  });
}

std::string destination_in(const std::string& folder, const std::string& source, const std::string& format) {
  const Format& wanted = format_for("", format);
  const std::filesystem::path file = std::filesystem::path(source).filename();
  const std::string suffix = format_by_suffix(file.string()).second;
  const bool is_known = !suffix.empty() && suffix.size() < file.string().size();
  const std::string name =
      is_known ? file.string().substr(0, file.string().size() - suffix.size()) : file.stem().string();
  return (std::filesystem::path(folder) / (name + (wanted.suffixes.empty() ? ".h5" : wanted.suffixes[0]))).string();
}

std::string_view version() { return H5BRIDGE_VERSION; }

}  // namespace h5bridge
