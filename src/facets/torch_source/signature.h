// Rows of PyTorch source as Python's own signatures, since types, attributes and operands have PyTorch's names.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "facets/torch_source/source.h"

namespace h5bridge {

/// A class of torch.nn: "nn.Conv2d(in_channels, out_channels, kernel_size, *, stride, padding)" takes these attributes,
/// those behind the asterisk by name and where they are not at their default. A type of the name "Conv2d". What the row
/// does not name has to be at its default, but for what `wrapped` says.
TorchSource torch_module(std::string_view signature);
/// Likewise, with the function that does the same: "F.relu(input)".
TorchSource torch_module(std::string_view signature, std::string_view function);
/// The same of a type of another name.
TorchSource torch_module_as(std::string type, std::string_view signature);
/// Several with the same arguments, their names in one text: "BatchNorm1d BatchNorm2d".
std::vector<TorchSource> torch_modules(std::string_view names, std::string_view arguments);

/// A function, "torch.cat(tensors, *, dim)", or a method, "input.permute(*dims)", of a type of its name. Names are
/// those of operands and attributes; an operand in whose place an attribute may be set is either. An asterisk before a
/// name spreads a list. `keyword=name` where Python calls it otherwise.
TorchSource torch_function(std::string_view signature);
TorchSource torch_function_as(std::string type, std::string_view signature);
/// Several with the same arguments, their names in one text.
std::vector<TorchSource> torch_functions(std::string_view module, std::string_view names, std::string_view arguments);

/// The call of a signature by itself, for rows that add to it.
Python call_of(std::string_view signature, const SourceCall& call);
/// What makes a module of a signature, likewise.
Constructor constructor_of(std::string_view signature, const Layer& layer);
/// The attributes that are not at their default and not among those that `signature` names; wrapped ones are not
/// counted.
std::string unnamed_settings(std::string_view signature, const Layer& layer);

/// A type by a function of ours that the file holds: "Squareplus(input, b)".
TorchSource calling(const PythonHelper& helper, std::string_view signature);
/// A type by a class of ours that the file holds: "EinsumDense(equation, weight_shape)". `implied`: attributes that
/// follow from these.
TorchSource of_helper(const PythonHelper& helper, std::string_view signature, std::vector<std::string> implied = {});

/// A class of ours whose `axis` is 1 where it is not given, as that of PyTorch's channels is.
TorchSource with_axis_1_by_default(TorchSource source);

/// A function whose call no signature says.
TorchSource torch_code(std::string type, std::function<Python(const SourceCall&)> call);
/// One with conditions: `misfit` says what it cannot say of a layer.
TorchSource torch_code(std::string type, std::function<std::string(const Layer&)> misfit,
                       std::function<Python(const SourceCall&)> call);

/// Puts what Keras's layers have around PyTorch's: the attribute `activation` behind the call, and axes moved where
/// `data_format` is channels_last.
Python wrapped(const SourceCall& call, const std::function<Python(const SourceCall&)>& inner);

/// All rows of several lists.
std::vector<TorchSource> all_of(std::initializer_list<std::vector<TorchSource>> lists);

}  // namespace h5bridge
