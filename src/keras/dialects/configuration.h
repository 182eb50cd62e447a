// Configurations of any Keras in the form of 3.15, JSON to JSON: whoever looks at them afterwards knows one Keras only.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "keras/dialects/locally_connected.h"
#include "keras/dialects/version.h"
#include "keras/from_keras_1/model.h"

namespace h5bridge {

/// What old hard_sigmoid means to the weights of a layer: see hard_sigmoid.h.
struct GateFactors {
  std::string layer;       // the model's own, whose group in a file has the variables
  std::string class_name;  // "LSTM": which columns are which gate's
  bool gates = false;      // the recurrent activation is the old hard_sigmoid
  bool candidate = false;  // the activation is
  std::string inner{};     // the layer itself, where `layer` is a model that has it, at any depth
  std::size_t first = 0;   // of its variables, the first that are meant, where several cells are stacked
  std::size_t count = 0;   // and how many; 0: all
};

/// A layer whose weights are as CuDNN has them: see cudnn.h.
struct CudnnLayer {
  std::string layer;  // the model's own, which may wrap it
  bool is_lstm = false;
  std::string inner{};  // as above
};

/// What was found in a model within the model, whose group in a file has the variables of all of its layers.
template <typename Mended>
void put_within(const std::string& model, Mended& mended) {
  if (mended.inner.empty()) mended.inner = mended.layer;
  mended.layer = model;
}

struct KerasConfiguration {
  Json model;                          // {"class_name": "Functional", "config": {...}}; null if the file has none
  std::vector<GateFactors> factors;    // of weights that are to be multiplied
  std::vector<std::string> notes;      // what a user should know, a line each
  std::vector<OldLayer> old_layers{};  // of Keras 0 and 1: those with weights, whose arrays are others than Keras 2's
  std::string ordering{};              // of theirs
  std::vector<CudnnLayer> cudnn{};
  std::vector<LocalLayer> local{};
};

/// `model_config` as Keras 3.15 would have written it. `stated_version` is the file's keras_version, or "" where it
/// states none: the form then tells. Of Keras 0 and 1, what is known beside it counts, too. Throws MalformedFile for
/// what is no configuration, Unsupported for layers that computed otherwise than any of Keras 3's, naming them.
KerasConfiguration keras_3_configuration(const Json& model_config, const std::string& stated_version,
                                         const Beside& beside = {});

}  // namespace h5bridge
