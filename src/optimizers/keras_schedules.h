// Keras's schedules of learning rates (keras/src/optimizers/schedules/learning_rate_schedule.py).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "h5bridge/json.h"

namespace h5bridge {

/// The learning rate after `iteration` steps, in float32 as Keras computes it; nullopt for a schedule that is not known
/// (a function of the user's).
std::optional<double> scheduled_rate(const Json& schedule, std::int64_t iteration);

/// Whether Keras has a schedule of that class.
bool is_schedule(std::string_view class_name);

}  // namespace h5bridge
