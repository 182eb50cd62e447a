#include "convert/inspection.h"

#include <algorithm>
#include <iterator>

#include "convert/architecture_json.h"
#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "convert/load.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

void add_note(Inspection& inspection, const std::string& note) {
  if (!inspection.metadata.contains("notes")) inspection.metadata.set("notes", Json::Array{});
  inspection.metadata.find("notes")->as_array().push_back(note);
}

/// Adds what the source holds, but for the architecture, and gives whether it states one.
bool add_source(const std::string& path, const LoadOptions& options, Inspection& inspection) {
  const SourceFile file(path);
  const Format& format = recognise(file);
  FilePart part = format.inspect(file, options);
  if (format.holds != Holds::Architecture || inspection.format.empty()) {
    inspection.format = part.format.empty() ? format.name : part.format;
    inspection.framework = format.framework;
  }
  std::ranges::move(part.tensors, std::back_inserter(inspection.tensors));
  if (!part.training.is_null()) inspection.training = std::move(part.training);
  for (auto& [name, value] : part.metadata) inspection.metadata.set(name, std::move(value));
  for (const std::string& note : part.notes) add_note(inspection, note);
  return part.states_architecture;
}

Json shapes_of(const std::vector<NamedTensor>& arrays) {
  Json::Object shapes;
  for (const NamedTensor& array : arrays) shapes.set(array.name, Json::array(array.tensor.shape()));
  return shapes;
}

/// What only shows when the sources are put together: the architecture, and whose parameters the optimizer's slots are.
void add_whole(Model model, Inspection& inspection) {
  const bool is_in_torchs_terms = inspection.framework == Framework::Torch;
  inspection.framework = model.framework;
  inspection.architecture = std::move(model.architecture);
  if (inspection.architecture) inspection.metadata.erase("model_config");
  if (const auto& reference = model.reference; reference && reference->outputs.empty())
    inspection.metadata.set("sample_inputs", shapes_of(reference->inputs));
  else if (reference)
    inspection.metadata.set("reference", Json::Object{{"by", reference->by},
                                                      {"inputs", shapes_of(reference->inputs)},
                                                      {"outputs", shapes_of(reference->outputs)}});
  // The numbers in the file stay where names could not be found.
  if (!model.optimizer_left_out.empty()) add_note(inspection, "the optimizer: " + model.optimizer_left_out);
  if (!model.training) return;
  if (is_in_torchs_terms) {
    if (model.optimizer_left_out.empty()) inspection.training = training_to_json(*model.training);
  } else {
    if (inspection.training.is_null()) inspection.training = Json::Object{};
    Json::Object& training = inspection.training.as_object();
    if (model.training->epoch) training.set("epoch", *model.training->epoch);
    if (model.training->loss) training.set("loss", *model.training->loss);
  }
}

}  // namespace

Inspection inspect(const std::vector<std::string>& sources, const LoadOptions& options) {
  Inspection result;
  bool states_architecture = false;
  for (const std::string& path : sources)
    states_architecture |= in_file(path, [&] { return add_source(path, options, result); });
  try {
    UncheckedModel whole = load_unchecked(sources, options);
    if (!whole.disagreement.empty()) add_note(result, whole.disagreement);
    add_whole(std::move(whole.model), result);
  } catch (const UsageError& error) {
    // Of one file it only says that the file does not tell all.
    if (sources.size() > 1 || !options.key.empty() || !options.fix_sizes.empty() || !options.param_order.empty() ||
        !options.names.empty())
      throw;
    add_note(result, error.what());
  } catch (const SystemFailure&) {
    throw;
  } catch (const Error& error) {
    add_note(result, error.what());
    if (states_architecture) result.failure = error;
  }
  return result;
}

Json to_json(Inspection inspection) {
  Json::Array tensors;
  for (const InspectedTensor& item : inspection.tensors)
    tensors.push_back(Json::Object{{"name", item.name},
                                   {"shape", Json::array(item.tensor.shape())},
                                   {"dtype", name_of(item.tensor.dtype())},
                                   {"trainable", item.trainable ? Json(*item.trainable) : Json()}});
  Json::Object result{{"format", inspection.format}};
  result.set("architecture", inspection.architecture ? architecture_to_json(*inspection.architecture) : Json());
  result.set("tensors", std::move(tensors));
  result.set("training", std::move(inspection.training));
  result.set("metadata", std::move(inspection.metadata));
  return result;
}

}  // namespace h5bridge
