// A page that shows a model.
#include "convert/formats/format.h"
#include "convert/formats/torch_destination.h"
#include "picture/html_page.h"

namespace h5bridge {

Format html_format() {
  return {
      .name = "html",
      .suffixes = {".html"},
      .is_shown = true,
      .write = [](const Model& model, const std::string& path, const SaveOptions&,
                  Notes&) { write_stream(path, [&](std::ostream& out) { write_html(model, out); }); },
  };
}

}  // namespace h5bridge
