// TorchScript archives, as torch.jit.save writes them. Their tensors are read, and their code is not run, unless the
// file is trusted.
#include "runner/torchscript.h"

#include "convert/architecture_json.h"
#include "convert/formats/format.h"
#include "convert/formats/reference_record.h"
#include "convert/formats/torch_destination.h"
#include "convert/inspection_parts.h"
#include "convert/layout_conversion.h"
#include "convert/model_check.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "pytorch/file.h"
#include "pytorch/torchscript/archive.h"
#include "pytorch/torchscript/archive_writer.h"
#include "pytorch/torchscript/graph.h"

namespace h5bridge {
namespace {

// One of ours has its architecture beside its code.
FileContent read_torchscript(const SourceFile& file, const LoadOptions& options) {
  FileContent content{.torch = read_torchscript_file(file.zip())};
  if (const auto architecture = torchscript_architecture(*file.zip())) {
    content.architecture = checked(architecture_from_json(*architecture));
    content.torch->notes.clear();  // that its graph is not known
  } else if (options.trust_torchscript) {
    add_architecture_of_script(*content.torch, script_graph(file.path()), options.fix_sizes, options.input_shapes);
    content.torch->notes.clear();
    if (Json* torch = content.torch->metadata.find("torch")) torch->as_object().erase("no_architecture");
  }
  content.torch->reference = reference_in(*file.zip());
  return content;
}

FilePart inspect_torchscript(const SourceFile& file, const LoadOptions& options) {
  FilePart part = inspect_state_dict(read_torchscript_file(file.zip()));
  part.states_architecture = options.trust_torchscript || torchscript_architecture(*file.zip()).has_value();
  return part;
}

// In the layout of the state_dict.
void write_torchscript(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  require_weights(model);
  const Model torch = torch_destination(model, notes);
  require_architecture(torch);
  const Json json =
      architecture_to_json(with_frozen_names(architecture_for_torch(*model.architecture), model.trainable));
  const ArchiveRecords records = reference_records(torch, options, notes);
  write_stream(path, [&](std::ostream& out) { write_torchscript_file(torch, json.dump(2) + "\n", records, out); });
}

}  // namespace

Format torchscript_format() {
  return {
      .name = "torchscript",
      .suffixes = {".ts", ".torchscript"},
      .has_reference = true,
      .looks_like = [](const SourceFile& file) { return file.zip() && is_torchscript_archive(*file.zip()); },
      .read = read_torchscript,
      .inspect = inspect_torchscript,
      .write = write_torchscript,
  };
}

}  // namespace h5bridge
