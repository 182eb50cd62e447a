#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "convert/checked_save.h"
#include "convert/compare.h"
#include "convert/inspection.h"
#include "convert/reference.h"
#include "convert/save.h"
#include "convert/temporaries.h"
#include "core/parts.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge::python {
namespace {

using OthersGoOn = nanobind::call_guard<nanobind::gil_scoped_release>;
using Paths = std::vector<std::string>;

/// As `h5bridge inspect --json` prints it.
nanobind::dict inspected(const Paths& sources, const LoadOptions& options) {
  Json json;
  {
    const nanobind::gil_scoped_release others_go_on;
    with_errors([&] {
      Inspection inspection = inspect(sources, options);
      const std::optional<Error> failure = inspection.failure;
      json = to_json(std::move(inspection));
      if (failure) json.as_object().set("error", failure->what());
    });
  }
  return to_python(json.as_object());
}

/// As `h5bridge compare --json` prints it, of tensors and optimizers.
nanobind::dict compared(const Model& a, const Model& b, double absolute, double relative, bool equal_nan) {
  Json::Object json;
  {
    const nanobind::gil_scoped_release others_go_on;
    with_errors([&] {
      const Tolerance tolerance{absolute, relative, equal_nan};
      const Model one = comparable(a), other = comparable(b);
      json = to_json(compare_architectures(a, b), compare_weights(one, other, tolerance),
                     compare_training(one, other, tolerance), {});
    });
  }
  return to_python(json);
}

/// What `h5bridge convert --check --json` says of "check", and the notes: nothing is written unless all agrees.
nanobind::dict saved_checked(const Model& model, const Paths& paths, const SaveOptions& options) {
  Json::Object json;
  {
    const nanobind::gil_scoped_release others_go_on;
    with_errors([&] {
      const CheckedSave saved = checked_save(model, paths, options, {});
      Json::Object views;
      for (const CheckedView& view : saved.views) views.set(view.path, to_json(view.comparison));
      json = {{"agrees", saved.agrees()}, {"views", std::move(views)}, {"notes", Json::array(saved.notes)}};
    });
  }
  return to_python(json);
}

/// Of so many rows of random inputs, for files that are written with `options`.
void keep_random_reference(Model& model, const Paths& paths, const SaveOptions& options, std::int64_t rows) {
  const nanobind::gil_scoped_release others_go_on;
  with_errors([&] {
    require_place_for_reference(paths, options);
    RandomInputs wanted;
    wanted.rows = rows;
    model.reference = random_reference(prepared(model, options), wanted, {});
    model.reference->dtype = options.dtype;
  });
}

}  // namespace

void add_work(nanobind::module_& module) {
  module.def("version", [] { return std::string(version()); });
  module.def(
      "load", [](const Paths& sources, const LoadOptions& options) { return load(sources, options); }, OthersGoOn());
  module.def(
      "save",
      [](const Model& model, const Paths& paths, const SaveOptions& options) { return save(model, paths, options); },
      OthersGoOn());
  module.def("save_checked", saved_checked);
  module.def("keep_random_reference", keep_random_reference);
  module.def("in_torch_layout", in_torch_layout, OthersGoOn());
  module.def("complete_training", complete_training, nanobind::arg("model"), nanobind::arg("epoch").none(),
             nanobind::arg("loss").none());
  module.def("bytes_written", bytes_in_temporaries);
  module.def("inspect", inspected);
  module.def("compare", compared);
}

}  // namespace h5bridge::python
