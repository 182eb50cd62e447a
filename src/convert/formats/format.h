// What there is to say of a format: a row, in a file of its own beside this one, which formats.def lists.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "convert/formats/source_file.h"
#include "convert/save.h"
#include "pytorch/file.h"

namespace h5bridge {

struct FilePart;

/// What a file holds of a model; of these, what it has.
struct FileContent {
  std::optional<Architecture> architecture = {};
  std::optional<Json> keras_json = {};          // an architecture, as model.to_json() gives it
  std::optional<KerasFile> keras = {};          // Keras's variables and, in most files, its configuration
  std::optional<Model> torch = {};              // tensors by PyTorch's names, and the training state
  std::optional<OptimizerFile> optimizer = {};  // PyTorch's, alone

  bool has_weights() const { return keras || torch; }
};

enum class Holds { Model, Weights, Architecture };

/// A destination of several files.
struct Destination {
  std::string name;    // as it will be called
  std::string path;    // where to write it until all is done
  PlaceBeside beside;  // where to write another
};

struct Format {
  using Read = FileContent (*)(const SourceFile&, const LoadOptions&);
  using Inspect = FilePart (*)(const SourceFile&, const LoadOptions&);
  using Write = void (*)(const Model&, const std::string& path, const SaveOptions&, Notes&);
  using WriteShards = void (*)(const Model&, const Destination&, const SaveOptions&, Notes&);

  std::string name;                        // as --to and `inspect` have it
  std::vector<std::string> suffixes = {};  // of destinations; the longest that fits tells the format
  Framework framework = Framework::Torch;  // whose names its tensors and settings have
  Holds holds = Holds::Model;
  bool is_shown = false;       // to people or to Python: nothing reads it as a model
  bool is_code = false;        // what computes, and nothing of what is trained
  bool has_reference = false;  // whether there is a place for Model::reference
  bool has_entries = false;    // whether it may hold several models or state_dicts, one of which LoadOptions::key names
  /// Whether a file, or for `is_folder` a folder, is of this format; told by its content, never by its name. Null where
  /// the row of another reads these files. What two rows would take is the first one's.
  bool (*looks_like)(const SourceFile&) = nullptr;
  bool is_folder = false;
  std::string described = {};  // "a TorchScript archive": what it is, for where it is not read yet
  std::string way_out = {};    // what to do with a file that is not read
  Read read = nullptr;         // null: not read yet
  Inspect inspect = nullptr;   // what is read
  Write write = nullptr;       // null: not written yet
  /// In several files: where SaveOptions::shard_size asks for it, or the destination is one of these.
  WriteShards write_shards = nullptr;
  std::vector<std::string> shard_suffixes = {};

  bool is_destination() const { return write || !suffixes.empty(); }
};

/// The rows, in the order of formats.def.
const std::vector<Format>& formats();

/// The format of a file. Throws Unsupported, naming it, for one that is not read yet; MalformedFile for anything else.
const Format& recognise(const SourceFile& file);

/// Those that are written.
std::vector<std::string> destination_names();
/// The same for messages: "keras-h5, torch, ...".
std::string format_names();
/// Likewise the suffixes of what is written: ".h5 .hdf5 .keras ...".
std::string format_suffixes();

/// The format whose suffix fits a path, the longest that does, and that suffix; nullptr if none fits.
std::pair<const Format*, std::string> format_by_suffix(const std::string& path);

/// That of a destination: by the name that is `wanted`, or else by its suffix. Throws UsageError where there is none,
/// Unsupported for one that is not written yet.
const Format& format_for(const std::string& path, const std::string& wanted);

}  // namespace h5bridge
