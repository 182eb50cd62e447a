#include "keras/to_keras_2/training.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/to_keras_2/since.h"
#include "model/quoted.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

// From this TensorFlow on optimizers are others; they are in files with "is_legacy_optimizer", and what has no such key
// is one of before (tf_keras 2.21, optimizers/__init__.py, deserialize).
constexpr int kNewOptimizers = 20800;

// Slots whose meaning is the same: those of before 2.11 come one after another, each for all weights.
struct Slot {
  std::string_view class_name;
  std::string_view ours;
  std::string_view theirs;
};
constexpr std::array<Slot, 5> kSlots{{
    {"Adam", "momentum", "m"},
    {"Adam", "velocity", "v"},
    {"Adam", "velocity_hat", "vhat"},
    {"RMSprop", "velocity", "rms"},
    {"SGD", "momentum", "momentum"},
}};

bool is_named(const Json& json) {
  if (json.is_array()) return std::ranges::all_of(json.as_array(), is_named);
  if (json.is_object())
    return !json.find("class_name") &&
           std::ranges::all_of(json.as_object(), [](const Json::Member& member) { return is_named(member.second); });
  return true;
}

Json without_modules(const Json& json) {
  if (!json.is_object()) return json;
  Json::Object result;
  for (const auto& [key, value] : json.as_object())
    if (key != "module" && key != "registered_name") result.set(key, without_modules(value));
  return result;
}

// From this TensorFlow on the schedule CosineDecay may begin with a warm-up.
constexpr int kWarmUp = 21300;

// A schedule of the learning rate. A warm-up that there is none of says nothing.
Json schedule_of(const Json& rate, KerasNeeds& needs) {
  if (!rate.is_object() || !rate.find("config") || !rate.at("config").is_object()) return rate;
  Json result = rate;
  Json::Object& config = result.as_object().find("config")->as_object();
  const Json* target = config.find("warmup_target");
  if (!target) return result;
  if (!target->is_null()) {
    needs.need(kWarmUp, "the warm-up of the learning rate's schedule");
    return result;
  }
  config.erase("warmup_target");
  config.erase("warmup_steps");
  return result;
}

Json::Object settings_of(const std::string& class_name, const Json::Object& config, KerasNeeds& needs) {
  Json::Object result;
  for (const auto& [key, value] : config) {
    const auto since = key_since("optimizers.", class_name, key);
    const bool is_later = since && (since->first == 0 || since->first >= kNewOptimizers);
    const bool is_idle = !since || value.is_null() || (since->absent && same_value(*since->absent, value));
    const bool is_default = key == "ema_momentum" && config.find("use_ema") && *config.find("use_ema") == Json(false);
    if (is_later && !is_idle && !is_default)
      throw Unsupported("its " + key + " is " + quoted(value) + ", which optimizers of TensorFlow 2.0 do not have");
    if (is_later || (since && is_idle)) continue;
    result.set(key, without_modules(key == "learning_rate" ? schedule_of(value, needs) : value));
  }
  result.set("decay", 0.0);
  return result;
}

class Variables {
 public:
  Variables(const KerasFile& file, std::string class_name, std::string name)
      : file_(file), class_name_(std::move(class_name)), name_(std::move(name)) {
    for (const KerasLayerWeights& layer : file.layers)
      for (const KerasVariable& variable : layer.variables) {
        std::string path = variable.path.substr(0, variable.path.rfind(":0"));
        std::string flat = path;
        std::ranges::replace(flat, '/', '_');
        places_.emplace(path, places_.size());
        const auto [known, is_new] = weights_.emplace(std::move(flat), path);
        if (!is_new) known->second.clear();  // two weights could be meant
      }
  }

  // The count of steps, then each slot of all weights.
  std::vector<KerasVariable> run() const {
    std::vector<KerasVariable> result;
    std::map<std::string_view, std::vector<KerasVariable>> by_slot;
    for (const KerasVariable& variable : file_.optimizer) {
      const std::string last = variable.path.substr(variable.path.rfind('/') + 1);
      if (last == "iteration")
        result.push_back({name_ + "/iter:0", cast(variable.tensor, DType::Int64)});
      else if (last != "learning_rate")
        add(last, variable.tensor, by_slot);
    }
    if (result.empty()) throw Unsupported("it does not say how often it has stepped");
    for (const Slot& slot : kSlots) {
      std::ranges::stable_sort(by_slot[slot.theirs], {},
                               [&](const KerasVariable& variable) { return place_of(variable); });
      for (KerasVariable& variable : by_slot[slot.theirs]) result.push_back(std::move(variable));
    }
    return result;
  }

 private:
  // Of the weight that a slot is of: "adam/dense/kernel/m:0".
  std::size_t place_of(const KerasVariable& slot) const {
    const std::string path = slot.path.substr(name_.size() + 1);
    return places_.at(path.substr(0, path.rfind('/')));
  }

  void add(const std::string& last, const Tensor& tensor,
           std::map<std::string_view, std::vector<KerasVariable>>& by_slot) const {
    for (const Slot& slot : kSlots) {
      const std::string end = "_" + std::string(slot.ours);
      if (slot.class_name != class_name_ || !last.ends_with(end)) continue;
      const auto weight = weights_.find(last.substr(0, last.size() - end.size()));
      if (weight == weights_.end() || weight->second.empty()) continue;
      by_slot[slot.theirs].push_back({name_ + "/" + weight->second + "/" + std::string(slot.theirs) + ":0", tensor});
      return;
    }
    throw Unsupported("its state " + shortened(last) + " has no place in Keras 2's");
  }

  const KerasFile& file_;
  std::string class_name_, name_;
  std::map<std::string, std::size_t> places_;   // of weights among all, by their paths
  std::map<std::string, std::string> weights_;  // paths by what slots call them
};

void translate(KerasFile& file, const Json& optimizer, Json::Object& training, KerasNeeds& needs) {
  const std::string& class_name = optimizer.at("class_name").as_string();
  const auto since = class_since("optimizers.", class_name);
  if (!since) throw Unsupported("no TensorFlow's Keras 2 has " + quoted(class_name));
  if (*since >= kNewOptimizers)
    throw Unsupported("TensorFlow has " + quoted(class_name) + " from " + release_text(*since) +
                      " on, among optimizers of another form than that which is written, TensorFlow 2.0's");
  Json::Object settings = settings_of(class_name, optimizer.at("config").as_object(), needs);
  try {
    file.optimizer = Variables(file, class_name, settings.at("name").as_string()).run();
  } catch (const Unsupported& error) {
    needs.notes.push_back("the optimizer's state is left out: " + std::string(error.what()));
    file.optimizer.clear();
  }
  training.set("optimizer_config", Json::Object{{"class_name", class_name}, {"config", std::move(settings)}});
}

}  // namespace

void training_into_keras_2(KerasFile& file, KerasNeeds& needs) {
  if (!file.training_config.is_object()) return;
  const Json::Object given = file.training_config.as_object();
  Json::Object training;
  for (const char* key : {"loss", "metrics", "weighted_metrics", "loss_weights"}) {
    const Json* value = given.find(key);
    const bool is_kept = value && is_named(*value);
    if (value && !is_kept)
      needs.notes.push_back(std::string("the training's ") + key + " is left out: an object of Keras 3's");
    training.set(key, is_kept ? *value : Json());
  }
  training.set("sample_weight_mode", nullptr);
  const Json* optimizer = given.find("optimizer_config");
  try {
    if (!optimizer || !optimizer->is_object()) throw Unsupported("it has no configuration");
    translate(file, *optimizer, training, needs);
    file.training_config = std::move(training);
  } catch (const Unsupported& error) {
    const auto is_said = [&](const char* key) { return training.find(key) && !training.find(key)->is_null(); };
    std::vector<std::string> others;
    for (const char* key : {"loss", "metrics", "weighted_metrics", "loss_weights"})
      if (is_said(key)) others.emplace_back(key);
    // tf.keras reads none of it without the optimizer (tf_keras 2.21, saving/legacy/saving_utils.py).
    const std::string with_it =
        others.empty() ? ""
                       : ", and with it the training's " + joined(others) + ", which tf.keras reads beside it alone";
    needs.notes.push_back("the optimizer is left out" + with_it + ": " + error.what());
    file.training_config = Json();
    file.optimizer.clear();
  }
}

}  // namespace h5bridge
