#include "generate/keras_samples.h"

#include <algorithm>
#include <optional>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/recording_emitter.h"

namespace h5bridge {
namespace {

constexpr const char* kLayers = "keras.layers";

// What every layer has in its configuration, and what only says how its weights begin. An operation's dtype is its own.
bool is_own(const KerasMapping& mapping, const std::string& key) {
  const bool is_common = key == "name" || key == "trainable" || (key == "dtype" && mapping.module == kLayers);
  return !is_common && !mapping.carried.contains(key);
}

// The call as a constructor's and a call's arguments; none if it is not of the mapping's own class.
std::optional<KerasSample> sample_of(const KerasMapping& mapping, const KerasEmitter::Call& call) {
  if (call.class_name != mapping.class_name || call.module != mapping.module) return std::nullopt;
  KerasSample result;
  for (const auto& [key, value] : call.config)
    if (is_own(mapping, key)) result.config.set(key, value);
  for (std::size_t i = 0; i < call.arguments.size(); ++i)
    if (const Json* constant = std::get_if<Json>(&call.arguments[i])) result.call.set(mapping.call.at(i), *constant);
  for (const auto& [name, argument] : call.keywords)
    if (const Json* constant = std::get_if<Json>(&argument)) result.call.set(name, *constant);
  return result;
}

std::optional<KerasSample> written(const KerasMapping& mapping, const LayerType& type, const Sample& sample) {
  const Attributes attributes = attributes_from_json(type, sample.attributes, type.name);
  const std::vector<SymbolicShape> inputs = sample.open_inputs();
  std::vector<TensorType> types;
  for (const SymbolicShape& shape : inputs) types.push_back({DType::Float32, shape});
  RecordingEmitter emitter(types, type.shapes(attributes, inputs), mapping);
  try {
    mapping.lower(attributes, config_of(mapping, Layer{"layer", type.name, attributes, {}}), emitter);
  } catch (const Unsupported&) {
    return std::nullopt;
  }
  std::optional<KerasSample> result;
  if (emitter.emitted().size() == 1) result = sample_of(mapping, emitter.emitted()[0]);
  if (!result) return std::nullopt;
  const bool is_read_back = mapping.accepts(inputs);
  result->what = (mapping.module == kLayers ? "" : "operation, ") + mapping.type + ", " + sample.what;
  result->inputs = sample.inputs;
  result->ids_below = sample.ids_below;
  result->between = sample.between;
  return is_read_back ? result : std::nullopt;
}

}  // namespace

std::vector<KerasSample> samples_of(const KerasMapping& mapping) {
  std::vector<KerasSample> result = mapping.samples;
  if (!result.empty() || mapping.written_only) return result;
  const LayerType& type = *Registry::instance().find(mapping.type);
  const auto fits = [&](const Sample& sample) {
    return sample.in_keras && sample.integers.empty() &&
           mapping.fits(attributes_from_json(type, sample.attributes, type.name), sample.open_inputs());
  };
  const bool only_reads = std::none_of(type.samples.begin(), type.samples.end(), fits);
  for (const Sample& sample : type.samples) {
    if (!sample.integers.empty()) continue;  // these tests give all inputs one type
    std::optional<KerasSample> made;
    if (only_reads || fits(sample)) made = written(mapping, type, sample);
    const auto is_same = [&](const KerasSample& other) {
      return other.config == made->config && other.call == made->call && other.inputs.size() == made->inputs.size();
    };
    if (made && std::none_of(result.begin(), result.end(), is_same)) result.push_back(std::move(*made));
  }
  return result;
}

}  // namespace h5bridge
