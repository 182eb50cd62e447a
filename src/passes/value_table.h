// What is known of each value of a graph.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {

/// By the name of their input or node.
template <typename Known>
class ValueTable {
 public:
  void set(const std::string& node, std::vector<Known> outputs) { outputs_[node] = std::move(outputs); }

  /// Throws MalformedFile if `value` names an output that its node does not have.
  const Known& of(const Value& value) const {
    const std::vector<Known>& outputs = outputs_of(value.node);
    if (value.output < 0 || value.output >= static_cast<std::int64_t>(outputs.size()))
      throw MalformedFile("\"" + shortened(value.node) + "\" has no output number " + std::to_string(value.output));
    return outputs[static_cast<std::size_t>(value.output)];
  }

  const std::vector<Known>& outputs_of(const std::string& node) const { return outputs_.at(node); }

 private:
  std::map<std::string, std::vector<Known>> outputs_;
};

}  // namespace h5bridge
