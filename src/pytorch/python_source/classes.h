// The classes of a PyTorch source. Modules that hold and do the same are one class; what differs among them are the
// arguments of its constructor.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "pytorch/python_source/forward.h"

namespace h5bridge::torch_source {

/// A statement of a constructor, of which arguments may be others in another module of the class.
class Code {
 public:
  using Arguments = std::vector<ConstructorArgument>;
  using Elements = std::vector<Code>;

  Code() = default;
  Code(std::string text) { *this << std::move(text); }
  Code& operator<<(std::string text);
  Code& operator<<(Arguments arguments);
  Code& operator<<(Elements elements);
  Code& operator<<(const Code& code);

  /// All but the values of arguments.
  std::string shape() const;
  /// The arguments in order, those of elements among them.
  void collect(std::vector<ConstructorArgument*>& arguments);
  /// As Python, with equal elements in a row as a loop.
  std::string text() const;

 private:
  std::vector<std::variant<std::string, Arguments, Elements>> parts_;
};

struct SourceClass {
  std::string name;
  std::string base = "nn.Module";  // an nn.Sequential has no forward of its own
  std::string docstring;
  std::vector<std::string> parameters;  // of the constructor, "stride=1"
  std::vector<std::string> members;     // statements
  Forward forward;
};

/// All classes, each behind those that it uses; the network's is the last. Throws SizeOutOfReach.
std::vector<SourceClass> classes_of(const ModuleTree& tree, const Calls& calls, const Model& model, Helpers& helpers);

}  // namespace h5bridge::torch_source
