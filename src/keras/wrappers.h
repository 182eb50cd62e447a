// Keras's wrappers of other layers (TimeDistributed, Bidirectional, SpectralNormalization), as models within the model:
// on the way in each is the graph that it computes, of the layer that it wraps and of what it does to tensors itself;
// on the way out the wrapper again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"
#include "keras/tree.h"

namespace h5bridge {

// The classes of what a wrapper does itself, which Keras does not have as layers.

/// What the wrapper is given.
inline constexpr const char* kWrapperInput = "h5bridge>Given";
/// What it gives, its first argument, with the mask of the second.
inline constexpr const char* kWrapperResult = "h5bridge>Result";
/// What it gives, its first argument, as integers where the second has such.
inline constexpr const char* kWrapperTyped = "h5bridge>Typed";
/// A setting that is true where what a wrapper gives stays floats, whatever it is given: of Keras 2's
/// SpectralNormalization. It is in no file of theirs.
inline constexpr const char* kGivesFloats = "h5bridge>gives_floats";
/// The batch and the steps of a tensor, (batch, steps, ...), as one axis.
inline constexpr const char* kStepsMerged = "h5bridge>StepsMerged";
/// Takes them apart again: (batch * steps, ...) to (batch, steps, ...) as its second argument has them.
inline constexpr const char* kStepsApart = "h5bridge>StepsApart";

// What these layers of the architecture do in Keras, as their origin's variant says; its class is the wrapper's.
inline constexpr const char* kMergesSteps = "merges_steps";
inline constexpr const char* kTakesStepsApart = "takes_steps_apart";

/// Whether a layer of the architecture is what a wrapper of Keras does by itself.
bool is_of_a_wrapper(const Layer& layer);

/// The architecture without its wrappers: their layers are layers like others.
Architecture without_wrappers(Architecture architecture);
/// Whether a scope is a wrapper in Keras.
bool is_wrapper(const KerasModelOrigin& origin);

/// Whether a layer of what is read is what a wrapper does itself.
bool is_of_a_wrapper(const KerasLayer& layer);

/// The members of a configuration of that class that are layers, by the attributes of the wrapper's object that they
/// are; none where it is no wrapper that is taken apart.
std::vector<std::pair<std::string, const Json*>> wrapped_members(const std::string& class_name,
                                                                 const Json::Object& config);

/// What a wrapper computes, of the layers that it wraps, which have their own names. Throws Unsupported for settings
/// that are not known.
KerasModel graph_of_wrapper(const KerasLayer& wrapper);

/// What stands behind the wrapper's name in PyTorch in the names of the layers that it wraps, by these.
std::map<std::string, std::string> names_behind(const KerasLayer& wrapper);

/// The variable that a wrapper has itself, "vector_u"; empty: none.
std::string own_variable(const KerasModelOrigin& origin);
std::string own_variable(const KerasLayer& wrapper);
/// Its value as the architecture has it, of the shape (1, elements); nullopt where it has none.
/// Throws MalformedFile for what is no such tensor.
std::optional<Tensor> own_value(const KerasModelOrigin& origin);
void set_own_value(KerasModelOrigin& origin, const Tensor& value);

/// For messages: layer "norm" (SpectralNormalization).
std::string describe_wrapper(const Scope& wrapper);

/// What a wrapper does in training alone, of which PyTorch's layers know nothing; empty: nothing.
std::string only_in_training(const KerasModelOrigin& origin);

/// What Keras says of the wrapper itself.
KerasModelOrigin wrapper_origin(const KerasLayer& wrapper);

/// The layers that a wrapper wraps; none unless `model`, which came as one, still is that and nothing else.
std::vector<const KerasLayer*> wrapped_layers(const KerasModel& model);

/// The wrapper's entry among a model's layers, given those of the wrapped ones.
Json::Object print_wrapper(const KerasModel& model, std::vector<Json::Object> wrapped);

}  // namespace h5bridge
