// The facet of PyTorch source: how a layer stands in an nn.Module that is written in Python. A family's
// torch_source.cpp makes these.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "facets/spec/layer_type.h"
#include "facets/torch_source/python.h"
#include "h5bridge/error.h"

namespace h5bridge {

/// A function or class that stands in the file before the modules: what PyTorch has no word for.
struct PythonHelper {
  const char* name;
  const char* source;                             // its definition, formatted, without an empty line at its ends
  std::array<const PythonHelper*, 2> needs = {};  // those that it calls
  /// The same in TorchScript, where `source` is none: a function, or the forward of a class, in which "{name}" is what
  /// its constructor is given, "{[name]}" a tuple of that as a list, "{name=None}" what stands for one that it is not
  /// given.
  const char* script = nullptr;
};

/// What a layer's row asks of the place where its call is written.
class SourcePlace {
 public:
  SourcePlace() = default;
  SourcePlace(const SourcePlace&) = delete;
  virtual ~SourcePlace() = default;
  /// Code of a size that may be open. Throws Unsupported where no tensor at hand has it.
  virtual Python size(const Size& size) = 0;
  /// Has the helper written, and gives its name.
  virtual std::string helper(const PythonHelper& helper) = 0;
  /// Whether it is TorchScript's, where one number does not stand for a list of them.
  virtual bool is_script() const { return false; }
  /// Code of the device that the model computes on, for what makes tensors of numbers alone.
  virtual std::string device() = 0;
};

/// An argument of the constructor of a layer's module.
struct ConstructorArgument {
  std::string name;
  std::string text;
  bool by_name = true;
  bool is_default = false;  // need not be written
};

/// What makes a layer's module, the right side of `self.conv1 = nn.Conv2d(3, 8, 3)`.
struct Constructor {
  std::string callee;
  std::vector<ConstructorArgument> arguments = {};
  std::vector<const PythonHelper*> helpers = {};  // that it needs: of them is its class, where it is none of torch.nn
};

/// A call of a layer.
struct SourceCall {
  const Layer& layer;  // as it is called
  const LayerType& type;
  std::string self;                                          // the layer's module: "self.conv1"; empty for a function
  std::vector<std::vector<std::optional<Python>>> operands;  // what is given for each operand of the type
  std::vector<std::vector<TensorType>> input_types;          // likewise; of one that is left out anything
  std::vector<TensorType> outputs;
  SourcePlace& place;

  const Attributes& attributes() const { return layer.attributes; }
  /// What is given for an operand that is one tensor; none where it is left out.
  std::optional<Python> operand(std::string_view name) const;
  /// Likewise for one that is given, of this number.
  Python input(std::size_t index = 0) const { return operands.at(index).at(0).value(); }
  const SymbolicShape& input_shape(std::size_t index = 0) const { return input_types.at(index).at(0).shape; }
  /// All that is given for an operand that is a list.
  std::vector<Python> list(std::string_view name) const;
  std::optional<std::size_t> index_of(std::string_view operand) const;
  std::string helper(const PythonHelper& helper) const { return place.helper(helper); }
};

/// One way to write layers of a type; the first that fits is taken.
struct TorchSource {
  std::string type;  // a name in the registry
  /// What it cannot say of a layer, for messages: "activation"; empty where it fits.
  std::function<std::string(const Layer&)> misfit = [](const Layer&) { return std::string(); };
  std::vector<std::string> takes_no = {};  // operands that no call may give it
  bool is_pytorchs_alone = false;          // a model of Keras's would compute other bits
  /// What makes the module; empty for a function.
  std::function<Constructor(const Layer&)> constructor = {};
  /// What TorchScript has for the module's class, where neither its name nor its helper says it; empty for a layer that
  /// has none.
  std::function<std::string(const Layer&)> script = {};
  /// The call. A layer with several outputs gives a tuple of them.
  std::function<Python(const SourceCall&)> call;
  /// The first output by itself, where the others are not used; empty: it is taken out of all of them.
  std::function<Python(const SourceCall&)> first = {};
  /// The call of a function that does the same as a module without state, and its name: "relu".
  std::function<Python(const SourceCall&)> function = {};
  std::string function_name = {};
  /// What stands before the = of an assignment of its outputs, of their names; "_" are not used. Empty: all in a row.
  std::function<std::string(const std::vector<std::string>&)> targets = {};
  std::vector<std::string> output_names = {};  // what people call the outputs, where there are several
  bool calls_module_plainly = false;           // `call` is the module called with all that is given, in order
};

/// The way to write a layer whose calls give these operands; `as_called`: the layer as calls have it that set
/// attributes of their own; `from_keras`: it is of a model of Keras's. Throws Unsupported naming the layer, its type
/// and what there is no way for.
const TorchSource& torch_source_of(const Layer& layer, const std::set<std::string>& given = {},
                                   const std::vector<Layer>& as_called = {}, bool from_keras = false);

/// An attribute's value as Python has it. Sizes are for SourcePlace.
Python python_value(const AttributeValue& value);
/// The same of an attribute of its type, as short as the attribute may be said: 3 for (3, 3).
Python python_value(const LayerType& type, const Attributes& attributes, std::string_view name);
/// The same of one that may be or hold open sizes.
Python python_value(const SourceCall& call, std::string_view name);

}  // namespace h5bridge
