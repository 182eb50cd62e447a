// h5bridge: neural networks between PyTorch and Keras. This header reads, converts and writes; it needs no LibTorch.
// <h5bridge/torch.h> rebuilds and runs models. Whatever these headers throw is an h5bridge::Error.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/error.h"
#include "h5bridge/keras_files.h"
#include "h5bridge/model.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// "1.2.3".
std::string_view version();

struct LoadOptions {
  std::string key{};                                // the entry of a checkpoint that holds the state_dict: "ema", "a.b"
  bool allow_unexpected = false;                    // carry along tensors that the architecture does not name
  std::map<std::string, std::int64_t> fix_sizes{};  // symbols bound to numbers
  bool optimizer = true;                            // read the state of the optimizer
  /// Which entry of a checkpoint holds it, where several could: "optD", or "optimizer_states.1" of a list.
  std::string optimizer_key{};
  /// The names of an optimizer's parameters as its groups list them, a list a group, where the file does not say.
  std::vector<std::vector<std::string>> param_order{};
  bool untie = false;  // tied parameters that differ in the file become two
  /// By default by order, as Keras does, unless the names are the same set.
  std::optional<LayerMatch> match{};
  /// Other names for the tensors of a state_dict, by theirs; then each of `renames` in turn: "EXPRESSION=REPLACEMENT",
  /// a regular expression (ECMAScript's) all of whose matches in a name are replaced, "\1" being its first group.
  std::map<std::string, std::string> names{};
  std::vector<std::string> renames{};
  std::optional<KerasBackend> written_by{};  // where a file of Keras 0 or 1 does not say
  /// Of a Keras file with layers of unknown classes, Lambda included, take the weights alone, by the file's own names
  /// and as it lays them out, and say so.
  bool weights_alone = false;
  /// Files of weights are mapped: a module uses numbers in place where they lie there as it wants them (contiguous, and
  /// aligned to 64 bytes), the rest is read. Whoever truncates such a file meanwhile kills the process.
  bool memory_map = false;
  /// The graph of a TorchScript archive, too, by LibTorch, which runs code of the archive's while it loads it: for
  /// files that are trusted.
  bool trust_torchscript = false;
  /// Examples of the shapes of a TorchScript archive's inputs, by their names, which it does not say: as many axes are
  /// taken, the sizes only where it has to know them.
  std::map<std::string, Shape> input_shapes{};
};

/// Reads the files that together make one model, in any order, each recognised by its content. Weights stay on disk
/// until used. Throws MalformedFile, also where the tensors do not fit the architecture, or the optimizer's its
/// parameters; Unsupported, SystemFailure, and UsageError where two sources state the same half.
Model load(const std::vector<std::string>& sources, const LoadOptions& options = {});
/// One file. (A template, because {"a.json", "a.pth"} would make a string, too.)
template <std::convertible_to<std::string> Path>
Model load(const Path& source, const LoadOptions& options = {}) {
  return load(std::vector<std::string>{source}, options);
}

/// The model as PyTorch has it: its architecture is what save() writes to a .json, its weights and the optimizer's
/// slots have the order of axes and elements that save() writes to a .pth, and its inputs and outputs are laid out as
/// PyTorch's. Weights are views of the old ones. load() leaves each architecture and its weights as their files have
/// them: in a channels_last model of Keras's, a Linear after a Flatten has its columns in the order H, W, C, where
/// PyTorch's own has C, H, W. A model of PyTorch's stays as it is, and weights without an architecture do. Throws
/// MalformedFile or Unsupported where the graph cannot be had with channels first.
Model in_torch_layout(const Model& model);

struct Signature {
  /// A tensor that a model takes or gives.
  struct Port {
    std::string name;
    SymbolicShape shape;  // with the batch axis
    DType dtype = DType::Float32;
    bool operator==(const Port&) const = default;
  };
  std::vector<Port> inputs;   // in the architecture's order
  std::vector<Port> outputs;  // likewise; named by the dict's keys, else by Keras's layers, or output, output_1, ...
};

/// What the model takes and gives, as the framework that it came from has it: a channels_last model of Keras's takes
/// (batch, height, width, channels). Element types follow from those of the inputs and of the weights. Throws
/// UsageError if the model has no architecture, MalformedFile naming the layer whose input does not fit.
Signature signature_of(const Model& model);

struct SaveOptions {
  std::string format{};                     // what `h5bridge convert --to` takes; empty: the path's suffix tells
  std::optional<DataFormat> data_format{};  // of Keras destinations
  int keras = 3;                            // whose files: 3, or 2 for a .h5 that tf.keras of TensorFlow 2 loads
  bool optimizer = true;                    // write the training state where the format holds one
  bool checkpoint = false;                  // torch: the dict {epoch, model_state_dict, optimizer_state_dict, loss}
  std::optional<DType> dtype{};             // floating-point weights are rounded to it
  bool lossless = false;                    // refuse what the destination has no place for, instead of saying so
  std::uint64_t shard_size = 0;             // bytes of tensors in a file at most, the others beside it; 0: its format's
};

/// Writes views of the model: all are written beside their destinations first, then renamed. A path holds the old file
/// or the whole new one, never a part. Returns notes: what the destinations have no place for, a line each; so are
/// frozen parameters where weights are written without a .json beside them. Throws MalformedFile naming the tensors
/// that the architecture misses or that have another shape than it says, or the optimizer's slot that is shaped
/// otherwise than its parameter; UsageError naming a layer and its attribute, or an optimizer's setting; Unsupported,
/// SystemFailure.
std::vector<std::string> save(const Model& model, const std::vector<std::string>& paths,
                              const SaveOptions& options = {});
/// One view.
template <std::convertible_to<std::string> Path>
std::vector<std::string> save(const Model& model, const Path& path, const SaveOptions& options = {}) {
  return save(model, std::vector<std::string>{path}, options);
}

}  // namespace h5bridge
