// What values are for, by what becomes of them: the query of an attention, the skip of a U-Net.
#pragma once

#include <map>
#include <string>

#include "pytorch/python_source/module_tree.h"

namespace h5bridge::torch_source {

inline constexpr const char* kSkip = "skip";
inline constexpr const char* kAttended = "attended";

/// The word for each value that has one: "query", "key", "value", "scores", "weights" and "attended" of attentions,
/// whether they are one operation or several; "mask", "positions", "gate", "skip".
std::map<Value, std::string> purposes_of(const ModuleTree& tree);

}  // namespace h5bridge::torch_source
