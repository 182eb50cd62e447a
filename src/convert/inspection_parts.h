// What each kind of file contributes to an inspection.
#pragma once

#include <string>
#include <vector>

#include "convert/inspection.h"

namespace h5bridge {

struct KerasFile;
class TorchFile;

struct FilePart {
  std::string format = {};  // where it takes a look into the file to tell
  std::vector<InspectedTensor> tensors = {};
  Json training = {};
  Json::Object metadata = {};
  std::vector<std::string> notes = {};
  bool states_architecture = false;
};

/// Of any format.
FilePart inspect_keras_file(const KerasFile& file);

/// Also of files without a state_dict, such as pickled modules: their tensors go by the path that leads to them, and
/// metadata "contents" shows the records that are in the pickle.
FilePart inspect_torch_file(const TorchFile& file, const LoadOptions& options);

/// Of a state_dict: its tensors and what else came with them.
FilePart inspect_state_dict(Model model);

/// {"epoch", "loss", "optimizer"} of a model in PyTorch's terms.
Json training_to_json(const Training& training);

/// {"name", "shape", "dtype"} of an optimizer's variable, with the "value" of a scalar and the "parameter" that it
/// belongs to, null where the file does not tell.
Json slot_to_json(const std::string& name, const Tensor& tensor, const Json& parameter);

}  // namespace h5bridge
