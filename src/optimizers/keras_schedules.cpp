#include "optimizers/keras_schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

namespace h5bridge {
namespace {

using Rate = float (*)(const Json& config, float step);

float number(const Json& config, const char* key) { return static_cast<float>(config.at(key).as_float()); }

float decay_steps_passed(const Json& config, float step) {
  const float passed = step / number(config, "decay_steps");
  return config.at("staircase").as_bool() ? std::floor(passed) : passed;
}

float exponential(const Json& config, float step) {
  return number(config, "initial_learning_rate") *
         std::pow(number(config, "decay_rate"), decay_steps_passed(config, step));
}

float inverse_time(const Json& config, float step) {
  return number(config, "initial_learning_rate") /
         (1 + number(config, "decay_rate") * decay_steps_passed(config, step));
}

float piecewise_constant(const Json& config, float step) {
  std::size_t piece = 0;
  for (const Json& boundary : config.at("boundaries").as_array()) piece += step > boundary.as_float() ? 1 : 0;
  return static_cast<float>(config.at("values").as_array().at(piece).as_float());
}

float polynomial(const Json& config, float step) {
  const float first = number(config, "initial_learning_rate"), last = number(config, "end_learning_rate");
  float length = number(config, "decay_steps");
  if (config.at("cycle").as_bool())
    length *= step == 0 ? 1 : std::ceil(step / length);
  else
    step = std::min(step, length);
  return (first - last) * std::pow(1 - step / length, number(config, "power")) + last;
}

float cosine_between(float first, float alpha, float fraction, float height = 1) {
  const float cosine = 0.5F * height * (1 + std::cos(std::numbers::pi_v<float> * fraction));
  return first * ((1 - alpha) * cosine + alpha);
}

float cosine(const Json& config, float step) {
  float first = number(config, "initial_learning_rate");
  const float length = number(config, "decay_steps");
  if (const Json* target = config.find("warmup_target"); target && !target->is_null()) {
    const float warmup = number(config, "warmup_steps"), start = first;
    first = static_cast<float>(target->as_float());
    if (step < warmup) return start + (first - start) * (step / warmup);
    step -= warmup;
  }
  return cosine_between(first, number(config, "alpha"), std::min(step, length) / length);
}

float cosine_restarts(const Json& config, float step) {
  const float stretch = number(config, "t_mul");
  float fraction = step / number(config, "first_decay_steps"), restarts = std::floor(fraction);
  if (stretch == 1) {
    fraction -= restarts;
  } else {
    restarts = std::floor(std::log(1 - fraction * (1 - stretch)) / std::log(stretch));
    const float length = std::pow(stretch, restarts);
    fraction = (fraction - (1 - length) / (1 - stretch)) / length;
  }
  return cosine_between(number(config, "initial_learning_rate"), number(config, "alpha"), fraction,
                        std::pow(number(config, "m_mul"), restarts));
}

struct Schedule {
  std::string_view class_name;
  Rate rate;
};
constexpr Schedule kSchedules[]{{"ExponentialDecay", exponential},
                                {"InverseTimeDecay", inverse_time},
                                {"PiecewiseConstantDecay", piecewise_constant},
                                {"PolynomialDecay", polynomial},
                                {"CosineDecay", cosine},
                                {"CosineDecayRestarts", cosine_restarts}};

const Schedule* find_schedule(std::string_view class_name) {
  const auto* const found = std::ranges::find(kSchedules, class_name, &Schedule::class_name);
  return found == std::end(kSchedules) ? nullptr : found;
}

}  // namespace

bool is_schedule(std::string_view class_name) { return find_schedule(class_name) != nullptr; }

std::optional<double> scheduled_rate(const Json& schedule, std::int64_t iteration) {
  const Json* class_name = schedule.find("class_name");
  const Json* config = schedule.find("config");
  // A class of the user's may have the name of one of Keras's.
  if (const Json* registered = schedule.find("registered_name"); registered && !registered->is_null())
    return std::nullopt;
  if (!class_name || !class_name->is_string() || !config || !config->is_object()) return std::nullopt;
  const Schedule* found = find_schedule(class_name->as_string());
  if (!found) return std::nullopt;
  return found->rate(*config, static_cast<float>(iteration));
}

}  // namespace h5bridge
