#include "convert/save.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "convert/architecture_json.h"
#include "convert/keras_model.h"
#include "convert/layout_conversion.h"
#include "convert/replacement.h"
#include "convert/safetensors_model.h"
#include "convert/slot_check.h"
#include "convert/torch_notes.h"
#include "files/keras_archive.h"
#include "files/keras_h5.h"
#include "files/keras_objects.h"
#include "h5bridge/error.h"
#include "h5bridge/h5bridge.h"
#include "model/tensor_view.h"
#include "optimizers/keras_settings.h"
#include "optimizers/stated_twice.h"
#include "passes/frozen.h"
#include "passes/registration.h"
#include "passes/shapes.h"
#include "passes/weight_check.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

using Write = void (*)(const Model&, const std::string& path, const SaveOptions&, Notes&);

enum class Holds { Model, Weights, Architecture };

struct Format {
  std::string name;
  std::vector<std::string> suffixes;
  Write write;  // null: not written yet
  Holds holds = Holds::Model;
};

void write_stream(const std::string& path, const std::function<void(std::ostream&)>& write) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) throw SystemFailure(std::strerror(errno));
  write(out);
  out.close();
  if (!out) throw SystemFailure(std::string("writing failed: ") + std::strerror(errno));
}

// A checkpoint counts parameters as PyTorch registers them, which Keras does not know; somebody may have stated it.
void require_numbers(const Optimizer& optimizer, const Architecture& architecture) {
  const bool is_stated = optimizer.groups.front().contains("param_names");
  if (!optimizer.keras.empty() && !is_registration_known(architecture) && !is_stated)
    throw Unsupported(
        "the architecture does not say in which order PyTorch registers the parameters that a checkpoint counts; "
        "export it again, or state the order (LoadOptions::param_order)");
}

KerasFile keras_file(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes) {
  // Nothing of PyTorch's is lost where it has a place. An old Keras's optimizer has none in any file; a note says so.
  if (options.optimizer && model.framework == Framework::Torch && !model.optimizer_left_out.empty())
    throw Unsupported(model.optimizer_not_in_keras.empty()
                          ? "the optimizer cannot be kept: " + model.optimizer_left_out
                          : model.optimizer_not_in_keras +
                                "; SaveOptions::optimizer = false leaves the optimizer out; besides, " +
                                model.optimizer_left_out);
  if (options.optimizer) note_entries(model, Entries::NotPlain, notes);  // others ride along
  return keras_from_model(model, form, options, notes);
}

void write_keras_h5_file(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  write_keras_h5(keras_file(model, KerasForm::Layers, options, notes), path);
}

// As Keras 2's save_weights("x.h5") has it, which keeps no optimizer.
void write_keras_h5_weights_file(const Model& model, const std::string& path, const SaveOptions& options,
                                 Notes& notes) {
  SaveOptions weights = options;
  weights.optimizer = false;
  KerasFile file = keras_file(model, KerasForm::Layers, weights, notes);
  note_training(model, options, "", notes);
  file.model_config = Json();
  write_keras_h5(file, path);
}

void write_keras_archive_file(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  write_keras_archive(keras_file(model, KerasForm::Objects, options, notes), path);
}

void write_keras_weights_file(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  write_keras_weights(keras_file(model, KerasForm::Objects, options, notes), path);
}

bool needs_no_weights(const Model& model) { return model.architecture && parameters_of(*model.architecture).empty(); }

// Beside the optimizer, as PyTorch has no other place for it.
void keep_compile(Training& training, Notes& notes) {
  if (!training.compile) return;
  if (Json* keras = training.optimizer->groups.front().find(kKerasMember); keras && keras->is_object())
    keras->as_object().set(kCompileMember, *training.compile);
  else
    notes.push_back("left out: what Keras compiled the model with");
}

void write_torch(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  if (model.weights.empty() && !needs_no_weights(model)) throw UsageError("needs weights, and the sources have none");
  if (options.checkpoint && !options.optimizer)
    throw UsageError("a checkpoint without optimizer is a plain state_dict: leave SaveOptions::checkpoint out");
  Model torch = to_data_format(model, DataFormat::ChannelsFirst);
  if (options.checkpoint && (!torch.training || !torch.training->optimizer))
    throw Unsupported("a checkpoint needs the optimizer's state, and " +
                      (model.optimizer_left_out.empty() ? "the sources have none"
                                                        : "it cannot be kept: " + model.optimizer_left_out));
  if (options.checkpoint && torch.training->optimizer->groups.empty())
    throw Unsupported(why_not_in_torch(*torch.training->optimizer) +
                      "; SaveOptions::optimizer = false in place of SaveOptions::checkpoint leaves the optimizer out");
  note_missing_unused(torch, notes);
  note_precision(torch, notes);
  note_calls(torch, notes);
  if (options.checkpoint && torch.architecture) require_numbers(*torch.training->optimizer, *torch.architecture);
  if (options.checkpoint) {
    note_training_run(torch, notes);
    note_entries(torch, Entries::NotPlain, notes);
    keep_compile(*torch.training, notes);
  } else {
    note_training(torch, options, "; SaveOptions::checkpoint keeps the optimizer", notes);
  }
  write_stream(path, [&](std::ostream& out) {
    write_torch_file(torch, out, {.checkpoint = options.checkpoint, .optimizer = options.optimizer});
  });
}

void write_safetensors_file(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  if (model.weights.empty() && !needs_no_weights(model)) throw UsageError("needs weights, and the sources have none");
  const Model torch = to_data_format(model, DataFormat::ChannelsFirst);
  note_missing_unused(torch, notes);
  note_precision(torch, notes);
  note_calls(torch, notes);
  note_training(torch, options, "", notes);
  write_stream(path, [&](std::ostream& out) { write_safetensors(torch, out); });
}

void write_architecture(const Model& model, const std::string& path, const SaveOptions&, Notes&) {
  if (!model.architecture) throw UsageError("needs an architecture, and the sources have none");
  const Json json =
      architecture_to_json(with_frozen_names(architecture_for_torch(*model.architecture), model.trainable));
  write_stream(path, [&](std::ostream& out) { out << json.dump(2) << '\n'; });
}

// A destination's format follows from the longest suffix that fits.
const std::vector<Format>& formats() {
  static const std::vector<Format> table{
      {"keras-h5", {".h5", ".hdf5"}, write_keras_h5_file},
      {"keras-h5-weights", {}, write_keras_h5_weights_file, Holds::Weights},
      {"keras", {".keras"}, write_keras_archive_file},
      {"keras-weights", {".weights.h5"}, write_keras_weights_file, Holds::Weights},
      {"torch", {".pth", ".pt", ".bin", ".ckpt"}, write_torch, Holds::Weights},
      {"safetensors", {".safetensors"}, write_safetensors_file, Holds::Weights},
      {"architecture", {".json"}, write_architecture, Holds::Architecture},
      {"python", {".py"}, nullptr},
      {"torchscript", {".ts"}, nullptr},
  };
  return table;
}

// The format whose suffix fits a path, the longest that does, and that suffix; nullptr if none fits.
std::pair<const Format*, std::string> by_suffix(const std::string& path) {
  std::pair<const Format*, std::string> best{nullptr, ""};
  for (const Format& format : formats())
    for (const std::string& suffix : format.suffixes)
      if (path.ends_with(suffix) && suffix.size() > best.second.size()) best = {&format, suffix};
  return best;
}

const Format& format_for(const std::string& path, const std::string& wanted) {
  const Format* best = by_suffix(path).first;
  if (!wanted.empty()) {
    const auto named = std::ranges::find(formats(), wanted, &Format::name);
    best = named == formats().end() ? nullptr : &*named;
  }
  if (!best && !wanted.empty()) throw UsageError("no format is called \"" + wanted + "\"; there are " + format_names());
  if (!best)
    throw UsageError(path + ": its suffix does not tell the format; say SaveOptions::format with one of " +
                     format_names());
  if (!best->write) throw Unsupported(path + ": the format " + best->name + " is not written yet");
  return *best;
}

// Writes all views to temporaries of `replacement`.
Notes write_all(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options,
                Replacement& replacement) {
  if (paths.empty()) throw UsageError("no destination is given");
  for (const std::string& path : paths) format_for(path, options.format);
  const Model source = prepared(model, options);
  Notes notes;
  for (const std::string& path : paths)
    write_view(source, replacement.temporary_for(path), path, paths, options, notes);
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

void complete_training(Model& model, std::optional<std::int64_t> epoch, std::optional<double> loss) {
  if (!epoch && !loss) return;
  if (!model.training) model.training.emplace();
  if (!model.training->epoch) model.training->epoch = epoch;
  if (!model.training->loss) model.training->loss = loss;
}

std::string format_names() {
  std::string names;
  for (const Format& format : formats())
    if (format.write) names += (names.empty() ? "" : ", ") + format.name;
  return names;
}

Model prepared(const Model& model, const SaveOptions& options) {
  Model result = options.dtype ? cast_weights(model, *options.dtype) : model;
  if (result.architecture) result.architecture = with_all_attributes(*std::move(result.architecture));
  if (options.optimizer && result.training && result.training->optimizer) {
    settle_settings(*result.training->optimizer);
    check_slots(result);
  }
  return result;
}

void write_view(const Model& model, const std::string& path, const std::string& destination,
                const std::vector<std::string>& destinations, const SaveOptions& options, Notes& notes) {
  const Format& format = format_for(destination, options.format);
  in_file(destination, [&] {
    const auto refuse = [&](const Notes& lost) {
      if (options.lossless && !lost.empty()) throw Unsupported(lost.front() + " (SaveOptions::lossless)");
    };
    refuse(model.notes);
    // Whoever made or changed the model by hand hears of it here, not from the file's next reader.
    if (model.architecture && !model.weights.empty()) check_fit(*model.architecture, model.weights);
    Notes own;
    format.write(model, path, options, own);
    const bool has_architecture = std::ranges::any_of(destinations, [&](const std::string& other) {
      return format_for(other, options.format).holds == Holds::Architecture;
    });
    if (format.holds == Holds::Weights && !has_architecture) note_frozen(model, own);
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
  const std::string suffix = by_suffix(file.string()).second;
  const bool is_known = !suffix.empty() && suffix.size() < file.string().size();
  const std::string name =
      is_known ? file.string().substr(0, file.string().size() - suffix.size()) : file.stem().string();
  return (std::filesystem::path(folder) / (name + (wanted.suffixes.empty() ? ".h5" : wanted.suffixes[0]))).string();
}

std::string_view version() { return H5BRIDGE_VERSION; }

}  // namespace h5bridge
