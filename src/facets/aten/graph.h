// An exported graph as data: what torch.export saw a module compute, in operators of ATen.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "facets/aten/known_numbers.h"
#include "h5bridge/dtype.h"
#include "h5bridge/json.h"
#include "h5bridge/size.h"

namespace h5bridge::aten {

/// What is known of a tensor; nothing where no architecture can say it.
struct ValueType {
  std::optional<DType> dtype;
  std::optional<SymbolicShape> shape;
  bool is_contiguous = true;  // as far as its strides tell
};

/// The names of tensors; none where an operator is given None for one.
using Names = std::vector<std::optional<std::string>>;

/// An argument that no attribute can be: `why` names it.
struct Unsayable {
  std::string why;
};

/// What an operator is given for an argument of its schema: a tensor's name, names, or a value as attributes have it (a
/// dtype by its name, an open size as its text).
struct Argument {
  std::string name;
  std::variant<Json, std::string, Names, Unsayable> value;
};

/// A module that was being called.
struct ModuleCall {
  std::string path;  // "layer1.0", empty for the whole
  std::string type;  // "torch.nn.modules.conv.Conv2d"
  std::string key;   // tells calls of one module apart
};

struct Operation {
  std::string name;
  std::string target;  // "aten.conv2d.default"
  std::vector<Argument> arguments;
  Names outputs;                    // all tensors that it gives
  std::vector<ModuleCall> modules;  // from the outermost on
  bool gives_sizes = false;         // and nothing else
  bool takes_values = false;        // of tensors, as numbers of Python's

  /// "conv2d", "relu_", "cond": without library and overload; empty where it is none of ATen's, nor one of those that
  /// take graphs.
  std::string_view plain_name() const;
  const Argument* find(std::string_view argument) const;
};

/// A tensor that the module has, under the graph's own name.
struct OwnTensor {
  std::string name;
  std::string key;       // in the state_dict, or among the constants
  bool in_state = true;  // in the state_dict
};

struct GraphOutput {
  std::string key;  // where forward returns a dict
  std::string name;
};

struct Graph {
  std::string module;  // the class of the whole
  std::map<std::string, ValueType, std::less<>> values;
  std::vector<std::string> inputs;  // of the user's, in order
  std::vector<OwnTensor> own;
  std::vector<Operation> operations;
  std::vector<GraphOutput> outputs;
  std::map<std::string, std::size_t, std::less<>> makers;  // of tensors, by their place among the operations
  /// By the place of the operation that takes a tensor last; that of a result is behind all.
  std::map<std::string, std::size_t, std::less<>> last_uses;
  std::map<std::string, std::string, std::less<>>
      own_keys;                      // of the module's own tensors in the state_dict, by their names
  std::vector<std::string> changed;  // tensors of the state_dict that a call leaves with other values
  std::vector<std::string> modules;  // the paths of all, in the order of registration
  /// The constants, which stand in no state_dict; and buffers of it, whose values a file may change.
  std::map<std::string, Tensor, std::less<>> constants, buffers;
  std::set<std::size_t> folded;                               // operations that were carried out
  std::map<std::string, KnownNumbers, std::less<>> elements;  // what they took and gave
};

}  // namespace h5bridge::aten
