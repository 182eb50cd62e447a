// The source of a PyTorch module.
#include "convert/formats/format.h"
#include "convert/formats/torch_destination.h"
#include "convert/layout_conversion.h"
#include "convert/model_check.h"
#include "convert/torch_notes.h"
#include "pytorch/python_source/python_source.h"

namespace h5bridge {
namespace {

// In the layout of the state_dict beside it.
void write_python(const Model& model, const std::string& path, const SaveOptions&, Notes& notes) {
  require_architecture(model);
  const std::string source = python_source(to_data_format(model, DataFormat::ChannelsFirst));
  note_training_alone(model, notes);
  write_stream(path, [&](std::ostream& out) { out << source; });
}

}  // namespace

Format python_format() {
  return {.name = "python",
          .suffixes = {".py"},
          .holds = Holds::Architecture,
          .is_shown = true,
          .is_code = true,
          .write = write_python};
}

}  // namespace h5bridge
