#include "keras/dialects/meanings.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

struct Change {
  KerasLine line;
  int first;
  int last;
  std::string_view class_name;
  std::string_view key;    // "": whatever the settings are
  std::string_view value;  // JSON
  bool masks_only;         // it shows only where masks are handed on
  bool is_certain;         // otherwise some versions with this number computed as Keras 3 does
  std::string_view what;
};

constexpr std::string_view kBilinear = "places samples at the corners of pixels, Keras 3 in their middle";
constexpr std::string_view kEqualShares = "where a mask leaves nothing, it gives equal shares, and Keras 3 zeros";
constexpr std::string_view kAttendsToAll =
    "where a mask leaves nothing, it attends to all alike, and Keras 3 to nothing";
constexpr std::string_view kRepeats = "at masked steps it repeats its last output, where Keras 3 gives zeros";

// Sources: keras 2.3.1 backend/tensorflow_backend.py and tensorflow 1.14 python/keras/backend.py, resize_images;
// tensorflow 1.12 python/keras/layers/wrappers.py, where Bidirectional has no force_zero_output_for_mask; tf_keras 2.21
// layers/activation/softmax.py.
constexpr std::array<Change, 6> kChanges{{
    {KerasLine::Standalone, 20000, 20399, "UpSampling2D", "interpolation", R"("bilinear")", false, true, kBilinear},
    {KerasLine::TensorFlow, 20000, 20204, "UpSampling2D", "interpolation", R"("bilinear")", false, false, kBilinear},
    {KerasLine::Standalone, 20000, 20399, "Bidirectional", "", "", true, true, kRepeats},
    {KerasLine::TensorFlow, 20000, 20203, "Bidirectional", "", "", true, true, kRepeats},
    {KerasLine::TensorFlow, 20400, 29999, "Softmax", "", "", true, true, kEqualShares},
    {KerasLine::TensorFlow, 20400, 29999, "MultiHeadAttention", "", "", true, true, kAttendsToAll},
}};

bool is_true(const Json& config, const char* key) {
  const Json* value = config.find(key);
  return value && *value == Json(true);
}

bool is_masking(const Json& layer) {
  return layer.at("class_name") == Json("Masking") ||
         (layer.at("class_name") == Json("Embedding") && is_true(layer.at("config"), "mask_zero"));
}

bool is_given_mask(const Json& layer) {
  const Json* nodes = layer.find("inbound_nodes");
  return nodes && nodes->is_array() && std::ranges::any_of(nodes->as_array(), [](const Json& node) {
           return std::ranges::any_of(node.at("kwargs").as_object(), [](const Json::Member& argument) {
             return argument.first.ends_with("mask") && (argument.second.is_object() || argument.second.is_array());
           });
         });
}

bool applies(const Change& change, const Json& layer) {
  const Json& config = layer.at("config");
  if (layer.at("class_name") != Json(change.class_name)) return false;
  if (change.class_name == "Bidirectional" && !is_true(config.at("layer").at("config"), "return_sequences"))
    return false;
  if (change.key.empty()) return true;
  const Json* value = config.find(change.key);
  return value && *value == Json::parse(change.value);
}

}  // namespace

std::vector<std::string> changed_meanings(const KerasVersion& version, const Json::Array& layers) {
  const bool has_masks = std::ranges::any_of(layers, is_masking) || std::ranges::any_of(layers, is_given_mask);
  std::vector<std::string> notes;
  std::string refused;
  for (const Change& change : kChanges) {
    if (version.line != change.line || version.number < change.first || version.number > change.last) continue;
    if (change.masks_only && !has_masks) continue;
    for (const Json& layer : layers) {
      if (!applies(change, layer)) continue;
      const std::string what = "layer \"" + layer.at("config").at("name").as_string() + "\" (" +
                               std::string(change.class_name) + "): the Keras that wrote it " +
                               (change.masks_only ? "differs: " : "") + std::string(change.what);
      if (change.is_certain && !change.masks_only)
        refused += (refused.empty() ? "" : "; ") + what;
      else
        notes.push_back(change.is_certain ? what : what + "; some versions that give the same number do as Keras 3");
    }
  }
  if (!refused.empty()) throw Unsupported(refused);
  return notes;
}

}  // namespace h5bridge
