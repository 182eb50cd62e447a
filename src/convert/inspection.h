// What is in the files of a model, in the files' own terms: also of those that cannot be converted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "h5bridge/h5bridge.h"

namespace h5bridge {

struct InspectedTensor {
  std::string name;  // in the file: "conv1.weight" in PyTorch's, "dense/kernel" in Keras's
  Tensor tensor;     // laid out as there
  std::optional<bool> trainable;
};

struct Inspection {
  std::string format;
  Framework framework = Framework::Torch;
  std::optional<Architecture> architecture;
  std::vector<InspectedTensor> tensors;
  Json training;                 // {"epoch", "loss", "optimizer": {"name", "config", "slots"}, ...} or null
  Json::Object metadata;         // "notes" say what could not be made sense of
  std::optional<Error> failure;  // why the architecture that the sources state could not be read, if they state one
};

/// Reads the sources of one model. What no layer type or class is known for becomes a note, and a failure where it is
/// the architecture; all that could be read is there. Throws
/// MalformedFile where a file itself is damaged, Unsupported for a format that is not read, SystemFailure, and
/// UsageError for several sources that make no one model, or a `key` that is not there.
Inspection inspect(const std::vector<std::string>& sources, const LoadOptions& options = {});

/// As `inspect --json` prints it.
Json to_json(Inspection inspection);

}  // namespace h5bridge
