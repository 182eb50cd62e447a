#include <nanobind/nanobind.h>

#include "core/parts.h"
#include "h5bridge/error.h"

namespace h5bridge::python {
namespace {

/// The classes are written in Python, where their readers look for them.
void raise(const Error& error) {
  const nanobind::object classes = nanobind::module_::import_("h5bridge.errors").attr("BY_STATUS");
  const nanobind::object its_class = classes[nanobind::int_(static_cast<int>(error.status()))];
  PyErr_SetObject(its_class.ptr(), nanobind::str(error.what()).ptr());
}

}  // namespace

void translate_errors() {
  nanobind::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      raise(error);
    }
  });
}

}  // namespace h5bridge::python
