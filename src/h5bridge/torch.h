// Rebuilding models as LibTorch modules. Link h5bridge::torch.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

/// Where a training run stands.
struct Progress {
  std::optional<std::int64_t> epoch;
  std::optional<double> loss;
};

struct ModuleOptions {
  /// Whose layout inputs and outputs have; by default that of the framework which wrote the model's file. Of inputs and
  /// outputs ALONE: parameters have the layout of the model's architecture, in_torch_layout(model)'s have PyTorch's.
  std::optional<Framework> layout;
};

/// A model as a torch::nn::Module. Its parameters, buffers and submodules carry the names of the PyTorch state_dict;
/// submodules are LibTorch's own where one has the same semantics. It starts in train() mode, as PyTorch's do.
///
/// forward() throws UsageError for inputs of another number, name, rank, size or device than the model takes, and for
/// what a layer refuses (a dtype that it cannot compute with), naming input or node; shapes are said in the layout that
/// the caller chose. Whatever else it or another function here throws is an h5bridge::Error, too.
class Module : public torch::nn::Module {
 public:
  ~Module() override;
  /// Of a model with one input; the first output.
  torch::Tensor forward(const torch::Tensor& input);
  /// Inputs in the architecture's order; all outputs.
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& inputs);
  /// Inputs by name; outputs by name (input_names(), output_names()).
  std::map<std::string, torch::Tensor> forward(const std::map<std::string, torch::Tensor>& inputs);

  /// A module of its own with copies of all tensors, and of the states that stateful layers have kept, on `device` if
  /// one is given. Throws SystemFailure if there is no such device.
  std::shared_ptr<torch::nn::Module> clone(const std::optional<torch::Device>& device = std::nullopt) const override;

  /// As of any module; a tied parameter that a submodule has under a further name goes along. Throws SystemFailure if
  /// there is no such device.
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;

  /// Has layers that Keras calls stateful begin with zeros again, as Keras's reset_states() does: each call of theirs
  /// goes on from the states that the one before ended with. They belong to the batch that they were of.
  void reset_states();

  std::vector<std::string> input_names() const;
  /// What forward() takes, in the layout that the caller chose, with open sizes as symbols.
  std::vector<SymbolicShape> input_shapes() const;
  std::vector<std::string> output_names() const;
  const Architecture& architecture() const;

  /// Called with each node's name and outputs as they are made, in the architecture's own layout; an empty function
  /// ends it. What it throws leaves forward() as it is.
  using Observer = std::function<void(const std::string& node, const std::vector<torch::Tensor>& outputs)>;
  void observe(Observer observer);

  class Implementation;
  explicit Module(std::unique_ptr<Implementation> implementation);

 private:
  friend class Plan;
  friend Model capture(const Module& module);
  friend Model capture(const Module& module, const torch::optim::Optimizer& optimizer, const Progress& progress);
  template <typename Move>
  void moved(Move&& move);
  std::unique_ptr<Implementation> implementation_;
};

/// Rebuilds `model` on `device`, weights and all. Parameters are contiguous and 64-byte aligned, so that results do not
/// depend on the file they came from. Throws Unsupported for a layer that LibTorch cannot run, MalformedFile for
/// missing or misshapen weights, UsageError naming a layer and its attribute, SystemFailure if there is no such device.
std::shared_ptr<Module> to_module(const Model& model, torch::Device device = torch::kCPU,
                                  const ModuleOptions& options = {});

/// A module as it is to predict with, made by compile(). Its outputs are the module's but for rounding: 1e-5 of an
/// output's largest value is what tests allow.
///
/// The first call is the module's own, and costs no more. The second makes a snapshot of the weights as they are then,
/// which later training does not change, for inputs of the devices and types that the first had. On the CPU, what is
/// computed in float32 is joined: batch normalisation goes into the weights before it, activations and sums into
/// convolutions by oneDNN, whose memory has its channels last throughout (and whose ReLU makes 0 of a NaN). All else is
/// computed as the module does. A model whose layers keep something from call to call (a stateful LSTM), and inputs of
/// other devices or types, are the module's own to the end; so is a model of which LibTorch refuses to make a snapshot.
/// Calls from several threads at once are right.
///
/// forward() takes, gives and throws what the module's does, and gives no gradients.
class Plan {
 public:
  ~Plan();
  /// Of a model with one input; the first output.
  torch::Tensor forward(const torch::Tensor& input);
  /// Inputs in the architecture's order; all outputs.
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& inputs);
  /// Inputs by name; outputs by name.
  std::map<std::string, torch::Tensor> forward(const std::map<std::string, torch::Tensor>& inputs);

  class Implementation;
  explicit Plan(std::shared_ptr<Module> module);

 private:
  std::shared_ptr<Module> module_;
  std::unique_ptr<Implementation> implementation_;
};

/// Throws UsageError for a null pointer, and if the module is in training mode, as the plan's first two calls do.
std::shared_ptr<Plan> compile(std::shared_ptr<Module> module);

/// The optimizer that `model` was trained with, resuming where it stopped: SGD, Adam, AdamW, RMSprop or Adagrad. Its
/// groups hold what the saved ones did, less what nothing computes with. `notes` gets what only Keras's had (clipnorm,
/// a schedule), a line each. Throws UsageError if the model has none, Unsupported for another kind, a setting that
/// LibTorch lacks, and one that was left out (Model::optimizer_left_out); UsageError where its settings contradict each
/// other (see Optimizer), MalformedFile where it has state of parameters that the model does not.
std::unique_ptr<torch::optim::Optimizer> to_optimizer(const Model& model, Module& module,
                                                      std::vector<std::string>* notes = nullptr);

/// The weights of `module` and the state of `optimizer`, copied into a model that can be saved. It takes and gives what
/// the model did that `module` was made of, and says of every parameter whether it requires a gradient. Throws
/// Unsupported for an optimizer of another kind than to_optimizer knows, UsageError for one that holds parameters of
/// something else.
Model capture(const Module& module);
Model capture(const Module& module, const torch::optim::Optimizer& optimizer, const Progress& progress = {});

}  // namespace h5bridge
