#include "keras/dialects/training.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/dialects/table.h"
#include "model/quoted.h"
#include "optimizers/keras_schedules.h"

namespace h5bridge {
namespace {

// Keras 3's names of an optimizer's slots, by the names of tf.keras.
struct Slot {
  std::string_view class_name;
  std::string_view old_name;
  std::string_view name;
  int first;  // version
};
constexpr std::array<Slot, 6> kSlots{{
    {"Adam", "m", "momentum", 20000},
    {"Adam", "v", "velocity", 20000},
    {"Adam", "vhat", "velocity_hat", 20000},
    {"RMSprop", "rms", "velocity", 20000},
    {"SGD", "m", "momentum", 21100},
    {"SGD", "momentum", "momentum", 20000},
}};

std::string without_output(const std::string& path) {
  return path.ends_with(":0") ? path.substr(0, path.size() - 2) : path;
}

// Keras 2.0 counts in floats, tf.keras in int64.
std::int32_t count_of(const KerasVariable& variable) {
  if (variable.tensor.element_count() != 1)
    throw MalformedFile(variable.path + " has shape " + to_string(variable.tensor.shape()) + ", expected one number");
  if (variable.tensor.dtype() == DType::Float32) return static_cast<std::int32_t>(variable.tensor.values<float>()[0]);
  return cast(variable.tensor, DType::Int32).values<std::int32_t>()[0];
}

std::string flat(std::string path) {
  std::ranges::replace(path, '/', '_');
  return path;
}

class Optimizer3 {
 public:
  Optimizer3(const KerasFile& file, const KerasVersion& version, std::string class_name, Json::Object config)
      : file_(file), version_(version), class_name_(std::move(class_name)), config_(std::move(config)) {}

  // Throws Unsupported for variables that could be another's.
  std::vector<KerasVariable> variables() {
    if (!file_.objects.empty()) return variables_by_number();
    std::vector<KerasVariable> result;
    const std::string prefix = config_.at("name").as_string() + "/";
    std::vector<KerasVariable> rest;
    for (const KerasVariable& variable : file_.optimizer) {
      const std::string path = without_output(variable.path);
      const std::string last = path.substr(path.rfind('/') + 1);
      if (result.empty() && (last == "iteration" || last == "iterations" || last == "iter"))
        result.push_back({prefix + "iteration", tensor_of<std::int32_t>(DType::Int32, {}, {count_of(variable)})});
      else if (last != "learning_rate" && last != "decay")
        rest.push_back({path, variable.tensor});
    }
    if (result.empty()) result.push_back({prefix + "iteration", tensor_of<std::int32_t>(DType::Int32, {}, {0})});
    const Json& rate = config_.at("learning_rate");
    if (rate.is_number()) result.push_back({prefix + "learning_rate", as_variable(rate)});
    for (KerasVariable& variable : slots(std::move(rest)))
      result.push_back({prefix + variable.path, std::move(variable.tensor)});
    return result;
  }

 private:
  static Tensor as_variable(const Json& number) {
    return tensor_of<float>(DType::Float32, {}, {static_cast<float>(number.as_float())});
  }

  // In archives they have numbers alone: the count, and slots in the order in which Keras 3 has them, too; the rate is
  // no variable there (tf_keras 2.12 and 2.21, optimizers/optimizer.py, adam.py, sgd.py).
  std::vector<KerasVariable> variables_by_number() const {
    if (class_name_ != "Adam" && class_name_ != "AdamW" && class_name_ != "SGD")
      throw Unsupported("the variables of its " + class_name_ + " have no names in archives of Keras 2");
    std::vector<KerasVariable> result = file_.optimizer;
    result.at(0).tensor = tensor_of<std::int32_t>(DType::Int32, {}, {count_of(result[0])});
    if (const Json& rate = config_.at("learning_rate"); rate.is_number())
      result.insert(result.begin() + 1, {"vars/rate", as_variable(rate)});
    return result;
  }

  std::vector<KerasVariable> slots(std::vector<KerasVariable> old) const {
    if (old.empty()) return old;
    for (KerasVariable& variable : old) {
      const auto name = named_slot(variable.path);
      if (!name) return slots_by_place(old);
      variable.path = *name;
    }
    return old;
  }

  // "Adam/m/dense/kernel" (2.11 on) and "Adam/dense/kernel/m" (before) as "dense_kernel_momentum".
  std::optional<std::string> named_slot(const std::string& path) const {
    for (const Slot& slot : kSlots) {
      if (slot.class_name != class_name_ || version_.number < slot.first) continue;
      for (const KerasLayerWeights& layer : file_.layers)
        for (const KerasVariable& variable : layer.variables) {
          const std::string of = without_output(variable.path);
          if (path.ends_with("/" + std::string(slot.old_name) + "/" + of) ||
              path.ends_with("/" + of + "/" + std::string(slot.old_name)))
            return flat(of) + "_" + std::string(slot.name);
        }
    }
    return std::nullopt;
  }

  // Standalone Keras, and tf.keras before 1.13, have nameless variables: all first moments, then all second ones, then
  // a place of one number for each weight, or its largest second moment (keras 2.2.4, optimizers.py).
  std::vector<KerasVariable> slots_by_place(const std::vector<KerasVariable>& old) const {
    std::vector<const KerasVariable*> weights = trained();
    const std::size_t count = weights.size();
    const bool has_third = old.size() == 3 * count;
    const bool fits = class_name_ == "Adam" && count > 0 && (old.size() == 2 * count || has_third);
    const bool are_nameless = std::ranges::all_of(
        old, [](const KerasVariable& variable) { return variable.path.find("Variable") != std::string::npos; });
    if (!fits || !are_nameless) throw Unsupported("its variables are not named after the weights they belong to");
    std::vector<KerasVariable> result;
    for (std::size_t i = 0; i < 2 * count; ++i) {
      const KerasVariable& weight = *weights[i % count];
      if (old[i].tensor.shape() != weight.tensor.shape())
        throw Unsupported("its variables do not have the shapes of the weights");
      const char* slot = i < count ? "_momentum" : "_velocity";
      result.push_back({flat(without_output(weight.path)) + slot, old[i].tensor});
    }
    return result;
  }

  // The weights in the order in which the optimizer counts them, that of model.layers, which is the file's. Frozen
  // layers have none there, so that counts do not fit.
  std::vector<const KerasVariable*> trained() const {
    std::vector<const KerasVariable*> result;
    for (const KerasLayerWeights& layer : file_.layers)
      for (const KerasVariable& variable : layer.variables)
        if (!variable.path.ends_with("/moving_mean:0") && !variable.path.ends_with("/moving_variance:0"))
          result.push_back(&variable);
    // Up to 2.0.5 the optimizer had them sorted by their names (keras 2.0.5, engine/training.py, compile).
    if (version_.line == KerasLine::Standalone && version_.number < 20006)
      std::ranges::sort(result, {}, [](const KerasVariable* variable) { return variable->path; });
    return result;
  }

  const KerasFile& file_;
  KerasVersion version_;
  std::string class_name_;
  Json::Object config_;
};

// Keras 3 finds a class by its module, which tf.keras's .h5 does not state.
void state_module(Json& schedule) {
  const Json* class_name = schedule.is_object() ? schedule.find("class_name") : nullptr;
  if (!class_name || !class_name->is_string() || schedule.find("module") || !is_schedule(class_name->as_string()))
    return;
  const Json config = schedule.at("config");
  schedule = Json::Object{{"module", "keras.optimizers.schedules"},
                          {"class_name", class_name->as_string()},
                          {"config", config},
                          {"registered_name", nullptr}};
}

Json::Object optimizer_settings(const KerasVersion& version, const std::string& class_name, const Json& config) {
  Json::Object settings = settings_in_keras_3(version, "optimizers.", class_name, config.as_object());
  if (const Json* epsilon = settings.find("epsilon"); epsilon && epsilon->is_null()) settings.set("epsilon", 1e-7);
  if (!settings.contains("name")) {
    std::string name = class_name;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    settings.set("name", name);
  }
  if (Json* rate = settings.find("learning_rate")) state_module(*rate);
  if (const Json* decay = settings.find("decay"))
    throw Unsupported("its decay (" + decay->dump() + ") is a schedule that Keras 3 has not");
  return settings;
}

// What tf.keras makes of a name alone (keras 2.12, optimizers/optimizer_experimental/).
struct Named {
  std::string_view name;
  const char* class_name;
  const char* settings;
};
constexpr std::array<Named, 3> kNamed{{
    {"adam", "Adam", R"({"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false})"},
    {"rmsprop", "RMSprop",
     R"({"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-07, "centered": false})"},
    {"sgd", "SGD", R"({"learning_rate": 0.01, "momentum": 0.0, "nesterov": false})"},
}};

// Archives say it as compile() was told.
Json optimizer_of_name(const std::string& name) {
  std::string lower = name;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = std::ranges::find(kNamed, std::string_view(lower), &Named::name);
  if (found == kNamed.end()) throw Unsupported("what \"" + shortened(name) + "\" stands for is not known");
  return Json::Object{{"class_name", found->class_name}, {"config", Json::parse(found->settings)}};
}

void translate_optimizer(KerasFile& file, const KerasVersion& version, const Json& said) {
  const Json old = said.is_string() ? optimizer_of_name(said.as_string()) : said;

  const std::string class_name = class_in_keras_3(version, "optimizers.", old.at("class_name").as_string());
  Json::Object settings = optimizer_settings(version, class_name, old.at("config"));
  std::vector<KerasVariable> variables;
  if (!file.optimizer.empty()) variables = Optimizer3(file, version, class_name, settings).variables();
  file.optimizer = std::move(variables);
  file.training_config.as_object().set("optimizer_config", Json::Object{{"module", "keras.optimizers"},
                                                                        {"class_name", class_name},
                                                                        {"config", std::move(settings)},
                                                                        {"registered_name", nullptr}});
}

// Short names of losses that Keras 3 does not find when it loads a file, as they are those of metrics, too
// (keras 3.15.1, losses/__init__.py, deserialize).
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kShortLosses{{
    {"bce", "binary_crossentropy"},
    {"kld", "kl_divergence"},
    {"mae", "mean_absolute_error"},
    {"mape", "mean_absolute_percentage_error"},
    {"mse", "mean_squared_error"},
    {"msle", "mean_squared_logarithmic_error"},
}};

// Whether it names losses or metrics of Keras's by a text, alone or in lists and dicts.
bool is_named(const Json& json) {
  if (json.is_array()) return std::ranges::all_of(json.as_array(), is_named);
  if (json.is_object())
    return !json.find("class_name") &&
           std::ranges::all_of(json.as_object(), [](const Json::Member& member) { return is_named(member.second); });
  return json.is_string() || json.is_number() || json.is_null();
}

}  // namespace

// One, a list, or one for each output by its name.
void spell_out_losses(Json& losses) {
  if (losses.is_array())
    for (Json& loss : losses.as_array()) spell_out_losses(loss);
  if (losses.is_object())
    for (auto& [output, loss] : losses.as_object()) spell_out_losses(loss);
  if (!losses.is_string()) return;
  std::string name = losses.as_string();
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = std::ranges::find(kShortLosses, std::string_view(name), [](const auto& row) { return row.first; });
  if (found != kShortLosses.end()) losses = std::string(found->second);
}

std::vector<std::string> training_in_keras_3(KerasFile& file, const KerasVersion& version) {
  std::vector<std::string> notes;
  if (!file.training_config.is_object()) return notes;
  Json::Object& training = file.training_config.as_object();
  if (Json* losses = training.find("loss"); losses && file.format == "keras-h5") spell_out_losses(*losses);
  if (!version.is_before_3()) return notes;
  for (const char* key : {"loss", "metrics", "weighted_metrics"})
    if (Json* value = training.find(key); value && !is_named(*value)) {
      notes.push_back(std::string("the training's ") + key + " is left out: an old Keras's object");
      *value = Json();
    }
  training.erase("sample_weight_mode");
  const Json* optimizer = training.find("optimizer_config");
  if (!optimizer || (!optimizer->is_object() && !optimizer->is_string())) return notes;
  if (version.is_before_2()) {
    notes.push_back("the optimizer is left out: its state is that of the weights as Keras 1 had them");
    training.erase("optimizer_config");
    file.optimizer.clear();
    return notes;
  }
  try {
    translate_optimizer(file, version, Json(*optimizer));
  } catch (const Error& error) {
    notes.push_back(std::string("the optimizer is left out: ") + error.what());
    file.training_config.as_object().erase("optimizer_config");
    file.optimizer.clear();
  }
  return notes;
}

}  // namespace h5bridge
