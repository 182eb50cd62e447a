#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "h5bridge/torch.h"
#include "model/work_counts.h"
#include "passes/first_axis.h"
#include "passes/input_check.h"
#include "passes/presentation.h"
#include "passes/rows.h"
#include "runner/runner.h"
#include "runtime/device.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

using Ports = std::vector<Presentation::Port>;

/// The floating-point type of all parameters, if they have but one.
std::optional<DType> parameter_dtype(const Module& module) {
  std::set<torch::ScalarType> types;
  for (const torch::Tensor& parameter : module.parameters())
    if (parameter.is_floating_point()) types.insert(parameter.scalar_type());
  return types.size() == 1 ? std::optional(dtype_of(*types.begin())) : std::nullopt;
}

/// As module.half() has it: counters and indices stay as they are.
void convert_to(const Module& module, torch::ScalarType type) {
  const torch::NoGradGuard no_grad;
  for (const auto& tensors : {module.parameters(), module.buffers()})
    for (const torch::Tensor& tensor : tensors)
      if (tensor.is_floating_point()) tensor.set_data(tensor.to(type));
}

/// Inputs run in the type of the parameters, as a model stored in half precision wants it.
Ports in_dtype(Ports ports, std::optional<DType> dtype) {
  for (Presentation::Port& port : ports)
    if (dtype && is_floating_point(port.dtype)) port.dtype = *dtype;
  return ports;
}

/// Whether the first axis is the batch.
bool is_batched(const Presentation::Port& port, const std::optional<Size>& batch) {
  return batch && !port.shape.empty() && port.shape[0] == *batch;
}

/// The model without its tensors.
Model bare(const Model& model) {
  Model result;
  result.architecture = model.architecture;
  result.framework = model.framework;
  return result;
}

/// The inputs as the other framework has them; none where it cannot have the model.
Ports inputs_otherwise(const Model& model, Framework layout) {
  try {
    return presentation_of(model, layout == Framework::Keras ? Framework::Torch : Framework::Keras).inputs;
  } catch (const Error&) {
    return {};
  }
}

class TorchRunner : public Runner {
 public:
  TorchRunner(const Model& model, const RunOptions& options)
      : device_(parse_device(options.device)),
        module_(to_module(model, device_, {.layout = options.layout})),
        layout_(options.layout.value_or(model.framework)),
        presentation_(presentation_of(model, layout_)),
        model_(bare(model)),
        framework_(model.architecture->keras.class_name ? Framework::Keras : model.framework),
        batch_size_(options.batch_size) {
    module_->eval();
    if (options.dtype) convert_to(*module_, scalar_type_of(*options.dtype));
    dtype_ = options.dtype ? options.dtype : parameter_dtype(*module_);
    presentation_.inputs = in_dtype(std::move(presentation_.inputs), dtype_);
    if (!options.exact) plan_ = compile(module_);
    for (const Presentation::Port& port : presentation_.inputs)
      if (!batch_ && !port.shape.empty() && port.shape[0].is_open()) batch_ = port.shape[0];
    if (batch_size_ > 0) time_first_ = layer_with_time_first(*model.architecture);
    rows_apart_ = batch_size_ > 0 && batch_ && keeps_rows_apart(*model.architecture, *batch_);
  }

  std::string engine() const override { return "LibTorch " TORCH_VERSION; }

  std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs) override {
    return with_torch_errors([&] { return computed(inputs); });
  }

  std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs, const Observer& observe) override {
    return with_torch_errors([&] { return computed(inputs, observe); });
  }

 private:
  std::vector<NamedTensor> computed(const std::vector<NamedTensor>& inputs) const {
    const torch::InferenceMode inference;
    const std::vector<torch::Tensor> all = on_device(inputs);
    const std::int64_t rows = rows_of(all);
    if (batch_size_ <= 0 || rows <= batch_size_) return named(predicted(all));

    check_splittable();
    std::vector<std::vector<torch::Tensor>> parts(presentation_.outputs.size());
    for (std::int64_t row = 0; row < rows; row += batch_size_) {
      const std::vector<torch::Tensor> outputs = predicted(batch_of(all, row, std::min(row + batch_size_, rows)));
      for (std::size_t i = 0; i < outputs.size(); ++i) parts[i].push_back(outputs[i].to(torch::kCPU));
    }
    if (!rows_apart_) check_rows_alone(all, parts);
    std::vector<torch::Tensor> outputs;
    for (const auto& part : parts) outputs.push_back(torch::cat(part));
    return named(outputs);
  }

  // Where layers do not say that they keep rows apart: the first rows of the first two parts have to give together what
  // they give among others.
  void check_rows_alone(const std::vector<torch::Tensor>& all,
                        const std::vector<std::vector<torch::Tensor>>& parts) const {
    ++work().rows_checked;
    std::vector<torch::Tensor> pair = all;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (is_batched(presentation_.inputs[i], batch_)) pair[i] = torch::stack({all[i][0], all[i][batch_size_]});
    const std::vector<torch::Tensor> together = module_->forward(pair);
    for (std::size_t i = 0; i < together.size(); ++i) {
      const torch::Tensor apart = torch::stack({parts[i][0][0], parts[i][1][0]});
      if (!are_close(together[i].to(torch::kCPU), apart))
        throw UsageError("output \"" + presentation_.outputs[i].name +
                         "\" of a row depends on the other rows of the batch, so the batch cannot be split");
    }
  }

  // But for rounding, which other numbers of rows bring.
  static bool are_close(const torch::Tensor& found, const torch::Tensor& expected) {
    if (!expected.is_floating_point() || expected.numel() == 0) return found.equal(expected);
    const double rounding = std::sqrt(eps_of(expected.scalar_type()));
    const torch::Tensor wanted = expected.to(torch::kDouble);
    const double largest = wanted.abs().nan_to_num(0, 0, 0).amax().item<double>();
    return torch::allclose(found.to(torch::kDouble), wanted, 0, rounding * largest, true);
  }

  static double eps_of(torch::ScalarType type) {
    switch (type) {
      case torch::kDouble: return std::numeric_limits<double>::epsilon();
      case torch::kHalf: return 0x1p-10;
      case torch::kBFloat16: return 0x1p-7;
      default: return std::numeric_limits<float>::epsilon();
    }
  }

  std::vector<NamedTensor> computed(const std::vector<NamedTensor>& inputs, const Observer& observe) const {
    const torch::InferenceMode inference;
    module_->observe([&](const std::string& node, const std::vector<torch::Tensor>& outputs) {
      std::vector<Tensor> copies;
      for (const torch::Tensor& output : outputs) copies.push_back(from_torch(output));
      observe(node, copies);
    });
    const auto stop_observing = std::shared_ptr<void>(nullptr, [this](void*) { module_->observe({}); });
    return named(module_->forward(on_device(inputs)));
  }

  std::vector<torch::Tensor> predicted(const std::vector<torch::Tensor>& inputs) const {
    return plan_ ? plan_->forward(inputs) : module_->forward(inputs);
  }

  std::vector<torch::Tensor> on_device(const std::vector<NamedTensor>& inputs) const {
    std::vector<torch::Tensor> result;
    for (const Tensor& input : fitting(inputs)) result.push_back(to_torch(input, device_));
    return result;
  }

  bool fits_otherwise(const std::vector<NamedTensor>& inputs) const {
    try {
      const Ports otherwise = in_dtype(inputs_otherwise(model_, layout_), dtype_);
      return !otherwise.empty() && !checked_inputs(otherwise, inputs, framework_).empty();
    } catch (const Error&) {
      return false;
    }
  }

  /// Where they do not fit, but do in the other framework's layout, the message says so.
  std::vector<Tensor> fitting(const std::vector<NamedTensor>& inputs) const {
    try {
      return checked_inputs(presentation_.inputs, inputs, framework_);
    } catch (const UsageError& error) {
      if (!fits_otherwise(inputs)) throw;
      const bool is_keras = layout_ == Framework::Keras;
      throw UsageError(std::string(error.what()) + "; it fits as " + (is_keras ? "PyTorch" : "Keras") +
                       " lays it out (RunOptions::layout = " + (is_keras ? "torch)" : "keras)"));
    }
  }

  std::int64_t rows_of(const std::vector<torch::Tensor>& inputs) const {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (is_batched(presentation_.inputs[i], batch_)) return inputs[i].size(0);
    return 0;
  }

  void check_splittable() const {
    if (time_first_)
      throw UsageError("the batch cannot be split along the first axis, which is time for " + *time_first_);
    for (const Presentation::Port& port : presentation_.outputs)
      if (!is_batched(port, batch_) || std::ranges::count(port.shape, *batch_) > 1)
        throw UsageError("output \"" + port.name + "\" of shape " + to_string(port.shape) +
                         " has not one batch axis, so the batch cannot be split");
  }

  std::vector<torch::Tensor> batch_of(const std::vector<torch::Tensor>& inputs, std::int64_t begin,
                                      std::int64_t end) const {
    std::vector<torch::Tensor> result = inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (is_batched(presentation_.inputs[i], batch_)) result[i] = inputs[i].slice(0, begin, end);
    return result;
  }

  std::vector<NamedTensor> named(const std::vector<torch::Tensor>& outputs) const {
    std::vector<NamedTensor> result;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      result.push_back({presentation_.outputs[i].name, from_torch(outputs[i])});
    return result;
  }

  torch::Device device_;
  std::shared_ptr<Module> module_;
  std::shared_ptr<Plan> plan_;  // nullptr: the module predicts
  Framework layout_;
  Presentation presentation_;
  Model model_;                 // without its tensors
  std::optional<DType> dtype_;  // of floating-point inputs
  Framework framework_;         // whose model it was first
  std::int64_t batch_size_;
  std::optional<Size> batch_;              // the size of the batch axis
  std::optional<std::string> time_first_;  // the layer for which that is time
  bool rows_apart_ = false;                // by what its layers say
};

}  // namespace
}  // namespace h5bridge

/// What runner/runner.cpp looks up in this library. The caller owns the result.
extern "C" h5bridge::Runner* h5bridge_make_runner(const h5bridge::Model& model, const h5bridge::RunOptions& options) {
  return new h5bridge::TorchRunner(model, options);
}
