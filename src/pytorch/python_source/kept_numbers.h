// Numbers in the forwards of modules that are otherwise alike: attributes of one class, self.num_heads.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace h5bridge::torch_source {

using Statements = std::vector<std::string>;

/// `statements` with all numbers but those in strings alike.
std::string without_numbers(const Statements& statements);

/// A number that is not the same in all modules.
struct KeptNumber {
  std::string name;                 // that of the attribute
  std::vector<std::string> values;  // by module
};

/// Those of forwards that are alike without their numbers, and the first forward as it reads them from attributes. None
/// where one of them is no size: what picks a part or an axis makes another class.
struct KeptNumbers {
  std::vector<KeptNumber> numbers;
  Statements statements;
};
std::optional<KeptNumbers> kept_numbers(const std::vector<Statements>& forwards,
                                        const std::vector<std::string>& taken_names);

}  // namespace h5bridge::torch_source
