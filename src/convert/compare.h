// Two models, tensor by tensor and layer by layer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "convert/architecture_comparison.h"
#include "convert/likely_cause.h"
#include "convert/tensor_agreement.h"
#include "convert/training_comparison.h"
#include "h5bridge/model.h"
#include "runner/runner.h"

namespace h5bridge {

/// A tensor's name is that of the first model.
struct NamedAgreement {
  std::string name;
  Agreement agreement;
};

struct WeightComparison {
  std::vector<std::string> only_in_a;
  std::vector<std::string> only_in_b;
  std::vector<NamedAgreement> tensors;
  bool agrees() const;
};

struct OutputComparison {
  std::vector<NamedAgreement> outputs;
  std::optional<NamedAgreement> first_layer;  // the first layer, in the order of the first model, whose output differs
  std::optional<LikelyCause> cause;           // of that, where one is found
  std::vector<NamedAgreement> layers;         // all that both models have, where they are asked for or outputs differ
  bool agrees() const;
};

/// The model with its channels first, so that two of different layouts can be compared; as it is where it has no
/// architecture.
Model comparable(const Model& model);

/// The same as PyTorch's: so laid out, layers of two models can be compared.
Model in_one_layout(const Model& model);

/// Weights by their PyTorch names; a model that Keras renamed matches, too. Both models must be comparable().
WeightComparison compare_weights(const Model& a, const Model& b, const Tolerance& tolerance);

/// Runs both on `inputs`, which are named as the first model's, and laid out as `options.layout` has them, by default
/// that model's own; each model runs in its own layout. `every_layer`: layers, too, even if outputs agree. Throws
/// UsageError if the models do not have equally many inputs and outputs.
OutputComparison compare_outputs(const Model& a, const Model& b, const std::vector<NamedTensor>& inputs,
                                 const RunOptions& options, const Tolerance& tolerance, bool every_layer = false);

Json::Object to_json(const NamedAgreement& item);
Json to_json(const std::vector<NamedAgreement>& items);
Json::Object to_json(const OutputComparison& comparison);

/// What a comparison of two models found, as `h5bridge compare --json` prints it.
Json::Object to_json(const ArchitectureComparison& architectures, const WeightComparison& weights,
                     const TrainingComparison& training, const std::optional<OutputComparison>& outputs);

}  // namespace h5bridge
