// A page that shows a model.
#include "convert/formats/format.h"
#include "convert/formats/torch_destination.h"
#include "convert/model_check.h"
#include "picture/html_page.h"

namespace h5bridge {

namespace {

void write_page(const Model& model, const std::string& path, const SaveOptions&, Notes&) {
  require_architecture(model);
  write_stream(path, [&](std::ostream& out) { write_html(model, out); });
}

}  // namespace

Format html_format() { return {.name = "html", .suffixes = {".html"}, .is_shown = true, .write = write_page}; }

}  // namespace h5bridge
