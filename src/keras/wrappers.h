// Keras's wrappers of other layers (TimeDistributed, Bidirectional, SpectralNormalization), as models within the model:
// on the way in each is the graph that it computes, of the layer that it wraps and of what it does to tensors itself;
// on the way out the wrapper again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"
#include "keras/planned_model.h"

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

/// Whether an entry among a model's layers is a wrapper that is taken apart.
bool is_wrapper_entry(const Json& layer);

/// Whether it is what a wrapper does itself.
bool is_of_a_wrapper(const Json& layer);

/// The entries of the layers that a wrapper's entry wraps, by the attributes of the wrapper's object that they are.
std::vector<std::pair<std::string, const Json*>> wrapped_objects(const Json& wrapper);

/// Calls `visit(name, entry, is_in_frozen)` with each layer of a model and of the models and wrappers within it, which
/// are no layers of their own: by KerasBinding::layer ("encoder/dense"), with whether a wrapper around it is frozen.
/// What is no entry is passed over.
void for_each_entry(const Json& model_config, const std::function<void(const std::string&, const Json&, bool)>& visit);

/// The wrapper as a Functional model's configuration, in which the wrapped layers have their own names; "wrapped" there
/// has what stands behind the wrapper's name in theirs in PyTorch. Throws Unsupported for settings that are not known.
Json functional_of_wrapper(const Json& wrapper);

/// The variable that a wrapper has itself, "vector_u"; empty: none.
std::string own_variable(const KerasModelOrigin& origin);
std::string own_variable(const Json& wrapper);
/// Its value as the architecture has it, of the shape (1, elements); nullopt where it has none.
/// Throws MalformedFile for what is no such tensor.
std::optional<Tensor> own_value(const KerasModelOrigin& origin);
void set_own_value(KerasModelOrigin& origin, const Tensor& value);

/// For messages: layer "norm" (SpectralNormalization).
std::string describe_wrapper(const Scope& wrapper);

/// What a wrapper does in training alone, of which PyTorch's layers know nothing; empty: nothing.
std::string only_in_training(const KerasModelOrigin& origin);

/// What Keras says of the wrapper itself.
KerasModelOrigin wrapper_origin(const Json& wrapper);

/// The layers that a wrapper wraps; none unless `model`, which came as one, still is that and nothing else.
std::vector<const PlannedLayer*> wrapped_layers(const PlannedModel& model);

/// The wrapper's entry among a model's layers, given those of the wrapped ones.
Json::Object wrapper_entry(const PlannedModel& model, std::vector<Json::Object> wrapped);

}  // namespace h5bridge
