#include "optimizers/keras_settings.h"

#include <algorithm>

#include "h5bridge/error.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

const Json& setting(const OptimizerMapping& mapping, const Json::Object& settings, std::string_view name) {
  const Json* value = settings.find(name);
  return value ? *value : mapping.torch_defaults.at(name);
}

Json spelled(const Correspondence& row, const Json& value) {
  return row.spelling.to_keras(row.spelling.from_keras(value));
}

const Json::Array& betas_of(const OptimizerMapping& mapping, const Json::Object& settings) {
  const Json* betas = settings.find("betas");
  const bool fits = betas && betas->is_array() && betas->as_array().size() == 2;
  return (fits ? *betas : mapping.torch_defaults.at("betas")).as_array();
}

// AdamW's cannot be None.
Json keras_decay(const OptimizerMapping& mapping, const Json::Object& settings, const std::string& class_name) {
  if (decays_like_keras(mapping, settings) && is_on(settings, "weight_decay"))
    return settings.at("weight_decay").as_float();
  return class_name == mapping.class_name && mapping.weight_decay == WeightDecay::Decoupled ? Json(0.0) : Json();
}

// The groups' one setting, though groups may differ in weight_decay: some have none.
Json::Object common_settings(const Optimizer& optimizer) {
  Json::Object result = optimizer.hyperparameters;
  for (const Json::Object& group : optimizer.groups)
    if (is_on(group, "weight_decay")) result.set("weight_decay", group.at("weight_decay"));
  return result;
}

Json::Object fresh_config(const OptimizerMapping& mapping) {
  return {{"name", mapping.name},
          {"learning_rate", 0.001},
          {"weight_decay", nullptr},
          {"clipnorm", nullptr},
          {"global_clipnorm", nullptr},
          {"clipvalue", nullptr},
          {"use_ema", false},
          {"ema_momentum", 0.99},
          {"ema_overwrite_frequency", nullptr},
          {"loss_scale_factor", nullptr},
          {"gradient_accumulation_steps", nullptr}};
}

// Whether PyTorch's setting is another than `before`, from which it went on. Without that, all are.
bool is_changed(const OptimizerMapping& mapping, const Json::Object& now, const Json::Object* before,
                const std::string& name) {
  return !before || !same_value(setting(mapping, now, name), setting(mapping, *before, name));
}

void set_config(const OptimizerMapping& mapping, const Json::Object& now, const Json::Object* before,
                KerasSettings& result) {
  for (const Correspondence& row : mapping.hyperparameters)
    if (is_changed(mapping, now, before, row.attribute))
      result.config.set(row.keras, spelled(row, setting(mapping, now, row.attribute)));
  if (mapping.torch_defaults.contains("betas") && is_changed(mapping, now, before, "betas")) {
    const Json::Array& betas = betas_of(mapping, now);
    result.config.set("beta_1", betas[0].as_float());
    result.config.set("beta_2", betas[1].as_float());
  }
  if (is_changed(mapping, now, before, "weight_decay"))
    result.config.set("weight_decay", keras_decay(mapping, now, result.class_name));
}

}  // namespace

const Json::Object* travelling_keras(const Optimizer& optimizer) {
  const Json* keras = optimizer.groups.empty() ? nullptr : optimizer.groups.front().find(kKerasMember);
  if (!keras || !keras->is_object()) return nullptr;
  const Json *class_name = keras->find("class_name"), *config = keras->find("config");
  const bool fits = class_name && class_name->is_string() && config && config->is_object();
  return fits ? &keras->as_object() : nullptr;
}

std::int64_t summed_since_step(const Json::Object& config, std::int64_t iteration) {
  return iteration % accumulations_of(config);
}

std::string batches(std::int64_t count) { return count == 1 ? "batch" : std::to_string(count) + " batches"; }

std::int64_t accumulations_of(const Json::Object& config) {
  const Json* steps = config.find("gradient_accumulation_steps");
  return steps && steps->is_integer() ? std::max<std::int64_t>(steps->as_integer(), 1) : 1;
}

Json::Object settings_from_keras(const OptimizerMapping& mapping, const Json::Object& config) {
  Json::Object result = mapping.torch_defaults;
  for (const Correspondence& row : mapping.hyperparameters)
    if (const Json* value = config.find(row.keras); value && !value->is_object())
      result.set(row.attribute, spelled(row, *value));
  if (mapping.torch_defaults.contains("betas"))
    result.set("betas", Json::Array{config.at("beta_1"), config.at("beta_2")});
  if (is_on(config, "weight_decay") && decays_like_keras(mapping, result))
    result.set("weight_decay", config.at("weight_decay"));
  return result;
}

KerasSettings settings_to_keras(const OptimizerMapping& mapping, const Optimizer& optimizer) {
  const Json::Object now = common_settings(optimizer);
  KerasSettings result{.class_name = mapping.class_name, .config = fresh_config(mapping)};
  const Json::Object* keras = travelling_keras(optimizer);
  const OptimizerMapping* before =
      keras ? optimizer_mapping_of_keras(keras->at("class_name").as_string(), keras->at("config").as_object())
            : nullptr;
  if (before != &mapping) {
    set_config(mapping, now, nullptr, result);
    return result;
  }
  result.own = true;
  result.class_name = keras->at("class_name").as_string();
  result.config = keras->at("config").as_object();
  if (const Json* iteration = keras->find("iteration"); iteration && iteration->is_integer())
    result.iteration = iteration->as_integer();
  result.accumulations = accumulations_of(result.config);
  Json::Object then = settings_from_keras(mapping, result.config);
  if (const Json* rate = keras->find("learning_rate")) then.set("lr", *rate);
  set_config(mapping, now, &then, result);
  return result;
}

}  // namespace h5bridge
