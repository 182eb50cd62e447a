// Running a model from code that links no LibTorch: the library that does is loaded when it is first asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/error.h"
#include "h5bridge/model.h"

namespace h5bridge {

struct RunOptions {
  std::string device = "cpu";       // cpu, cuda, cuda:N
  std::optional<Framework> layout;  // of inputs and outputs; by default the model's own
  std::int64_t batch_size = 0;      // split the batch axis; 0: do not
  std::optional<DType> dtype{};     // of floating-point weights and inputs; by default the model's own
  bool exact = true;                // the plain modules; else the compiled plan, from the second part of a batch on
};

/// A layer refuses the inputs that a model is run on, though they have the shapes and types that the model states.
class RefusedInputs : public UsageError {
 public:
  using UsageError::UsageError;
};

class Runner {
 public:
  virtual ~Runner() = default;
  /// What computes, and its version: "LibTorch 2.13.0".
  virtual std::string engine() const = 0;
  /// Runs the model in evaluation mode. Inputs by name, in any order; outputs named and ordered as presentation_of has
  /// them. Numbers are converted to the model's dtype where that loses no meaning (checked_inputs). Throws UsageError
  /// for missing, unknown or misshapen inputs, RefusedInputs for others that do not fit (an index out of range).
  virtual std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs) = 0;
  /// The same with the whole batch at once, handing every node's outputs to `observe` in the architecture's own layout.
  using Observer = std::function<void(const std::string& node, const std::vector<Tensor>& outputs)>;
  virtual std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs, const Observer& observe) = 0;
};

/// Loads LibTorch and builds the model, unless set_runner_factory() says otherwise. Throws SystemFailure if the program
/// was built without LibTorch or has no such device.
std::unique_ptr<Runner> make_runner(const Model& model, const RunOptions& options);

/// What makes runners in this process from now on. A process that has a PyTorch of its own, as Python's does, runs
/// models by that, which no second LibTorch may stand beside.
using RunnerFactory = std::function<std::unique_ptr<Runner>(const Model& model, const RunOptions& options)>;
void set_runner_factory(RunnerFactory factory);

}  // namespace h5bridge
