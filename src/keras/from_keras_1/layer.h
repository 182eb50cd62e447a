// A layer as Keras 0 and 1 had it, and the layers of Keras 2 that compute the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "files/keras_h5.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// A layer of Keras 0 or 1 in its own words, with its arrays if a file of weights is there.
struct OldLayer {
  std::string name;
  std::string class_name;  // "Convolution2D"
  Json::Object config;
  std::string file_group;                // under what name a file keeps its arrays: its own, or an inner model's
  std::string model;                     // the model's own layer that it is in, an inner model; empty: none
  std::vector<KerasVariable> arrays;     // in the file's order
  std::optional<std::int64_t> features;  // the last extent of what it is given, if the layers before it say it
  bool is_theano = false;                // Theano wrote it, which applies kernels flipped and pads otherwise
  bool is_deviation = false;             // of a BatchNormalization: running_std is one, and no variance
};

/// One of the layers of Keras 2 that a layer became.
struct NewLayer {
  std::string suffix;  // of its name; the last one has none, so that whoever takes the result finds it
  std::string class_name;
  Json::Object config;              // without the name
  std::vector<std::string> inputs;  // suffixes of others before it; "<" is what the layer itself was given
};
inline constexpr const char* kGiven = "<";

/// How many arrays a layer of that class has, those that it trains and those that it does not; nullopt for a class that
/// is not known.
struct ArrayCount {
  std::size_t trained = 0;
  std::size_t other = 0;
  std::size_t all() const { return trained + other; }
};
std::optional<ArrayCount> array_count(const std::string& class_name, const Json::Object& config);

/// `layer` in Keras 2's words, in the order of calls. `ordering` ("th" or "tf") is what the model's layers say that do
/// say it. Throws Unsupported, without the layer's name, for what Keras 3 has nothing like.
std::vector<NewLayer> layers_in_keras_2(const OldLayer& layer, const std::string& ordering);

/// The same layers' weights, with the suffixes as their layers' names. Throws MalformedFile for arrays that do not fit.
std::vector<KerasLayerWeights> weights_in_keras_2(const OldLayer& layer, const std::string& ordering);

/// What stands wrapped in a TimeDistributed or Bidirectional, as a layer of its own without arrays; nullopt if nothing.
std::optional<OldLayer> wrapped(const OldLayer& layer);

}  // namespace h5bridge
