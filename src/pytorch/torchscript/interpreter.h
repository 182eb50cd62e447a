// The forward of a TorchScript module, followed with tensors of which the types alone are known.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "facets/aten/graph.h"
#include "facets/aten/script.h"
#include "files/pt2_archive.h"
#include "h5bridge/architecture.h"

namespace h5bridge::script {

/// The forward with inputs of these types, as a graph; as far as it gets.
struct Passage {
  std::vector<Input> inputs;
  aten::Graph graph;
  std::size_t steps = 0;                                   // operations that it went through
  std::string problem;                                     // with the next one
  std::set<std::int64_t> numbers;                          // that the next one's tensors and settings have
  std::vector<std::pair<std::string, std::string>> named;  // constants as the state_dict has them by now
};

/// Follows calls, and what settings and sizes decide; `problem` says where it cannot, naming operator and module.
/// `state`: the tensors of the state_dict, and constants, whose names begin with a colon.
Passage follow(const aten::ScriptGraph& script, const Pt2Model& state, const std::vector<Input>& inputs);

}  // namespace h5bridge::script
