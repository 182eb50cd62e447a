// Which parameter is which number of an optimizer, where the optimizer's file gives numbers and no names.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// A parameter that an optimizer may count, and its shape; nullopt where that is not known.
struct CountedParameter {
  std::string name;
  std::optional<Shape> shape;
  bool operator==(const CountedParameter&) const = default;
};

using ParameterList = std::vector<CountedParameter>;

/// The parameters' names from number 0 on.
using ParameterOrder = std::vector<std::string>;

/// The orders that fit an optimizer whose parameters' states have `state_shapes` (nullopt: no state, or one that does
/// not tell): none, the only one, or two of several, which is all that one needs to know.
///
/// PyTorch numbers parameters as the optimizer was given them, group after group. A single group is taken to be what
/// nearly all are, module.parameters() or a selection of it, which keeps the order of registration: so it is one of
/// `lists` (that order with and without those that nobody trains) where one has as many and fits, and otherwise a part
/// of one. Several groups have no such order: the head may come before the body, biases after all weights. Then, and
/// where a single group fits no list, shapes alone tell. The search takes a time that grows as the lists do, not as the
/// number of ways.
///
/// `modules`, where it is not empty, is all that the file has, module after module, with tensors that are not the
/// model's: an optimizer that was given some of these modules is as good as one of the model's own. Several groups may
/// have any of the parameters.
std::vector<ParameterOrder> parameter_orders(const std::vector<std::optional<Shape>>& state_shapes,
                                             std::size_t group_count, const std::vector<ParameterList>& lists,
                                             const std::vector<ParameterList>& modules = {});

}  // namespace h5bridge
