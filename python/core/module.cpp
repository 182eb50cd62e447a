// h5bridge._core: what the package h5bridge (../h5bridge/) takes from the library h5bridge::h5bridge.
#include <nanobind/nanobind.h>

#include "core/parts.h"

NB_MODULE(_core, module) {
  using namespace h5bridge::python;
  module.doc() = "The part of h5bridge that is C++. Use the package h5bridge instead.";
  translate_errors();
  add_options(module);
  add_model(module);
  add_work(module);
  add_outputs(module);
  add_runner(module);
}
