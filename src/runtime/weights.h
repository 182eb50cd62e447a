// The tensors of a model and the modules that hold them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "facets/libtorch/layer.h"
#include "facets/registry.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// Layers with their instances, in the architecture's order.
using Instances = std::vector<std::pair<const Layer*, TorchInstance>>;

/// Is given a layer, its instance, and a tensor that the type has and the instance's module holds.
using HeldVisitor = std::function<void(const Layer&, const TorchInstance&, const ParameterSpec&, const torch::Tensor&)>;
/// Calls `visit` for every parameter and buffer that a layer's module lists.
void for_each_held(const Instances& instances, const HeldVisitor& visit);

/// The names, in the state_dict, of the parameters and buffers that the architecture asks for.
std::set<std::string> tensor_names(const Architecture& architecture);

/// The parameters and buffers of all layers by their names in the state_dict; of tied ones the first. One that
/// several layers have under one name is one.
std::vector<std::pair<std::string, torch::Tensor>> tensors_of(const Instances& instances);

/// Whether a gradient is wanted, of every parameter; buffers have none.
std::map<std::string, bool> requires_grad_of(const Instances& instances);

/// Gives every parameter and buffer memory of its own on `device`, with the elements and the dtype of `weights`, which
/// have been checked. `trainable` says which parameters take no gradient. Throws std::logic_error where a module has a
/// tensor that is none of these.
void load_weights(const Instances& instances, const Weights& weights, const std::map<std::string, bool>& trainable,
                  torch::Device device);

}  // namespace h5bridge
