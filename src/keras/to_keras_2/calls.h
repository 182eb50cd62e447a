// Calls of layers as Keras 2 lists them: [["x", 0, 0, {}], ...].
#pragma once

#include <map>
#include <string>

#include "h5bridge/json.h"

namespace h5bridge {

/// The models within a model, by their names, and by how much Keras 2 counts their calls further: their first is number
/// 1 there, as the making of the model counts.
struct InnerModels {
  std::map<std::string, int> in_calls;
  std::map<std::string, int> in_outputs;
};

/// The inner models of a Functional model's `layers`, in the form of Keras 3.
InnerModels inner_models(const Json::Array& layers);

/// A node {"args", "kwargs"} of Keras 3. Throws Unsupported for what a call of Keras 2 cannot say.
Json call_in_keras_2(const Json& node, const std::string& class_name, const InnerModels& inner);

/// What a call of Keras 2's is given as an argument by name: a tensor by its place, a list of them, a constant.
Json argument_in_keras_2(const Json& value, const InnerModels& inner);
bool is_keras_tensor(const Json& value);

/// The model that a wrapper wraps; nullptr: it wraps none, or is no wrapper.
const Json* wrapped_model(const Json& layer);

/// input_layers or output_layers of Keras 3, where one place alone stands for a list of it.
Json places_in_keras_2(const Json& places, const std::map<std::string, int>& further);
/// Whether they are a list of places, which is all that Keras 2.0 had.
bool are_listed(const Json& places);

}  // namespace h5bridge
