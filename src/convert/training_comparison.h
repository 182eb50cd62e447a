// The training state of two models: optimizers, what they are set to and what they remember of each parameter.
#pragma once

#include <string>
#include <vector>

#include "convert/tensor_agreement.h"
#include "h5bridge/model.h"

namespace h5bridge {

struct TrainingComparison {
  std::vector<std::string> differences;  // "the optimizer is Adam, expected SGD"
  std::vector<std::string> notes;        // why something was not compared
};

/// Expected is the first. A state that only one of them has is noted: a file of weights alone disagrees with nothing.
/// Parameters are known by their names, also as Keras has them; settings that stand at nothing (0, false, None) are as
/// good as absent, and numbers may have gone through float32. Slots that one side lacks are zeros. Both models must be
/// comparable().
TrainingComparison compare_training(const Model& a, const Model& b, const Tolerance& tolerance);

}  // namespace h5bridge
