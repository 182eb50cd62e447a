// What torch.save writes: a pickle and the storages that it refers to, in a zip archive or, before PyTorch 1.6, in a
// row.
#pragma once

#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "files/pickle.h"
#include "files/zip.h"
#include "h5bridge/model.h"
#include "pytorch/content.h"
#include "pytorch/record.h"

namespace h5bridge {

/// Whether an archive is torch.save's (and not TorchScript's, which has a pickle, too).
bool is_torch_archive(const ZipReader& archive);
bool is_torchscript_archive(const ZipReader& archive);
/// Whether a file begins with the magic pickle of torch.save before PyTorch 1.6.
bool is_legacy_torch_file(const ByteSource& file);
/// Whether it is a tar archive of the first versions of PyTorch 0.1, which is not read.
bool is_torch_tar(const ByteSource& file);

/// Whether a pickled value is what torch would rebuild a tensor from. Not every such tensor is one that we can read.
bool is_tensor(const pickle::Value& value);

/// An opened file of torch.save. Not to be used by several threads at once; the tensors may be.
class TorchFile {
 public:
  /// Reads the pickle, no tensor. Throws MalformedFile.
  explicit TorchFile(const ByteSourcePtr& file);
  /// What has been opened already.
  explicit TorchFile(TorchContent content) : content_(std::move(content)), spare_(content_.document.spare()) {}

  const pickle::Value& root() const { return content_.document.root(); }
  /// More than the number of any value.
  std::size_t count() const { return content_.document.count(); }

  /// The tensor that a value stands for, wherever it was when it was saved. Its bytes stay in the file; tensors that
  /// share a storage share their source. Throws MalformedFile if it leaves its storage, or if the value is no tensor,
  /// and Unsupported, naming it, for what is no plain dense tensor. `name` is for messages.
  Tensor tensor(const pickle::Value& value, const std::string& name) const;

  /// Any value as JSON (files/pickle_json.h); tensors are {"$tensor": {"shape": [...], "dtype": "..."}}. Throws
  /// MalformedFile for more than a file of its size may ask for, all that was made so far included.
  Json to_json(const pickle::Value& value) const;

 private:
  ByteSourcePtr storage(const std::string& key, std::size_t number_size) const;

  TorchContent content_;
  mutable std::size_t spare_;
  mutable std::map<std::pair<std::string, std::size_t>, ByteSourcePtr> storages_;
};

struct TorchReadOptions {
  std::string key{};                                // the entry of a checkpoint that holds the state_dict: "ema", "a.b"
  bool optimizer = true;                            // read the state of the optimizer
  std::map<std::string, std::int64_t> fix_sizes{};  // open sizes of a whole module's input
  std::string optimizer_key{};                      // the entry that holds the optimizer, where several could
};

/// Reads a state_dict, or a checkpoint that holds one, into weights, training state and metadata["torch"]:
///   "state_dict_metadata": its _metadata;  "checkpoint": the entries that have no other place;  "described": the names
///   of those that are more than JSON can hold (tensors, tuples, objects);
///   "keys": {"state_dict", "optimizer", "epoch", "loss"}: the entries' names where they were found;
///   "module": the class of a whole module, whose tensors are read as its state_dict would have them; its architecture
///   is read where no code is needed to know it, and "no_architecture" says why not otherwise.
/// and of a whole module metadata["modules"]: [{"name", "class", "settings"}], itself first.
/// Parameters of the optimizer that the file does not name go by their number: convert/optimizer_names.h has their
/// names. An optimizer that cannot be read is left out, and Model::optimizer_left_out says why. Throws UsageError where
/// several entries could be the state_dict, or options.key is none of them nor the first name of tensors in the one, or
/// options.optimizer_key is no optimizer's;
/// Unsupported where there is none, naming the class of a pickled object that is no module.
Model read_torch_file(const TorchFile& file, const TorchReadOptions& options = {});
inline Model read_torch_file(const ByteSourcePtr& file, const TorchReadOptions& options = {}) {
  return read_torch_file(TorchFile(file), options);
}

/// What a file holds that has an optimizer's state_dict, by itself or as an entry, and no weights.
struct OptimizerFile {
  std::optional<Optimizer> optimizer;
  std::string left_out;  // why there is none
};
/// nullopt for any other file. Of several, that of the entry `key`; throws UsageError where none is of that name.
std::optional<OptimizerFile> read_optimizer_file(const TorchFile& file, const std::string& key);

/// What TorchReadOptions::key may be for that file, and how many tensors it takes: entries that are state_dicts or
/// modules, "" for the whole file, and the first names in a state_dict of several networks.
std::map<std::string, std::size_t> state_dict_keys(const TorchFile& file);

/// The further entries of the checkpoint that was read, by name: those that can be written again, or the others.
std::vector<std::pair<std::string, Json>> further_entries(const Model& model, bool plain);

struct TorchWriteOptions {
  bool checkpoint = false;      // the dict {epoch, model_state_dict, optimizer_state_dict, loss} around the state_dict
  bool optimizer = true;        // with optimizer_state_dict in it
  ArchiveRecords records = {};  // further ones
};

/// Writes what torch.save would write for the state_dict, with its _metadata if the model has it, or for a checkpoint;
/// torch.load(weights_only=True) takes it. Tensors that are the same view of the same bytes share a storage. An epoch
/// or loss that the model does not have is None. A checkpoint gets the further entries of the one that was read, as far
/// as they are plain. Throws Unsupported for a checkpoint with optimizer of a model without,
/// and SystemFailure if writing fails.
void write_torch_file(const Model& model, std::ostream& out, const TorchWriteOptions& options = {});

}  // namespace h5bridge
