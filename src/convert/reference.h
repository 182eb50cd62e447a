// What a model was seen to give, kept in its file: a test of whatever reads that file later.
#pragma once

#include <string>
#include <vector>

#include "convert/compare.h"
#include "convert/likely_cause.h"
#include "convert/random_inputs.h"
#include "h5bridge/h5bridge.h"
#include "runner/runner.h"

namespace h5bridge {

/// Random inputs, as random_inputs() makes them in the model's own layout, and what LibTorch makes of them. `options`:
/// where it runs. Throws what make_runner and on_random_inputs throw, UsageError if the model lacks a half.
Reference random_reference(const Model& model, const RandomInputs& inputs, const RunOptions& options);

/// Inputs and the outputs that somebody else made of them, each under its name, as `looks` presents them. Throws
/// UsageError where one is missing, or shaped otherwise than the model says.
Reference given_reference(const Model& model, const Presentation& looks, const std::vector<NamedTensor>& inputs,
                          const std::vector<NamedTensor>& outputs);

/// "mean of magnitudes 0.5, expected 0.7".
struct DifferingLayer {
  std::string name;
  std::string what;
};

/// Runs the model on `inputs` and compares what it gives with `expected`, both under the names and in the layout that
/// `looks` has; `options.layout` is that layout. Where an output differs, with the likely cause, if one is found.
/// Throws what make_runner and its run throw.
OutputComparison compare_with_expected(const Model& model, const Presentation& looks,
                                       const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& expected,
                                       const RunOptions& options, const Tolerance& tolerance);

/// What an exported program was traced with, as `looks` presents it: a reference without outputs. None where there is
/// none, or none that fits.
std::vector<NamedTensor> sample_inputs(const Model& model, const Presentation& looks);

struct Replay {
  std::string by;  // who made the outputs
  std::vector<NamedAgreement> outputs;
  std::optional<DifferingLayer> first_layer;  // whose output differs, where the reference has been told of layers
  std::optional<LikelyCause> cause;           // of what differs, where one is found
  bool agrees() const;
};

/// Runs the model on the inputs that it was seen with. Throws UsageError where it has no reference, or one of other
/// inputs than it has.
Replay replay(const Model& model, const RunOptions& options, const Tolerance& tolerance);
Json::Object to_json(const Replay& replay);

/// Why the model does not give the reference's outputs: tried with the first layer that differs where that is known,
/// or else with inputs and all layers. Nothing where no cause is found, or the model cannot be run so.
std::optional<LikelyCause> likely_cause_of(const Model& model, const Reference& reference,
                                           const std::optional<std::string>& first_layer, const RunOptions& options,
                                           const Tolerance& tolerance);

/// As our part of a Keras file has it: {"by", "dtype", "inputs": [names], "outputs", "layers"}, and the tensors
/// "reference/inputs/0", ...
Json reference_to_json(const Reference& reference, std::vector<NamedTensor>& tensors);
/// Throws MalformedFile.
Reference reference_from_json(const Json& json, const std::vector<NamedTensor>& tensors);

/// As PyTorch's files have it, in a record of the archive or as a text: the same tensors and JSON in the form of a
/// .safetensors, whose metadata has the JSON.
std::string reference_bytes(const Reference& reference);
/// Throws MalformedFile.
Reference reference_from_bytes(const ByteSourcePtr& bytes);

/// The model's reference, unless it is of weights that are rounded now, of which a note tells.
std::optional<Reference> kept_reference(const Model& model, const std::optional<DType>& rounded_to,
                                        std::vector<std::string>& notes);

}  // namespace h5bridge
