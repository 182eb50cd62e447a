// The one in-memory form that every file is read into and written from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// Named tensors in the order of their file.
class Weights {
 public:
  bool empty() const { return tensors_.empty(); }
  std::size_t size() const { return tensors_.size(); }
  auto begin() const { return tensors_.begin(); }
  auto end() const { return tensors_.end(); }
  const Tensor* find(std::string_view name) const;
  /// Adds a tensor; throws MalformedFile if the name is taken.
  void add(std::string name, Tensor tensor);
  /// Replaces the tensor of that name, or adds it.
  void set(std::string name, Tensor tensor);

 private:
  std::vector<NamedTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// An optimizer in PyTorch's terms: kind and hyperparameters are a class of torch.optim and its arguments, slots are
/// the entries of its state_dict.
///
/// A setting may stand in `hyperparameters` and in each of `groups`. What a group says counts for its parameters, and
/// `hyperparameters` stand for what it does not say; where the first group says something else than they do, save() and
/// to_optimizer() throw UsageError: whoever changes lr changes both, or takes it out of one.
struct Optimizer {
  std::string kind;                                       // "SGD", "Adam"
  Json::Object hyperparameters;                           // of the first parameter group: lr, momentum, betas, ...
  std::vector<Json::Object> groups;                       // each group's hyperparameters, and "params": the names in it
  std::map<std::string, std::vector<NamedTensor>> slots;  // by parameter name: momentum_buffer, exp_avg, step, ...
  Json::Object keras;                                     // Keras's own configuration, where it came from Keras
  std::vector<NamedTensor> keras_variables;               // likewise its variables, in Keras's layout
};

/// Where a training run stood.
struct Training {
  std::optional<std::int64_t> epoch;
  std::optional<double> loss;
  std::optional<Optimizer> optimizer;
  std::optional<Json> compile;  // Keras's training_config without the optimizer: loss, metrics, ...
};

/// What a model was seen to give, by which whatever it becomes can be tested. Arrays are in the order of the
/// architecture's inputs and outputs, and laid out as PyTorch has them.
struct Reference {
  std::string by;              // who made the outputs: "LibTorch 2.13.0"
  std::optional<DType> dtype;  // that the weights had been rounded to
  std::vector<NamedTensor> inputs;
  std::vector<NamedTensor> outputs;
  /// What each call's first output was like, in the order of the calls: its mean, that of magnitudes, the largest one.
  std::vector<std::pair<std::string, std::vector<double>>> layers;
};

/// The framework whose conventions a source follows: how its inputs and outputs are laid out.
enum class Framework { Torch, Keras };

struct Model {
  std::optional<Architecture> architecture;
  /// By PyTorch's state_dict names, in their order, and in the layout of `architecture`, WHICH NEED NOT BE PYTORCH'S:
  /// see in_torch_layout (h5bridge.h).
  Weights weights;
  /// By the same names, where a source says. It counts before Architecture::frozen, which only speaks of parameters
  /// that are not in here.
  std::map<std::string, bool> trainable;
  std::optional<Training> training;
  std::string optimizer_left_out;      // why the sources' optimizer is not in `training`; save() refuses to lose it
  std::string optimizer_not_in_keras;  // of that one, why Keras would not have it either; empty: it would
  Json::Object metadata;               // what a source carried that has no place above
  /// What weights were made of, where that cannot be computed back: "unscaled/lstm/kernel:0".
  std::vector<NamedTensor> residuals;
  std::optional<Reference> reference;
  Framework framework = Framework::Torch;
  std::string format;              // of the weights' file, else of the architecture's, as `h5bridge inspect` has it
  std::vector<std::string> notes;  // what reading the source leaves out or changes, a line each, for its user
};

}  // namespace h5bridge
