// The parts that the module is made of, a source each.
#pragma once

#include <nanobind/nanobind.h>

#include "h5bridge/json.h"

namespace h5bridge::python {

/// Every h5bridge::Error becomes the exception of h5bridge.errors that has its exit status.
void translate_errors();

/// LoadOptions and SaveOptions.
void add_options(nanobind::module_& module);

/// Model and Tensor.
void add_model(nanobind::module_& module);

/// load, save, inspect and what else does work; Python's other threads go on meanwhile.
void add_work(nanobind::module_& module);

/// What computing through PyTorch needs: how inputs and outputs look, random inputs, outputs compared.
void add_outputs(nanobind::module_& module);

/// Models that the library runs are run by what Python computes with.
void add_runner(nanobind::module_& module);

/// None, bool, int, float, str, list and dict.
nanobind::object to_python(const Json& json);
nanobind::dict to_python(const Json::Object& object);

}  // namespace h5bridge::python
