// The modules of a TorchScript archive: objects with attributes, and the classes that they are of.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge::torch_script {

struct ScriptModule {
  /// A tensor is named by its name in the state_dict; none is None.
  using Attribute = std::variant<std::monostate, bool, std::string, std::unique_ptr<ScriptModule>>;
  std::string class_name;  // "__torch__.layers.Conv2d"
  std::vector<std::pair<std::string, Attribute>> attributes = {};
};

struct Script {
  ScriptModule root;
  std::vector<std::pair<std::string, std::string>> code;  // by file: "__torch__/layers.py"
};

/// Throws Unsupported naming all layers that have no TorchScript.
Script script_of(const Model& model);

}  // namespace h5bridge::torch_script
