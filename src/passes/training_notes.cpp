#include "passes/training_notes.h"

#include <algorithm>
#include <iterator>

#include "facets/keras/mapping.h"
#include "passes/frozen.h"

namespace h5bridge {
namespace {

bool is_trained(const Layer& layer, const std::map<std::string, bool>& trainable) {
  if (is_frozen_in_keras(layer)) return false;
  return std::ranges::any_of(parameter_names(layer), [&](const std::string& name) {
    const auto said = trainable.find(name);
    return said == trainable.end() || said->second;
  });
}

}  // namespace

std::vector<std::string> unlike_in_training(const Architecture& architecture,
                                            const std::map<std::string, bool>& trainable) {
  std::vector<std::string> notes;
  for (const Layer& layer : architecture.layers)
    if (is_trained(layer, trainable))
      std::ranges::move(unsaid_settings(layer, Matters::ToATrainingRun), std::back_inserter(notes));
  return notes;
}

}  // namespace h5bridge
