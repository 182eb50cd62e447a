#include "runner/runner.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <utility>

#include "core/parts.h"
#include "h5bridge/h5bridge.h"
#include "passes/infer_shapes.h"
#include "passes/input_check.h"
#include "passes/presentation.h"

namespace h5bridge::python {
namespace {

/// What Python computes with: build(Model, device, dtype) gives forward([Tensor]) -> [Tensor], in PyTorch's layout.
struct PyTorch {
  nanobind::object name;  // () -> "PyTorch 2.13.0"
  nanobind::object build;
};

PyTorch& pytorch() {
  static auto* const known = new PyTorch;  // never destroyed: Python may be gone by then
  return *known;
}

/// Python's exception as the error of ours that it is, or else as inputs that the model does not take.
[[noreturn]] void rethrow(const nanobind::python_error& error) {
  const nanobind::gil_scoped_acquire python;
  const std::string message = nanobind::str(error.value()).c_str();
  const nanobind::object errors = nanobind::module_::import_("h5bridge.errors");
  const auto is = [&](const char* name) { return error.matches(errors.attr(name)); };
  if (is("SystemFailure")) throw SystemFailure(message);
  if (is("MalformedFile")) throw MalformedFile(message);
  if (is("Unsupported")) throw Unsupported(message);
  if (is("UsageError")) throw UsageError(message);
  throw RefusedInputs("PyTorch: " + message.substr(0, message.find('\n')));
}

/// A model as Python's PyTorch runs it.
class Forward {
 public:
  Forward(Model model, const RunOptions& options) {
    const nanobind::gil_scoped_acquire python;
    try {
      const std::optional<std::string> dtype =
          options.dtype ? std::optional(std::string(name_of(*options.dtype))) : std::nullopt;
      function_ = pytorch().build(std::move(model), options.device, dtype);
    } catch (const nanobind::python_error& error) {
      rethrow(error);
    }
  }
  ~Forward() {
    const nanobind::gil_scoped_acquire python;
    function_.reset();
  }
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs) const {
    const nanobind::gil_scoped_acquire python;
    try {
      return nanobind::cast<std::vector<Tensor>>(function_(inputs));
    } catch (const nanobind::python_error& error) {
      rethrow(error);
    }
  }

 private:
  nanobind::object function_;
};

/// The model that gives what each of its calls makes, and the names of the calls, each as often as it has outputs.
std::pair<Model, std::vector<std::string>> with_all_outputs(Model model) {
  Architecture& architecture = *model.architecture;
  const Shapes shapes = infer_shapes(architecture);
  std::vector<std::string> calls;
  architecture.outputs.clear();
  for (Node& node : architecture.nodes) {
    const auto count = static_cast<std::int64_t>(shapes.outputs_of(node.name).size());
    for (std::int64_t i = 0; i < count; ++i) {
      architecture.outputs.push_back({"", {node.name, i}});
      calls.push_back(node.name);
    }
    node.scope_call.clear();  // what a part of the graph makes within is seen only where it is no part
  }
  architecture.scopes.clear();
  architecture.scope_calls.clear();
  return {std::move(model), std::move(calls)};
}

class PythonRunner : public Runner {
 public:
  PythonRunner(const Model& model, const RunOptions& options)
      : model_(in_torch_layout(model)),
        options_(options),
        framework_(model.architecture->keras.class_name ? Framework::Keras : model.framework),
        looks_(presentation_of(model_, options.layout.value_or(model.framework))),
        kept_(presentation_of(model_, Framework::Torch)),
        forward_(model_, options) {
    if (options.batch_size > 0) throw UsageError("a batch is not split where PyTorch is Python's");
  }

  std::string engine() const override {
    const nanobind::gil_scoped_acquire python;
    return nanobind::cast<std::string>(pytorch().name());
  }

  std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs) override {
    return presented(forward_(in_order(inputs)));
  }

  std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs, const Observer& observe) override {
    const auto [model, calls] = with_all_outputs(model_);
    const std::vector<Tensor> given = in_order(inputs);
    const std::vector<Tensor> made = Forward(model, options_)(given);
    std::map<Value, Tensor> values;
    for (std::size_t i = 0; i < given.size(); ++i) values[{model_.architecture->inputs[i].name, 0}] = given[i];
    for (std::size_t i = 0; i < made.size(); ++i) values[model.architecture->outputs[i].value] = made[i];
    for (std::size_t begin = 0, end = 0; begin < made.size(); begin = end) {
      while (end < made.size() && calls.at(end) == calls.at(begin)) ++end;
      observe(calls[begin],
              {made.begin() + static_cast<std::ptrdiff_t>(begin), made.begin() + static_cast<std::ptrdiff_t>(end)});
    }
    std::vector<Tensor> outputs;
    for (const Output& output : model_.architecture->outputs) outputs.push_back(values.at(output.value));
    return presented(outputs);
  }

 private:
  // Under the names and in the layout that they have outside.
  std::vector<NamedTensor> presented(const std::vector<Tensor>& made) const {
    if (made.size() != kept_.outputs.size()) throw SystemFailure("PyTorch gives another number of outputs than it has");
    std::vector<NamedTensor> outputs;
    for (std::size_t i = 0; i < made.size(); ++i) outputs.push_back({kept_.outputs[i].name, made[i]});
    outputs = presented_anew(std::move(outputs), kept_.outputs, looks_.outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].name = looks_.outputs[i].name;
    return outputs;
  }

  std::vector<Tensor> in_order(const std::vector<NamedTensor>& inputs) const {
    const std::vector<Tensor> checked = checked_inputs(looks_.inputs, inputs, framework_);
    std::vector<NamedTensor> named;
    for (std::size_t i = 0; i < checked.size(); ++i) named.push_back({looks_.inputs[i].name, checked[i]});
    std::vector<Tensor> result;
    for (const NamedTensor& input : presented_anew(std::move(named), looks_.inputs, kept_.inputs))
      result.push_back(input.tensor.contiguous());
    return result;
  }

  Model model_;
  RunOptions options_;
  Framework framework_;  // whose model it was first
  Presentation looks_;   // as inputs and outputs are laid out outside
  Presentation kept_;
  Forward forward_;
};

}  // namespace

void add_runner(nanobind::module_& module) {
  module.def("run_with", [](const nanobind::object& name, const nanobind::object& build) {
    pytorch() = {name, build};
    set_runner_factory([](const Model& model, const RunOptions& options) -> std::unique_ptr<Runner> {
      return std::make_unique<PythonRunner>(model, options);
    });
  });
}

}  // namespace h5bridge::python
