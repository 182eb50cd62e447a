// A call of an operator on its way to be one of a layer: what a row's functions look at and change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "facets/aten/graph.h"
#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge::aten {

/// Tensors that the layer takes, by an operand's name, or the schema's.
struct Given {
  std::string name;
  Names tensors;
  bool is_list = false;
};

/// A function that a call needs the result of, where one layer does not say all.
struct Step {
  std::string result;  // a name that no tensor of the graph has
  std::string type;
  Json::Object attributes;
  std::vector<Given> operands;
};

class Call {
 public:
  Call(const Graph& graph, const Operation& operation) : graph_(&graph), operation_(&operation) {}

  std::string type;
  Json::Object attributes;
  std::vector<Given> operands;
  bool is_same_value = false;      // its first tensor is its result
  std::vector<std::string> notes;  // on what the layer does not say
  std::vector<Step> before;        // in the order in which they are computed

  const Operation& operation() const { return *operation_; }

  /// "Conv2d": the class of torch.nn whose forward makes the call; empty where there is none.
  std::string module_class() const;

  /// Puts a function before it; gives the name of its result.
  std::string step(std::string function, Json::Object settings, const Names& tensors);

  const Given* find(std::string_view operand) const;
  /// The operation whose result an operand is; nullptr for an input and a tensor of the module's own.
  const Operation* maker_of(const std::string& tensor) const;
  /// The elements of a tensor that was computed of constants alone; nullptr of others.
  const KnownNumbers* elements(const std::string& tensor) const;
  /// The tensor that it is; throws MalformedFile where there is none.
  const std::string& name_of(std::string_view operand) const;
  bool has(std::string_view operand) const { return find(operand) != nullptr; }
  void drop(std::string_view operand);

  // Of the first tensor of all, or of an operand. Throw Unsupported for what is not known, MalformedFile where there is
  // no such operand.
  const SymbolicShape& shape() const;
  const SymbolicShape& shape(std::string_view operand) const;
  DType dtype() const;
  DType operand_dtype(std::string_view operand) const;
  /// Whether its elements lie in memory in the order of its axes.
  bool is_contiguous(std::string_view operand) const;
  std::int64_t rank() const { return static_cast<std::int64_t>(shape().size()); }
  /// The sizes of an operand that is a weight. Throws Unsupported where they are open.
  Shape weight_shape(std::string_view operand) const;
  const SymbolicShape& output_shape(std::size_t output = 0) const;
  DType output_dtype(std::size_t output = 0) const;
  bool is_used(std::size_t output) const;

  // Of the attributes so far.
  const Json* attribute(std::string_view name) const { return attributes.find(name); }
  /// Takes it out; null where there is none.
  Json take(std::string_view name);
  /// Under another name.
  void rename(std::string_view name, const std::string& wanted);
  /// An integer, or `otherwise` where it is not set. Throws Unsupported for an open size.
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const;

 private:
  const std::string& first() const;
  const std::string& output(std::size_t number) const;
  const SymbolicShape& shape_of(const std::string& value) const;
  DType dtype_of(const std::string& value) const;

  const Graph* graph_;  // neither is ever null
  const Operation* operation_;
};

}  // namespace h5bridge::aten
