// The graph of a forward that is being followed: operation by operation, with the types of their results.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "facets/aten/call.h"
#include "pytorch/torchscript/interpreter.h"
#include "pytorch/torchscript/values.h"

namespace h5bridge::script {

/// The name of an element type by c10's number of it, which code has for it; nullptr for one that no file holds.
const char* dtype_name(std::int64_t number);
/// c10's number of an element type.
std::optional<std::int64_t> dtype_number(DType dtype);

class PassageBuilder {
 public:
  /// `state`: the tensors of the state_dict, and constants.
  explicit PassageBuilder(const Pt2Model& state);

  Passage passage;

  /// A tensor of the state or a constant; nullptr for what is computed.
  const Pt2Tensor* find_own(const std::string& name) const;
  const aten::ValueType& type_of(const std::string& tensor) const { return passage.graph.values.at(tensor); }
  /// Throws Unsupported where it is not known.
  const SymbolicShape& shape_of(const std::string& tensor) const;
  std::string next_call() { return std::to_string(++calls_); }

  /// An operation's argument as the graph has it. Throws Unsupported for what it cannot have.
  static aten::Argument argument_of(const aten::ScriptArgument& schema, const ScriptValue& value);

  /// Gives constants that are a frozen module's parameters the names that such a module has for them, and notes the
  /// numbers that the operation's tensors and settings have.
  void prepare(aten::Operation& operation);
  /// How many tensors are in the list that it gives.
  std::size_t count_of_outputs(aten::Operation operation);
  /// Adds an output to it, which something uses or nothing does.
  void add_output(aten::Operation& operation, bool is_used);
  /// Puts it behind the others, with the types of its outputs.
  void add(aten::Operation operation);
  /// Notes who makes and who uses what, once all operations are there.
  void note_uses();

 private:
  void add_own(const std::string& name, const Pt2Tensor& tensor, bool in_state);
  void name_constants(aten::Operation& operation);
  void note_numbers(const aten::Operation& operation);
  aten::Call as_call(const aten::Operation& operation) const;
  std::string unique_path(std::string name);
  aten::ValueType guessed(const aten::Operation& operation) const;
  aten::Graph alone(const aten::Operation& operation) const;
  void find_types(aten::Operation& operation);
  Pt2Model state() const;

  const Pt2Model& state_;
  std::map<std::string, const Pt2Tensor*> own_;
  std::vector<aten::ModuleCall> frozen_;
  std::set<std::string> used_, paths_;
  std::size_t calls_ = 0, made_ = 0;
};

}  // namespace h5bridge::script
