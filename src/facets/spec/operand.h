// What a call of a layer takes, and the two forms of a call: by operand, as the architecture has it, and in order and
// by name, as Python writes it and files hold it.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// One of the tensors that a layer's forward, or a function, takes: a parameter of its signature.
struct Operand {
  enum class Kind {
    Required,
    Optional,
    List  // of values, none of which may be left out: what each is for would hang on others, and is a setting's to say
  };

  std::string name;  // PyTorch's: "input", "weight"
  Kind kind = Kind::Required;
  std::string attribute = {};   // what may be set in its place (a number, a list): it is not given then
  bool by_name = false;         // is given by name alone
  std::string mask_of = {};     // it is the mask of this operand
  std::string decided_by = {};  // it is needed only where this operand, one truth value, is `needed_where`
  bool needed_where = true;
  bool keeps_axes = false;  // no layout moves them: it is no image, whatever stands in it
  std::size_t least = 0;    // elements of a list
  std::size_t most = std::numeric_limits<std::size_t>::max();

  bool is_list() const { return kind == Kind::List; }
  bool operator==(const Operand&) const = default;
};

// Declarations of operands, so that a family's table reads as a signature.
Operand required(std::string name);
Operand optional(std::string name);
/// One that is given by name alone, and may be left out.
Operand by_name(std::string name);
/// One that takes the mask of another, by name.
Operand mask_of(std::string operand, std::string name = "mask");
/// `operand`, in whose place an attribute may be set.
Operand or_attribute(Operand operand, std::string attribute);
/// `operand`, which need not be computed where the operand `predicate`, one truth value, is not `is`.
Operand needed_if(std::string predicate, bool is, Operand operand);
/// `operand`, whose axes no layout moves.
Operand in_any_layout(Operand operand);
Operand list(std::string name, std::size_t least = 1, std::size_t most = std::numeric_limits<std::size_t>::max());

/// A call as Python writes it.
struct PlainCall {
  std::vector<Value> inputs;                              // in order
  std::vector<std::pair<std::string, Value>> named = {};  // behind one that is left out, or given by name alone
};

/// The arguments of a call, one for each operand; values that no operand is left for stand behind them. Throws
/// Unsupported for a name that no operand has, MalformedFile for what is given twice.
std::vector<Node::Argument> arguments_of(const std::vector<Operand>& operands, const Attributes& attributes,
                                         const PlainCall& call);
/// The same the other way round, as files hold it.
PlainCall plain_call(const std::vector<Operand>& operands, const Attributes& attributes,
                     const std::vector<Node::Argument>& arguments);

/// How many inputs a call has in order, at least and at most.
std::size_t least_inputs(const std::vector<Operand>& operands);
std::size_t most_inputs(const std::vector<Operand>& operands);

/// What is wrong with the number of inputs that a call has in order, with the names of those wanted; empty if it fits.
std::string wrong_count(const std::vector<Operand>& operands, std::size_t inputs);
/// What is wrong with the arguments of a call; empty if they fit.
std::string wrong_arguments(const std::vector<Operand>& operands, const std::vector<Node::Argument>& arguments);

/// "input, weight, bias (may be left out)".
std::string to_string(const std::vector<Operand>& operands);

}  // namespace h5bridge
