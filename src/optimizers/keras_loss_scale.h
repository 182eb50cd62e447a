// LossScaleOptimizer, which Keras puts round the optimizer of a model of mixed_float16. PyTorch has the same beside the
// optimizer, as torch.amp.GradScaler.
#pragma once

#include <optional>

#include "optimizers/keras_optimizer.h"

namespace h5bridge {

/// Leaves the optimizer within, and its variables. What the wrapper is comes back as it is to travel with the
/// optimizer:
/// {"config": its own settings, "iteration", "learning_rate", "step_counter", "dynamic_scale"}, the last two only where
/// it has trained; nullopt where there is no wrapper. Throws Unsupported where the optimizer within has no counterpart
/// that it could travel with, MalformedFile where variables are not those of a wrapper.
std::optional<Json::Object> take_off_loss_scale(KerasOptimizer& keras);

/// Has the wrapper travel with the optimizer that was within. Throws Unsupported where that has no counterpart.
void keep_loss_scale(Json::Object scale, Optimizer& optimizer);

/// The wrapper that travels with an optimizer; nullptr if none does.
const Json::Object* travelling_loss_scale(const Optimizer& optimizer);

/// How the variables of a wrapped optimizer are told from the wrapper's.
enum class WrappedForm {
  Named,    // .h5: by their names
  Numbered  // Keras 3's own formats: by number, those within once more under "inner_optimizer"
};

/// The way back, for variables in Keras's order.
void put_on_loss_scale(KerasOptimizer& keras, const Json::Object& scale, WrappedForm form);

}  // namespace h5bridge
