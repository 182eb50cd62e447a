// What torch.save writes: a state_dict, a checkpoint, a whole module; in a zip archive or as before PyTorch 1.6.
#include "convert/formats/format.h"
#include "convert/formats/reference_record.h"
#include "convert/formats/torch_destination.h"
#include "convert/inspection_parts.h"
#include "convert/torch_notes.h"
#include "h5bridge/error.h"
#include "optimizers/keras_settings.h"
#include "optimizers/settle_settings.h"
#include "passes/registration_order.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

bool is_torch_file(const SourceFile& file) {
  return file.zip() ? is_torch_archive(*file.zip()) : is_legacy_torch_file(*file.bytes());
}

TorchFile opened(const SourceFile& file) {
  return TorchFile(file.zip() ? open_torch_zip(file.zip()) : open_legacy_torch(file.bytes()));
}

// A checkpoint counts parameters as PyTorch registers them, which Keras does not know; somebody may have stated it.
void require_numbers(const Optimizer& optimizer, const Architecture& architecture) {
  const bool is_stated = optimizer.groups.front().contains("param_names");
  if (!optimizer.keras.empty() && !is_registration_known(architecture) && !is_stated)
    throw Unsupported(
        "the architecture does not say in which order PyTorch registers the parameters that a checkpoint counts; "
        "export it again, or state the order (LoadOptions::param_order)");
}

void require_checkpoint(const Model& model, const SaveOptions& options) {
  if (!options.optimizer)
    throw Unsupported(
        "a checkpoint needs the optimizer's state, which SaveOptions::optimizer = false leaves out: without it, a "
        "checkpoint is a plain state_dict, which is written where SaveOptions::checkpoint is not given");
  if (!model.training || !model.training->optimizer)
    throw Unsupported("a checkpoint needs the optimizer's state, and " +
                      (model.optimizer_left_out.empty() ? "the sources have none"
                                                        : "it cannot be kept: " + model.optimizer_left_out));
  if (model.training->optimizer->groups.empty())
    throw Unsupported(why_not_in_torch(*model.training->optimizer) +
                      "; SaveOptions::optimizer = false in place of SaveOptions::checkpoint leaves the optimizer out");
}

// Beside the optimizer, as PyTorch has no other place for it.
void keep_compile(Training& training, Notes& notes) {
  if (!training.compile) return;
  if (Json* keras = training.optimizer->groups.front().find(kKerasMember); keras && keras->is_object())
    keras->as_object().set(kCompileMember, *training.compile);
  else
    notes.push_back("left out: what Keras compiled the model with");
}

void write_torch(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  require_weights(model);
  if (options.checkpoint) require_checkpoint(model, options);
  Model torch = torch_destination(model, notes);
  if (options.checkpoint) {
    if (torch.architecture) require_numbers(*torch.training->optimizer, *torch.architecture);
    note_training_run(torch, notes);
    note_entries(torch, Entries::NotPlain, notes);
    keep_compile(*torch.training, notes);
  } else {
    note_training(torch, options, "; SaveOptions::checkpoint keeps the optimizer", notes);
  }
  const TorchWriteOptions writing{.checkpoint = options.checkpoint,
                                  .optimizer = options.optimizer,
                                  .records = reference_records(torch, options, notes)};
  write_stream(path, [&](std::ostream& out) { write_torch_file(torch, out, writing); });
}

}  // namespace

Format torch_format() {
  return {
      .name = "torch",
      .suffixes = {".pth", ".pt", ".bin", ".ckpt", ".pth.tar"},
      .holds = Holds::Weights,
      .has_reference = true,
      .has_entries = true,
      .looks_like = is_torch_file,
      .read =
          [](const SourceFile& file, const LoadOptions& options) {
            const TorchFile torch = opened(file);
            if (auto optimizer = read_optimizer_file(torch, options.optimizer_key))
              return FileContent{.optimizer = std::move(optimizer)};
            FileContent content{.torch = read_torch_file(
                                    torch, {options.key, options.optimizer, options.fix_sizes, options.optimizer_key})};
            if (file.zip()) content.torch->reference = reference_in(*file.zip());
            return content;
          },
      .inspect = [](const SourceFile& file,
                    const LoadOptions& options) { return inspect_torch_file(opened(file), options); },
      .write = write_torch,
  };
}

}  // namespace h5bridge
