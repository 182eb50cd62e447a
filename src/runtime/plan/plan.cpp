#include <algorithm>
#include <map>
#include <mutex>

#include "facets/libtorch/registry.h"
#include "h5bridge/error.h"
#include "h5bridge/torch.h"
#include "runtime/plan/snapshot.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

using plan::Seen;

Seen seen(const torch::Tensor& value) {
  return {value.sizes().vec(), value.scalar_type(), value.is_cpu() && value.layout() == torch::kStrided};
}

// What hangs on earlier calls, or on values: a plan is one course for all.
bool has_no_plan(const Module::Implementation& module) {
  return module.program.has_branches() || std::ranges::any_of(module.program.steps(), [](const Program::Step& step) {
           return std::holds_alternative<plan::Remembers>(operation_of(*step.layer, step.module));
         });
}

void check_mode(const Module& module) {
  for (const auto& each : module.modules())
    if (each->is_training()) throw UsageError("the module is in training mode, call its eval() before predicting");
}

// No operation prepares for a gradient that nobody is going to ask for.
struct WithoutGradients {
  torch::NoGradGuard no_grad;
  at::AutoDispatchBelowADInplaceOrView below;
};

}  // namespace

class Plan::Implementation {
  // What decides how a call is computed, besides the sizes and elements of its inputs.
  struct Kind {
    torch::Device device;
    torch::ScalarType type;
  };

 public:
  Implementation(const Module& module, const Module::Implementation& own)
      : module_(module), own_(own), is_modules_own_(has_no_plan(own)) {}

  TorchValues run(const TorchValues& inputs) {
    if (plan::Snapshot* snapshot = snapshot_for(inputs)) {
      const WithoutGradients guards;
      return snapshot->run(inputs);
    }
    check_mode(module_);
    const torch::NoGradGuard no_grad;
    const std::lock_guard lock(guard_);
    return kinds_ || is_modules_own_ ? own_.run(inputs) : first_run(inputs);
  }

 private:
  // nullptr: the module itself is to be called.
  plan::Snapshot* snapshot_for(const TorchValues& inputs) {
    const std::lock_guard lock(guard_);
    if (is_modules_own_ || !kinds_ || !takes(inputs)) return nullptr;
    if (!snapshot_) {
      check_mode(module_);
      // Whatever LibTorch refuses to prepare, the module still computes.
      try {
        snapshot_ = std::make_unique<plan::Snapshot>(own_, values_);
      } catch (const std::exception&) {
        is_modules_own_ = true;
      }
    }
    return snapshot_.get();
  }

  bool takes(const TorchValues& inputs) const {
    return std::ranges::equal(inputs, *kinds_, [](const torch::Tensor& input, const Kind& kind) {
      return input.defined() && input.scalar_type() == kind.type && input.device() == kind.device;
    });
  }

  TorchValues first_run(const TorchValues& inputs) {
    std::map<std::string_view, const Program::Step*> steps;
    for (const Program::Step& step : own_.program.steps()) steps.emplace(step.node, &step);
    std::vector<Seen> values(own_.program.slot_count());
    const TorchValues result = own_.run(inputs, [&](const std::string& node, const TorchValues& made) {
      for (const auto& [output, slot] : steps.at(node)->outputs)
        if (output < made.size() && made[output].defined()) values[slot] = seen(made[output]);
      if (own_.observer) own_.observer(node, made);
    });
    const TorchValues kept = own_.kept(inputs);
    for (std::size_t i = 0; i < kept.size(); ++i) values[i] = seen(kept[i]);
    values_ = std::move(values);
    kinds_.emplace();
    for (const torch::Tensor& input : inputs) kinds_->push_back({input.device(), input.scalar_type()});
    return result;
  }

  const Module& module_;
  const Module::Implementation& own_;
  bool is_modules_own_;
  std::mutex guard_;
  std::optional<std::vector<Kind>> kinds_;  // of the first call's inputs
  std::vector<Seen> values_;                // that it made
  std::unique_ptr<plan::Snapshot> snapshot_;
};

Plan::Plan(std::shared_ptr<Module> module)
    : module_(std::move(module)),
      implementation_(std::make_unique<Implementation>(*module_, *module_->implementation_)) {}

Plan::~Plan() = default;

torch::Tensor Plan::forward(const torch::Tensor& input) {
  const std::vector<torch::Tensor> outputs = forward(std::vector{input});
  if (outputs.empty()) throw UsageError("the model has no output");
  return outputs.front();
}

std::vector<torch::Tensor> Plan::forward(const std::vector<torch::Tensor>& inputs) {
  return with_torch_errors([&] { return implementation_->run(inputs); });
}

std::map<std::string, torch::Tensor> Plan::forward(const std::map<std::string, torch::Tensor>& inputs) {
  const Module::Implementation& own = *module_->implementation_;
  return own.by_name(forward(own.in_order(inputs)));
}

std::shared_ptr<Plan> compile(std::shared_ptr<Module> module) {
  if (!module) throw UsageError("there is no module to compile: the pointer is null");
  check_mode(*module);
  return std::make_shared<Plan>(std::move(module));
}

}  // namespace h5bridge
