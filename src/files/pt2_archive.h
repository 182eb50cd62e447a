// What torch.export.save writes (.pt2, since PyTorch 2.8): a zip archive of an exported program as JSON and of its
// tensors, each the whole of its storage. What the program says is not looked at here.
#pragma once

#include <string>
#include <vector>

#include "files/zip.h"
#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// A tensor of the archive. Those with equal storages share their bytes.
struct Pt2Tensor {
  std::string name;     // in the state_dict, or of a constant: "lifted_tensor_0"
  std::string storage;  // the entry that holds the bytes
  Tensor tensor;        // of its strides in that entry
  bool is_parameter = false;
  bool requires_grad = false;
};

/// What lies in the archive as a file of torch.save, which is not read here: a tensor of a class of its own or, as
/// PyTorch 2.8 has them, a dict of all tensors.
struct Pt2Pickled {
  std::string entry;
  std::string name = {};  // as a Pt2Tensor's; empty for a dict
  bool is_parameter = false;
  bool requires_grad = false;
  std::size_t place = 0;  // among the tensors
};

struct Pt2Model {
  std::string name;
  Json program;                    // the ExportedProgram of torch/_export/serde/schema.py
  std::vector<Pt2Tensor> weights;  // the state_dict, as the archive orders it
  std::vector<Pt2Tensor> constants;
  std::vector<Pt2Pickled> pickled_weights = {};  // of these, those that are to be read yet
  std::vector<Pt2Pickled> pickled_constants = {};
};

/// Whether an archive is of that form, of an exported program or of what was compiled from one.
bool is_pt2_archive(const ZipReader& archive);

/// The models in it, by name.
std::vector<std::string> pt2_models(const ZipReader& archive);

/// Reads one of them, no tensor's bytes. `name` may be empty where there is one. Throws UsageError where there are
/// several, or none of that name; Unsupported for archives of compiled code alone, and, naming them, for objects and
/// for tensors that are no dense ones; MalformedFile for what does not hold together.
Pt2Model read_pt2_model(const ZipReader& archive, const std::string& name);

/// The element type that a number stands for in an exported program; throws Unsupported for others.
DType pt2_dtype(const Json& code);

}  // namespace h5bridge
