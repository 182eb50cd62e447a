// The graph of a TorchScript module as data: what LibTorch parsed, for code that links none of it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge::aten {

/// An argument of an operator's schema.
struct ScriptArgument {
  std::string name;
  bool is_dtype = false;         // a number that stands for an element type
  std::optional<Json> fallback;  // what stands for one that is left out, where that is no tensor
};

struct ScriptNode;

/// Values are numbers, each block's own but for those that it reads of the blocks around it.
struct ScriptBlock {
  std::vector<std::size_t> inputs;
  std::vector<ScriptNode> nodes;
  std::vector<std::size_t> outputs;
};

struct ScriptNode {
  /// "aten::conv2d", "prim::If"; of ours: "constant", "tensor" (a parameter, buffer or constant), "tensors" (a list of
  /// names), "call" (a method or function, whose body is the one block), "unknown" (what no architecture can say,
  /// `text` names it).
  std::string kind;
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;
  std::vector<bool> is_used;                   // of each output
  std::vector<ScriptArgument> arguments = {};  // of an operator
  Json constant = {};
  std::string text = {};  // a tensor's name; the path of the module that is called
  std::string type = {};  // the class of the module that is called; empty: a function
  std::vector<ScriptBlock> blocks = {};
  bool gives_list = false;  // of tensors
};

struct ScriptGraph {
  ScriptBlock forward;  // the module itself is none of its inputs
  std::vector<std::string> input_names;
  std::string type;                        // the class of the whole
  std::vector<std::string> modules;        // the paths of all, in the order of registration
  std::map<std::string, bool> parameters;  // of the state_dict's names, and whether each is trained
  std::vector<NamedTensor> constants;      // tensors that are in no state_dict
};

}  // namespace h5bridge::aten
