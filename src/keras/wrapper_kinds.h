// What each wrapper of Keras is as a graph: one row a class.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "keras/tree.h"

namespace h5bridge {

/// A configuration's member that is a layer.
struct WrappedMember {
  std::string key;
  std::string object;       // the attribute of the wrapper that it is, in Keras's own formats
  std::string name_behind;  // what stands behind the wrapper's name in PyTorch
};

struct WrapperKind {
  std::string class_name;
  std::vector<WrappedMember> members;
  std::vector<std::string> settings;  // besides those that all layers have
  bool takes_steps_apart = false;     // each wrapped layer is built for what there is at one step
  /// A variable of the wrapper's own, with an element for each of the last axis of the wrapped layer's kernel. PyTorch
  /// has no place for it. Keras's own formats have the kernel before it once more.
  std::string own_variable = {};
  std::string in_training = {};  // what it does there alone, of which PyTorch's layers know nothing
  /// Whether a wrapper with this configuration is taken apart.
  bool (*takes_apart)(const Json::Object& config);
  /// A model that computes the same, of the wrapped layers as they are and what the wrapper does itself. Throws
  /// Unsupported where it does something that is not known.
  KerasModel (*graph)(const KerasLayer& wrapper);
  /// The wrapped layers in the order of `members`; none unless `model` still is that graph and nothing else.
  std::vector<const KerasLayer*> (*wrapped)(const KerasModel& model);
};

const std::vector<WrapperKind>& wrapper_kinds();

}  // namespace h5bridge
