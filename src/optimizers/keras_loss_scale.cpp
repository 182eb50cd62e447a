#include "optimizers/keras_loss_scale.h"

#include <algorithm>
#include <iterator>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "optimizers/keras_settings.h"
#include "optimizers/keras_slots.h"

namespace h5bridge {
namespace {

constexpr const char* kClass = "LossScaleOptimizer";
constexpr const char* kWithin = "inner_optimizer";
constexpr std::string_view kWithinPath = "inner_optimizer/";

struct Own {
  const char* name;
  bool is_whole;        // an integer
  const char* initial;  // the setting that it starts at; nullptr: 0
};
// Its variables, in Keras's order (optimizers/loss_scale_optimizer.py); one that never trained has but two.
constexpr Own kOwn[]{{"iteration", true, nullptr},
                     {"learning_rate", false, nullptr},
                     {"step_counter", true, nullptr},
                     {"dynamic_scale", false, "initial_scale"}};
constexpr std::size_t kUntrained = 2;

void check_count(std::size_t own) {
  if (own != 0 && own != kUntrained && own != std::size(kOwn))
    throw MalformedFile("its LossScaleOptimizer has " + std::to_string(own) + " variables of its own, expected " +
                        std::to_string(std::size(kOwn)));
}

// What compile() makes of itself, which stands in no configuration.
Json::Object usual_config() {
  return {{"name", "loss_scale_optimizer"}, {"initial_scale", 32768.0}, {"dynamic_growth_steps", 2000}};
}

// Numbered variables are there twice: the wrapper has all of them, its own first.
std::vector<NamedTensor> take_numbered(KerasOptimizer& keras) {
  std::vector<NamedTensor> own, within;
  for (NamedTensor& variable : keras.variables)
    if (variable.name.starts_with(kWithinPath))
      within.push_back({variable.name.substr(kWithinPath.size()), std::move(variable.tensor)});
    else
      own.push_back(std::move(variable));
  if (own.size() < within.size())
    throw MalformedFile("its LossScaleOptimizer has " + std::to_string(own.size()) + " variables, and the one within " +
                        std::to_string(within.size()));
  own.resize(own.size() - within.size());
  check_count(own.size());
  keras.variables = std::move(within);
  return own;
}

std::vector<NamedTensor> take_named(KerasOptimizer& keras, const std::string& name) {
  std::vector<NamedTensor> own;
  for (const Own& expected : kOwn)
    for (const NamedTensor& variable : keras.variables)
      if (variable.name == name + "/" + expected.name) own.push_back(variable);
  check_count(own.size());
  std::erase_if(keras.variables, [&](const NamedTensor& variable) { return variable.name.starts_with(name + "/"); });
  return own;
}

}  // namespace

std::optional<Json::Object> take_off_loss_scale(KerasOptimizer& keras) {
  const bool is_stated = keras.config.at("class_name") == Json(kClass);
  const bool is_numbered = std::ranges::any_of(
      keras.variables, [](const NamedTensor& variable) { return variable.name.starts_with(kWithinPath); });
  if (!is_stated && !is_numbered) return std::nullopt;
  Json::Object config = is_stated ? keras.config.at("config").as_object() : usual_config();
  if (is_stated) {
    keras.config = config.at(kWithin);
    config.erase(kWithin);
  }
  const std::string& within = keras.config.at("class_name").as_string();
  if (!optimizer_mapping_of_keras(within, keras.config.at("config").as_object()))
    throw Unsupported("it is a LossScaleOptimizer around " + shortened(within) +
                      ", which has no PyTorch counterpart yet; LoadOptions::optimizer = false leaves it out");
  std::vector<NamedTensor> own = is_numbered ? take_numbered(keras) : take_named(keras, config.at("name").as_string());
  Json::Object result{{"config", std::move(config)}};
  for (std::size_t i = 0; i < std::size(kOwn); ++i) {
    if (i < own.size() && own[i].tensor.element_count() != 1)
      throw MalformedFile("its LossScaleOptimizer's " + std::string(kOwn[i].name) + " has shape " +
                          to_string(own[i].tensor.shape()) + ", expected a single number");
    if (i >= own.size()) break;
    const double value = number_in(own[i].tensor);
    result.set(kOwn[i].name, kOwn[i].is_whole ? Json(static_cast<std::int64_t>(value)) : Json(value));
  }
  return result;
}

void keep_loss_scale(Json::Object scale, Optimizer& optimizer) {
  Json* keras = optimizer.groups.empty() ? nullptr : optimizer.groups.front().find(kKerasMember);
  if (!keras)
    throw Unsupported("it is a LossScaleOptimizer around one that has no PyTorch counterpart: " +
                      why_not_in_torch(optimizer) + "; LoadOptions::optimizer = false leaves it out");
  keras->as_object().set(kLossScaleMember, std::move(scale));
}

const Json::Object* travelling_loss_scale(const Optimizer& optimizer) {
  const Json::Object* keras = travelling_keras(optimizer);
  const Json* scale = keras ? keras->find(kLossScaleMember) : nullptr;
  const Json* config = scale ? scale->find("config") : nullptr;
  return config && config->is_object() && config->find("name") ? &scale->as_object() : nullptr;
}

void put_on_loss_scale(KerasOptimizer& keras, const Json::Object& scale, WrappedForm form) {
  Json::Object config = scale.at("config").as_object();
  const std::string prefix = config.at("name").as_string() + "/";
  std::vector<NamedTensor> all;
  for (const Own& own : kOwn) {
    const Json* value = scale.find(own.name);
    if (!value && keras.variables.size() <= kUntrained) continue;
    if (!value && own.initial) value = config.find(own.initial);
    const double number = value && value->is_number() ? value->as_float() : 0;
    all.push_back({prefix + own.name,
                   own.is_whole ? tensor_of<std::int32_t>(DType::Int32, {}, {static_cast<std::int32_t>(number)})
                                : tensor_of<float>(DType::Float32, {}, {static_cast<float>(number)})});
  }
  std::ranges::copy(keras.variables, std::back_inserter(all));
  if (form == WrappedForm::Numbered)
    for (std::size_t i = 0; i < keras.variables.size(); ++i)
      all.push_back({std::string(kWithinPath) + "vars/" + std::to_string(i), keras.variables[i].tensor});
  keras.variables = std::move(all);
  // Stated in archives, too: of itself, Keras puts it on a model whose own policy is mixed_float16 alone.
  Json::Object within{{"module", "keras.optimizers"},
                      {"class_name", keras.config.at("class_name")},
                      {"config", keras.config.at("config")},
                      {"registered_name", nullptr}};
  Json::Object wrapper{{"name", config.at("name")}, {kWithin, std::move(within)}};
  for (const auto& [name, value] : config)
    if (name != "name") wrapper.set(name, value);
  keras.config = Json::Object{{"class_name", kClass}, {"config", std::move(wrapper)}};
}

}  // namespace h5bridge
