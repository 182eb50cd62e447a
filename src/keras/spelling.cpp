#include "keras/spelling.h"

#include <algorithm>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/object_paths.h"
#include "keras/recording_emitter.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

// What the layer itself is written as; null where it is written by others.
const Json::Object* written_config(const RecordingEmitter& emitter, const KerasMapping& mapping) {
  const auto own = std::ranges::find_if(emitter.emitted(), [&](const KerasEmitter::Call& call) {
    return call.suffix.empty() && call.class_name == mapping.class_name;
  });
  return own == emitter.emitted().end() ? nullptr : &own->config;
}

}  // namespace

void keep_spelling(const KerasMapping& mapping, Layer& layer, const Json::Object& config,
                   const std::vector<SymbolicShape>& inputs, const std::vector<SymbolicShape>& outputs) {
  std::vector<TensorType> types;
  for (const SymbolicShape& shape : inputs) types.push_back({DType::Float32, shape});
  RecordingEmitter emitter(types, outputs, mapping);
  try {
    mapping.lower(layer.attributes, config_of(mapping, layer), emitter);
  } catch (const Error&) {
    return;  // what cannot be written says so when it is to be written
  }
  const Json::Object* written = written_config(emitter, mapping);
  if (!written) return;
  Json::Object spelling;
  for (const auto& [key, value] : *written) {
    const Json* said = config.find(key);
    const bool carried = key == "name" || key == "trainable" || key == "dtype" || mapping.carried.contains(key);
    if (said && !carried && !same_value(*said, value)) spelling.set(key, *said);
  }
  layer.keras.spelling = std::move(spelling);
}

void keep_trainable(const KerasMapping& mapping, Layer& layer, const Json::Object& config,
                    const std::vector<SymbolicShape>& inputs) {
  const Json* own = config.find("trainable");
  if (!own || !own->is_bool()) return;
  bool is_made_of_layers = false, is_frozen = true;
  for (const WeightRule& rule : mapping.weights(layer.attributes, inputs).rules) {
    if (!rule.trainable) continue;
    const std::string object = object_within(rule.objects.empty() ? rule.object : rule.objects.front(), config);
    is_made_of_layers = is_made_of_layers || !object.empty();
    is_frozen = is_frozen && trained_within(mapping.class_name, config, object) == Said::Frozen;
  }
  if (!is_made_of_layers || is_frozen == (*own == Json(false))) return;
  layer.keras.trainable = is_frozen ? std::optional(false) : std::nullopt;
  layer.keras.spelling.set("trainable", *own);
}

void restore_spelling(const KerasMapping& mapping, const Layer& layer, const std::vector<SymbolicShape>& inputs,
                      Json::Object& config) {
  if (layer.keras.spelling.empty()) return;
  Json::Object candidate = config;
  for (const auto& [key, value] : layer.keras.spelling) candidate.set(key, value);
  try {
    const std::optional<Layer> meant = layer_from_config(mapping, candidate, inputs);
    const LayerType& type = Registry::instance().type_of(layer);
    if (meant && attributes_to_json(type, meant->attributes) == attributes_to_json(type, layer.attributes))
      config = std::move(candidate);
  } catch (const Error&) {
    // It was noted for another layout or another size: the settings as written stand.
  }
}

}  // namespace h5bridge
