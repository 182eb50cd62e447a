// What the calls of pickled modules take, of which a pickle says nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"
#include "pytorch/whole_module/graph.h"

namespace h5bridge {

/// The inputs of a graph that takes these operands: as many axes as its first layers with settings of their own are
/// made for, and open sizes but where a layer asks for a number. `sizes` binds open ones. Throws Unsupported, saying
/// where they do not fit, if no shapes go through.
std::vector<Input> inputs_of_graph(const Architecture& graph, const ModuleOperands& operands,
                                   const std::map<std::string, std::int64_t>& sizes);

/// How many outputs the node has for the graph's inputs.
std::size_t outputs_of_node(const Architecture& graph, const std::string& node,
                            const std::map<std::string, std::int64_t>& sizes);

}  // namespace h5bridge
