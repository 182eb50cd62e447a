#include "convert/formats/torch_destination.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "convert/layout_conversion.h"
#include "convert/torch_notes.h"
#include "h5bridge/error.h"
#include "passes/infer_shapes.h"

namespace h5bridge {

void write_stream(const std::string& path, const std::function<void(std::ostream&)>& write) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) throw SystemFailure(std::strerror(errno));
  write(out);
  out.close();
  if (!out) throw SystemFailure(std::string("writing failed: ") + std::strerror(errno));
}

void require_weights(const Model& model) {
  const bool needs_none = model.architecture && parameters_of(*model.architecture).empty();
  if (model.weights.empty() && !needs_none) throw UsageError("needs weights, and the sources have none");
}

Model torch_destination(const Model& model, Notes& notes) {
  Model torch = to_data_format(model, DataFormat::ChannelsFirst);
  note_missing_unused(torch, notes);
  note_precision(torch, notes);
  note_calls(torch, notes);
  return torch;
}

}  // namespace h5bridge
