// Models of Keras 0 and 1 in the form of Keras 2.0.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "h5bridge/keras_files.h"
#include "keras/from_keras_1/layer.h"

namespace h5bridge {

/// What is known of a configuration beside what it says itself.
struct Beside {
  const std::vector<KerasLayerWeights>* weights = nullptr;  // of the same model; nullptr if no file holds them
  std::string weights_file;                                 // for messages, if it is another than the configuration's
  std::string backend;                                      // that the file states: "theano"; "" where it does not
  std::optional<KerasBackend> written_by;                   // that the user says
  std::optional<LayerMatch> match;
};

struct Keras1Model {
  Json model;                    // {"class_name": "Sequential", "config": {...}}
  std::vector<OldLayer> layers;  // those that hold weights, in the file's order
  std::string ordering;          // "th" or "tf", what layers mean that do not say it
  std::vector<std::string> notes;
};

/// Whether it is a configuration of Keras 0 or 1, by its version or, where that is not stated, by its words.
bool is_before_keras_2(const Json& model_config, const std::string& stated_version);

/// The model as Keras 2.0 would have written it, and its layers with their arrays if there is a file of weights. Throws
/// MalformedFile for what is no configuration or for arrays that fit no layer, Unsupported naming the layer that Keras
/// 3 has nothing like.
Keras1Model keras_2_form(const Json& model_config, const std::string& stated_version, const Beside& beside);

/// The weights of the model that keras_2_form made, by its layers. Those that were computed anew are added to
/// `original` as they were, as "unscaled/<layer>/<variable>".
std::vector<KerasLayerWeights> weights_of_keras_2_form(const std::vector<OldLayer>& layers, const std::string& ordering,
                                                       std::vector<NamedTensor>& original);

}  // namespace h5bridge
