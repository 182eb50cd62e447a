#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "layers/batch_normalization/function.h"

namespace h5bridge::batch_normalization {
namespace {

using aten::Call;
using aten::Row;

std::string module_type(const Call& call, const char* kind) {
  const std::string module = call.module_class();
  if (module == "SyncBatchNorm" || module.starts_with(kind)) return module;
  return module_of(call.type, call.shape().size());
}

std::int64_t channels(const Call& call) {
  for (const char* operand : {"running_mean", "weight", "bias"})
    if (call.has(operand)) return call.weight_shape(operand).at(0);
  const SymbolicShape& shape = call.shape();
  if (shape.size() < 2 || !shape[1].value()) throw Unsupported("the channels of its input are open");
  return *shape[1].value();
}

void as_module(Call& call, const char* kind) {
  call.type = module_type(call, kind);
  call.attributes.set("num_features", channels(call));
  call.attributes.set("track_running_stats", call.has("running_mean"));
  call.attributes.set("affine", call.has("weight") || call.has("bias"));
  if (call.has("weight")) call.attributes.set("bias", call.has("bias"));
  // None is a cumulative average, which evaluation gives this weight.
  if (const Json* momentum = call.attribute("momentum"); momentum && *momentum == Json(0.0))
    call.attributes.set("momentum", nullptr);
}

// Statistics of the batch where there are no others, or in training, which a module is read as not being in.
void statistics(Call& call, const char* switched) {
  const Json own = call.take(switched);
  const bool has_running = call.has("running_mean");
  if (has_running == (own != Json(true))) return;
  if (!has_running) throw Unsupported("uses running statistics that it is not given");
  if (call.module_class().empty())
    throw Unsupported("changes its running statistics in evaluation, too (" + std::string(switched) + "=True)");
  call.notes.push_back("was exported in training mode, and is read as in evaluation");
}

}  // namespace

std::vector<Row> aten_rows() {
  const std::vector<std::string> parameters{"running_mean", "running_var", "weight", "bias"};
  const auto as_batch_norm = [](Call& call) { as_module(call, "BatchNorm"); };
  return {{.operators = {"batch_norm", "native_batch_norm", "_native_batch_norm_legit"},
           .type = "batch_norm",
           .adjust = [](Call& call) { statistics(call, "training"); },
           .parameters = parameters,
           .as_module = as_batch_norm},
          {.operators = {"_native_batch_norm_legit_no_training"},
           .type = "batch_norm",
           .parameters = parameters,
           .as_module = as_batch_norm},
          {.operators = {"instance_norm"},
           .type = "instance_norm",
           .adjust = [](Call& call) { statistics(call, "use_input_stats"); },
           .parameters = parameters,
           .as_module = [](Call& call) { as_module(call, "InstanceNorm"); }}};
}

}  // namespace h5bridge::batch_normalization
