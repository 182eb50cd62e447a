// What a file of PyTorch's has no place for, or will train otherwise: a line each.
#pragma once

#include <string>

#include "convert/save.h"

namespace h5bridge {

/// Names of the state_dict that nothing computes with, where the sources do not hold their tensors.
void note_missing_unused(const Model& model, Notes& notes);

/// Keras's mixed precision, where the model comes from there.
void note_precision(const Model& model, Notes& notes);
/// Likewise, its calls with training=True.
void note_calls(const Model& model, Notes& notes);

/// The checkpoint's further entries that a destination has no place for: those that are no plain data, or all.
enum class Entries { NotPlain, All };
void note_entries(const Model& model, Entries which, Notes& notes);

/// Parameters with requires_grad=False, of which a state_dict says nothing.
void note_frozen(const Model& model, Notes& notes);

/// What wrappers of Keras's do in training alone (SpectralNormalization).
void note_wrappers(const Model& model, Notes& notes);

/// Keras's regularizers and constraints, of which neither a state_dict nor a module written in Python says anything;
/// unless `notes` have that line already.
void note_regularisation(const Model& model, Notes& notes);

/// What layers do in Keras's training alone, and those of a module written in Python do not.
void note_training_alone(const Model& model, Notes& notes);

/// Where training stood, which a file of weights alone has no place for. `advice` follows where there is an optimizer.
void note_training(const Model& model, const SaveOptions& options, const std::string& advice, Notes& notes);

/// In what a run of Keras's that goes on in PyTorch will be another.
void note_training_run(const Model& model, Notes& notes);

}  // namespace h5bridge
