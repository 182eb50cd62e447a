// What torch.nn computes, as TorchScript: its functions where ATen has none of their name and arguments, and the
// forwards of its classes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace h5bridge::torch_script {

/// The arguments of a module's constructor, as Python, by name.
using Arguments = std::map<std::string, std::string>;

/// What ATen calls a function of torch.nn.functional that takes the same.
std::string aten_name(std::string_view functional);
/// The definition of one that ATen lacks; nullptr where there is none. "max_pool2d_with_indices" gives both.
const char* functional_source(std::string_view functional);
/// The forward of a class, "nn.Linear", of a module with these arguments; empty where there is none.
std::string forward_of_class(std::string_view class_name, const Arguments& arguments);
/// `text` with the arguments in place of their names in braces; "{[name]}" is a tuple as a list, "{name=None}"
/// says what stands for one that there is not.
std::string filled(const std::string& text, const Arguments& arguments);

}  // namespace h5bridge::torch_script
