// What people would call things: variables, parameters and classes of a PyTorch source.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "pytorch/python_source/calls.h"

namespace h5bridge::torch_source {

/// An input of the network; "x" where its name says nothing.
std::string input_name(const Architecture& architecture, const std::string& input);
/// What a module takes from outside: by the operand that it is for the first who uses it.
std::string operand_name(const ModuleTree& tree, const Calls& calls, const SourceModule& module, const Value& value);
/// What a layer makes; none where its name says nothing.
std::vector<std::string> value_names(const ModuleTree& tree, const Layer& layer, const SourceModule* module);
std::vector<std::string> module_names(const SourceModule& module);
/// What one of a list of modules is called: "layer" of "layers"; the list's own name where that is not of many.
std::string module_names_of_list(const SourceModule& list);
/// "conv2d_3" and "conv3" without what counts them.
std::string without_count(std::string name);
/// What values are called that nothing else says anything about.
inline constexpr std::array kGeneralNames{"out", "hidden", "branch"};
/// A name under which one value after the other flows on.
bool is_flow_name(const std::string& name);
/// What people call an axis of a tensor of so many; empty where they have no word.
std::string spatial_name(std::size_t rank, std::size_t axis);
/// The class of a module: "Layer" for layer1.0, "EncoderLayer" for encoder.layers.3.
std::string class_for(const SourceModule& module);
/// A chain of layers by these: "ConvBNReLU".
std::string class_of_chain(const SourceModule& module);
std::string class_of_network(const Architecture& architecture);

}  // namespace h5bridge::torch_source
