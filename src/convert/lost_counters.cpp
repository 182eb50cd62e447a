#include "convert/lost_counters.h"

#include <set>
#include <string_view>

#include "facets/spec/layer_type.h"

namespace h5bridge {
namespace {

// Batch normalisation that weighs all batches alike, which takes their count.
bool averages_all(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return a.contains("track_running_stats") && a.boolean("track_running_stats") && a.is_none("momentum");
}

// The next batch replaces the averages.
void note_needed(Model& model) {
  for (const Layer& layer : model.architecture->layers)
    if (const std::string counter = tensor_name(layer.name, "num_batches_tracked");
        averages_all(layer) && !model.weights.find(counter))
      model.notes.push_back(counter +
                            " is 0, because Keras did not keep it: the next batch in PyTorch's training "
                            "replaces the averages of all before it");
}

// Of a network that PyTorch has trained, and Keras has saved.
void note_unneeded(Model& model) {
  const std::set<std::string_view> names(model.architecture->state_dict.begin(), model.architecture->state_dict.end());
  std::vector<std::string> lost;
  for (const Layer& layer : model.architecture->layers)
    if (const std::string counter = tensor_name(layer.name, "num_batches_tracked");
        !averages_all(layer) && names.contains(counter) && !model.weights.find(counter))
      lost.push_back(counter);
  if (lost.empty()) return;
  const std::string more =
      lost.size() > 1 ? " and " + std::to_string(lost.size() - 1) + " more like it are 0" : " is 0";
  model.notes.push_back(lost[0] + more +
                        ": Keras did not keep the count of batches, which is only used by a BatchNorm with "
                        "momentum=None");
}

}  // namespace

void note_lost_counters(Model& model) {
  note_needed(model);
  note_unneeded(model);
}

}  // namespace h5bridge
