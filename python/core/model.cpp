#include "h5bridge/model.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <new>

#include "convert/architecture_json.h"
#include "convert/inspection_parts.h"
#include "core/parts.h"
#include "h5bridge/h5bridge.h"
#include "passes/frozen.h"

namespace h5bridge::python {
namespace {

using Bytes = nanobind::ndarray<nanobind::numpy, std::uint8_t, nanobind::ndim<1>>;

constexpr std::align_val_t kAlignment{64};  // as what computes with the elements likes them

/// The elements in row-major order, read now, in memory that the array alone holds.
Bytes read(const Tensor& tensor) {
  const std::size_t count = tensor.byte_count();
  auto* const bytes = with_errors([&] { return static_cast<std::byte*>(::operator new(count, kAlignment)); });
  const nanobind::capsule owner(bytes, [](void* memory) noexcept { ::operator delete(memory, kAlignment); });
  {
    const nanobind::gil_scoped_release others_go_on;
    tensor.read({bytes, count});
  }
  return Bytes(reinterpret_cast<std::uint8_t*>(bytes), {count}, owner);
}

const Tensor& tensor_named(const Model& model, const std::string& name) {
  const Tensor* tensor = model.weights.find(name);
  if (!tensor) throw nanobind::key_error(name.c_str());
  return *tensor;
}

std::vector<std::string> tensor_names(const Model& model) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : model.weights) names.push_back(tensor.name);
  return names;
}

}  // namespace

void add_model(nanobind::module_& module) {
  nanobind::class_<Tensor>(module, "Tensor")
      .def_prop_ro("dtype", [](const Tensor& tensor) { return std::string(name_of(tensor.dtype())); })
      .def_prop_ro("shape", [](const Tensor& tensor) { return nanobind::tuple(nanobind::cast(tensor.shape())); })
      .def("read", read);
  nanobind::class_<Model>(module, "Model")
      .def_ro("format", &Model::format)
      .def_ro("notes", &Model::notes)
      .def("architecture",
           [](const Model& model) {
             return to_python(model.architecture
                                  ? architecture_to_json(with_frozen_names(*model.architecture, model.trainable))
                                  : Json());
           })
      .def("training",
           [](const Model& model) { return to_python(model.training ? training_to_json(*model.training) : Json()); })
      .def("frozen",
           [](const Model& model) {
             return model.architecture ? frozen_parameters(*model.architecture, model.trainable)
                                       : std::vector<std::string>();
           })
      .def("metadata", [](const Model& model) { return to_python(model.metadata); })
      .def("tensor_names", tensor_names)
      .def("tensor", tensor_named);
}

}  // namespace h5bridge::python
