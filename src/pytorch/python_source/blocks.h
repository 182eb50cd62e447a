// What a forward does, as blocks: some of it only where a condition is so.
#pragma once

#include <vector>

#include "passes/branches.h"
#include "pytorch/python_source/calls.h"

namespace h5bridge::torch_source {

/// A call, or a choice: an `if` whose two ways have parts of their own.
struct Part {
  SourceItem item = {};
  std::vector<std::size_t> choices = {};  // the nodes that choose as one; empty: it is a call
  std::vector<Part> if_true = {};
  std::vector<Part> if_false = {};
};

/// The items of a module's forward, which are in order, as parts. A choice of one value between expressions alone stays
/// a call.
std::vector<Part> parts_of(const std::vector<SourceItem>& items, const Calls& calls, const Branches& branches);

}  // namespace h5bridge::torch_source
