#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "convert/compare.h"
#include "convert/random_inputs.h"
#include "convert/reference.h"
#include "convert/tensor_agreement.h"
#include "core/parts.h"
#include "h5bridge/h5bridge.h"
#include "passes/presentation.h"

namespace h5bridge::python {
namespace {

Presentation presented(const Model& model, const std::optional<std::string>& layout) {
  if (!layout) return presentation_of(model);
  if (*layout != "keras" && *layout != "torch")
    throw UsageError("layout=\"" + *layout + "\": expected \"keras\" or \"torch\"");
  return presentation_of(model, *layout == "keras" ? Framework::Keras : Framework::Torch);
}

nanobind::list described(const std::vector<Presentation::Port>& ports) {
  nanobind::list result;
  for (const Presentation::Port& port : ports) {
    nanobind::dict each;
    each["name"] = port.name;
    each["axes"] = port.axes;
    each["dtype"] = std::string(name_of(port.dtype));
    result.append(each);
  }
  return result;
}

/// {"inputs", "outputs"}: [{"name", "axes", "dtype"}]; presented = PyTorch's own, permuted by the axes. `model` has
/// PyTorch's layout.
nanobind::dict ports(const Model& model, const std::optional<std::string>& layout) {
  const Presentation looks = presented(model, layout);
  nanobind::dict result;
  result["inputs"] = described(looks.inputs);
  result["outputs"] = described(looks.outputs);
  return result;
}

std::vector<std::pair<std::string, Tensor>> random_arrays(const Model& model, const std::optional<std::string>& layout,
                                                          std::int64_t rows, std::uint64_t seed,
                                                          const std::map<std::string, Shape>& shapes) {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const NamedTensor& input :
       random_inputs(*model.architecture, presented(model, layout), {.rows = rows, .seed = seed, .shapes = shapes}))
    result.emplace_back(input.name, input.tensor);
  return result;
}

Tensor tensor_of(const nanobind::bytes& elements, const std::string& dtype, const Shape& shape) {
  const auto known = dtype_named(dtype);
  if (!known) throw UsageError("elements of type " + dtype + " are none that a model has");
  const auto* begin = static_cast<const std::byte*>(elements.data());
  return Tensor(*known, shape, bytes_in_memory(std::vector<std::byte>(begin, begin + elements.size())));
}

using Arrays = std::vector<std::pair<std::string, Tensor>>;

/// Under the names of the ports, in whose order they are.
std::vector<NamedTensor> named(const std::vector<Tensor>& tensors, const std::vector<Presentation::Port>& ports) {
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < std::min(tensors.size(), ports.size()); ++i)
    result.push_back({ports[i].name, tensors[i]});
  return result;
}

Arrays arrays_of(const std::vector<NamedTensor>& tensors) {
  Arrays result;
  for (const NamedTensor& tensor : tensors) result.emplace_back(tensor.name, tensor.tensor);
  return result;
}

/// Arrays in the model's order, laid out as `layout` says, which are kept in PyTorch's layout.
void keep_reference(Model& model, const std::optional<std::string>& layout, const std::vector<Tensor>& inputs,
                    const std::vector<Tensor>& outputs, const std::string& by) {
  with_errors([&] {
    const Presentation looks = presented(model, layout);
    model.reference = given_reference(model, looks, named(inputs, looks.inputs), named(outputs, looks.outputs));
    model.reference->by = by;
  });
}

/// The same the other way round: (by, inputs, outputs); None where the model keeps none.
nanobind::object reference_of(const Model& model, const std::optional<std::string>& layout) {
  if (!model.reference || model.reference->outputs.empty()) return nanobind::none();
  const Presentation kept = presentation_of(model, Framework::Torch), looks = presented(model, layout);
  const auto shown = [](std::vector<NamedTensor> arrays, const auto& from, const auto& to) {
    if (arrays.size() != from.size()) throw UsageError("the reference is of another number of inputs or outputs");
    for (std::size_t i = 0; i < arrays.size(); ++i) arrays[i].name = from[i].name;
    return arrays_of(presented_anew(std::move(arrays), from, to));
  };
  return nanobind::make_tuple(model.reference->by, shown(model.reference->inputs, kept.inputs, looks.inputs),
                              shown(model.reference->outputs, kept.outputs, looks.outputs));
}

std::vector<NamedTensor> named(const Arrays& arrays) {
  std::vector<NamedTensor> result;
  for (const auto& [name, tensor] : arrays) result.push_back({name, tensor});
  return result;
}

using Layout = std::optional<std::string>;

RunOptions running(const Model& model, const Layout& layout, const std::string& device) {
  RunOptions options{.device = device, .layout = model.framework};
  if (layout) options.layout = *layout == "keras" ? Framework::Keras : Framework::Torch;
  return options;
}

/// What `work` finds, as JSON; Python's other threads go on meanwhile.
template <typename Work>
nanobind::dict found_by(Work&& work) {
  Json::Object json;
  {
    const nanobind::gil_scoped_release others_go_on;
    json = with_errors(work);
  }
  return to_python(json);
}

/// What `h5bridge verify --json` says. Arrays by name, as `layout` has them.
nanobind::dict verified(const Model& model, const Layout& layout, const std::string& device, const Arrays& inputs,
                        const Arrays& expected, double absolute, double relative, bool equal_nan) {
  return found_by([&] {
    const OutputComparison comparison =
        compare_with_expected(model, presented(model, layout), named(inputs), named(expected),
                              running(model, layout, device), {absolute, relative, equal_nan});
    return Json::Object{{"agrees", comparison.agrees()},
                        {"outputs", to_json(comparison.outputs)},
                        {"likely_cause", to_json(comparison.cause)}};
  });
}

/// The same of what the model keeps.
nanobind::dict replayed(const Model& model, const std::string& device, double absolute, double relative,
                        bool equal_nan) {
  return found_by(
      [&] { return to_json(replay(model, running(model, std::nullopt, device), {absolute, relative, equal_nan})); });
}

/// "run" of what `h5bridge compare --json` says. Inputs are those of `a`.
nanobind::dict outputs_compared(const Model& a, const Model& b, const Layout& layout, const Arrays& inputs,
                                double absolute, double relative, bool equal_nan) {
  return found_by([&] {
    return to_json(compare_outputs(a, b, named(inputs), running(a, layout, "cpu"), {absolute, relative, equal_nan}));
  });
}

}  // namespace

void add_outputs(nanobind::module_& module) {
  module.def("tensor_of", tensor_of);
  module.def("ports", ports, nanobind::arg("model"), nanobind::arg("layout").none());
  module.def("random_inputs", random_arrays, nanobind::arg("model"), nanobind::arg("layout").none(),
             nanobind::arg("rows"), nanobind::arg("seed"), nanobind::arg("shapes"));
  module.def("verify", verified, nanobind::arg("model"), nanobind::arg("layout").none(), nanobind::arg("device"),
             nanobind::arg("inputs"), nanobind::arg("expected"), nanobind::arg("atol"), nanobind::arg("rtol"),
             nanobind::arg("equal_nan"));
  module.def("replay", replayed);
  module.def("compare_outputs", outputs_compared, nanobind::arg("a"), nanobind::arg("b"),
             nanobind::arg("layout").none(), nanobind::arg("inputs"), nanobind::arg("atol"), nanobind::arg("rtol"),
             nanobind::arg("equal_nan"));
  module.def("keep_reference", keep_reference, nanobind::arg("model"), nanobind::arg("layout").none(),
             nanobind::arg("inputs"), nanobind::arg("outputs"), nanobind::arg("by"));
  module.def("reference", reference_of, nanobind::arg("model"), nanobind::arg("layout").none());
}

}  // namespace h5bridge::python
