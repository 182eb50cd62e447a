#include "convert/torch_notes.h"

#include <algorithm>
#include <iterator>

#include "facets/keras/mapping.h"
#include "keras/wrappers.h"
#include "model/architecture_index.h"
#include "model/quoted.h"
#include "optimizers/keras_settings.h"
#include "passes/frozen.h"
#include "passes/mixed_precision.h"
#include "passes/training_notes.h"
#include "pytorch/file.h"

namespace h5bridge {

void note_missing_unused(const Model& model, Notes& notes) {
  if (!model.architecture) return;
  std::vector<std::string> missing;
  std::ranges::copy_if(model.architecture->unused, std::back_inserter(missing),
                       [&](const std::string& name) { return !model.weights.find(name); });
  if (!missing.empty())
    notes.push_back("without " + joined(missing) +
                    ", which the network does not compute with and the sources do not hold: "
                    "load_state_dict(..., strict=False) leaves a module its own");
}

void note_precision(const Model& model, Notes& notes) {
  if (model.framework != Framework::Keras || !model.architecture) return;
  std::ranges::move(mixed_precision_left_out(*model.architecture), std::back_inserter(notes));
}

void note_calls(const Model& model, Notes& notes) {
  if (model.framework != Framework::Keras || !model.architecture) return;
  const ArchitectureIndex index(*model.architecture);
  std::vector<std::string> names;
  for (const Node& node : model.architecture->nodes) {
    const Layer& layer = index.layer_of(node);
    const std::string name = '"' + shortened(layer.name) + '"';
    if (layer.attributes.contains("training") && layer.attributes.boolean("training") &&
        std::ranges::find(names, name) == names.end())
      names.push_back(name);
  }
  for (const ScopeCall& call : model.architecture->scope_calls) {
    const Json* training = call.keras_arguments.find("training");
    const std::string name = "the model \"" + shortened(call.scope) + '"';
    if (training && *training == Json(true) && std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  if (!names.empty())
    notes.push_back("training=True of calls of " + joined(names) +
                    " is left out: Keras's model(x) heeds it, its predict() and PyTorch's eval() do not");
}

void note_entries(const Model& model, Entries which, Notes& notes) {
  std::vector<std::string> names;
  for (const bool plain : {true, false})
    for (const auto& [name, value] : further_entries(model, plain))
      if (!plain || which == Entries::All) names.push_back("'" + shortened(name) + "'");
  if (!names.empty())
    notes.push_back("left out: of the checkpoint's entries " + joined(names) +
                    (which == Entries::NotPlain ? ", which hold tensors or objects; LoadOptions::key takes one of them "
                                                  "that is a state_dict in place of this"
                                                : ""));
}

void note_frozen(const Model& model, Notes& notes) {
  constexpr std::size_t kMost = 8;
  const std::vector<std::string> frozen =
      frozen_parameters(model.architecture ? *model.architecture : Architecture{}, model.trainable);
  if (frozen.empty()) return;
  std::vector<std::string> shown = frozen;
  shown.resize(std::min(frozen.size(), kMost));
  const std::string more = frozen.size() > kMost ? " and " + std::to_string(frozen.size() - kMost) + " more" : "";
  notes.push_back("left out: requires_grad=False of " + joined(shown) + more +
                  "; an architecture (.json) beside it says so");
}

void note_regularisation(const Model& model, Notes& notes) {
  if (!model.architecture) return;
  auto note = regularisation_left_out(*model.architecture, model.trainable);
  if (note && std::ranges::find(notes, *note) == notes.end()) notes.push_back(*std::move(note));
}

void note_wrappers(const Model& model, Notes& notes) {
  if (!model.architecture) return;
  for (const Scope& scope : model.architecture->scopes)
    if (const std::string does = only_in_training(scope.keras); !does.empty())
      notes.push_back(describe_wrapper(scope) + ": Keras " + does +
                      ", and PyTorch's layer does not; what they predict is the same");
}

void note_training_alone(const Model& model, Notes& notes) {
  for (const Layer& layer : model.architecture->layers)
    std::ranges::move(unsaid_settings(layer, Matters::InPyTorch), std::back_inserter(notes));
}

void note_training(const Model& model, const SaveOptions& options, const std::string& advice, Notes& notes) {
  if (!options.optimizer) return;
  note_entries(model, Entries::All, notes);
  if (!model.training) return;
  const Training& training = *model.training;
  std::vector<std::string> parts;
  if (training.optimizer) parts.push_back("the optimizer's state");
  if (training.epoch) parts.push_back("the epoch");
  if (training.loss) parts.push_back("the loss");
  if (training.compile) parts.push_back("what Keras compiled the model with");
  if (!parts.empty()) notes.push_back("left out: " + joined(parts) + (training.optimizer ? advice : ""));
}

// Of layers that Keras froze: there, batch normalisation then is as in evaluation.
void note_frozen_statistics(const Architecture& architecture, Notes& notes) {
  std::vector<std::string> names;
  for (const Layer& layer : architecture.layers)
    if (is_frozen_in_keras(layer) && layer.attributes.contains("track_running_stats") &&
        layer.attributes.boolean("track_running_stats"))
      names.push_back('"' + shortened(layer.name) + '"');
  if (!names.empty())
    notes.push_back(
        "frozen in Keras, batch normalisation keeps to its running statistics in training there, and follows "
        "the batch's in PyTorch unless eval() of it is called: " +
        joined(names));
}

namespace {

// Of a network that was PyTorch's: whatever it was trained with there, Keras has saved the optimizer since.
void note_settings_without_keras(const Model& model, Notes& notes) {
  const Optimizer& optimizer = *model.training->optimizer;
  if (optimizer.keras.empty() || !model.architecture || model.architecture->state_dict.empty()) return;
  const std::vector<std::string> names = settings_without_keras(optimizer);
  if (!names.empty())
    notes.push_back("the optimizer was saved by Keras, which has nothing like PyTorch's " + joined(names) +
                    ": what is written has the defaults; set them again after load_state_dict, if they were others");
}

}  // namespace

void note_training_run(const Model& model, Notes& notes) {
  if (model.architecture && travelling_keras(*model.training->optimizer))
    note_frozen_statistics(*model.architecture, notes);
  std::ranges::move(left_out_by_torch(*model.training->optimizer), std::back_inserter(notes));
  note_settings_without_keras(model, notes);
  std::ranges::move(unlike_run_of_keras(model), std::back_inserter(notes));
}

}  // namespace h5bridge
