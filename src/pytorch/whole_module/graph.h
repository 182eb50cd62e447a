// The graph that calls of pickled modules make: their layers, and the functions between them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"
#include "model/unique_names.h"
#include "pytorch/file.h"

namespace h5bridge {

/// What a module's forward takes.
struct ModuleOperands {
  std::vector<std::string> names;  // its parameters that have to be given
  bool are_sequences = false;      // each of a length of its own
};

/// Those of a module whose forward is known. Throws Unsupported, naming the class, for any other.
ModuleOperands operands_of_module(const pickle::Value& module);

/// Calls modules of torch.nn one after the other. A module that is called twice is one layer.
class ModuleGraph {
 public:
  explicit ModuleGraph(const TorchFile& file) : file_(file) {}

  /// What the module gives, first, of several. `path` is its name in the network, empty for the network itself. Throws
  /// Unsupported, naming module and class, for a forward that is code, or takes something else than is `given`.
  Value call(const pickle::Value& module, const std::string& path, const std::vector<Value>& given);

  /// A call of a submodule by its name, with attributes of the layer that its holder sets.
  Value call_part(const pickle::Value& module, const std::string& path, const std::string& part,
                  const std::vector<Value>& given, const Json::Object& settings = {});

  /// A function by the name of its type.
  Value call_function(const std::string& type, const std::string& name, const std::vector<Value>& given);

  /// Layers and calls; inputs and outputs are still to come.
  Architecture& architecture() { return result_; }

 private:
  Value call_layer(const pickle::Value& module, const std::string& path, const std::vector<Value>& given,
                   const Json::Object& settings);
  void add_layer(Layer layer);
  Value add_call(const std::string& layer, const std::vector<Value>& given);

  const TorchFile& file_;
  Architecture result_;
  std::map<const pickle::Value*, std::string> layers_;
  std::map<std::string, std::size_t> places_;  // among the layers, by their names; the first, should two have one
  UniqueNames node_names_;
};

}  // namespace h5bridge
