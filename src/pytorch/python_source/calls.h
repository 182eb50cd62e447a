// Which module of a tree makes which calls. A state_dict's names say where layers stand; the functions between them,
// and what a module takes and gives, follow from the graph.
#pragma once

#include <set>
#include <vector>

#include "pytorch/python_source/purposes.h"

namespace h5bridge::torch_source {

/// A part of a module's forward: a call of its own, or a module within that is called.
struct SourceItem {
  std::size_t node = 0;  // its number, where `module` is null
  const SourceModule* module = nullptr;
  std::size_t call = 0;  // which of the module's calls it is
};

/// Fills `nodes` and `is_called` of all modules. Where parts of a module are called apart from one another, it is not
/// called as a whole, and those who hold it call them.
class Calls {
 public:
  explicit Calls(ModuleTree& tree);

  /// Has a module's parts called by the one that holds it.
  void dissolve(const SourceModule& module);

  /// What a module does, in order; in one of its calls, if there are several.
  std::vector<SourceItem> items_of(const SourceModule& module) const;
  /// The values that a call of a module takes from outside, in the order of their first use.
  std::vector<Value> inputs_of(const SourceModule& module, std::size_t call = 0) const;
  /// Those that it makes and somebody outside uses.
  std::vector<Value> outputs_of(const SourceModule& module, std::size_t call = 0) const;
  /// Whether a module is a chain of parts, each called once, named 0, 1, 2, ... in order: an nn.Sequential.
  bool is_sequential(const SourceModule& module) const { return sequential_.contains(&module); }
  /// The number of the node that makes a value; none for an input of the network.
  std::optional<std::size_t> maker_of(const Value& value) const;
  /// Who uses a value: the numbers of the nodes, one for each use, and how often it is an output of the network.
  const std::vector<std::size_t>& users_of(const Value& value) const;
  std::size_t times_given(const Value& value) const;
  /// What a value is for (pytorch/python_source/purposes.h); empty where nothing says.
  const std::string& purpose_of(const Value& value) const;
  /// Whether a node is computed by a module or by what it calls.
  bool is_within(std::size_t node, const SourceModule& module) const { return calls_.at(&module)[0].contains(node); }

 private:
  using Nodes = std::set<std::size_t>;

  void index_values();
  void analyse();
  void visit(SourceModule& module);
  bool visit_with(SourceModule& module, const std::vector<std::vector<std::size_t>>& within, bool numbered);
  std::vector<std::size_t> uses_of(const SourceModule& tensor, const SourceModule& within) const;
  std::vector<std::vector<std::size_t>> calls_within(const SourceModule& module, bool with_tensors) const;
  static std::size_t times_called(const std::vector<std::vector<std::size_t>>& within);
  Nodes nodes_in(const SourceModule& module, const std::vector<std::vector<std::size_t>>& within, std::size_t call,
                 std::size_t count) const;
  bool is_chain(const SourceModule& module, std::size_t call, const std::vector<Nodes>& own) const;
  std::optional<Value> step_of_chain(const SourceModule& child, std::size_t call, std::size_t count,
                                     const std::optional<Value>& last, Nodes& seen) const;
  bool is_whole(const SourceModule& module, Nodes& own) const;
  std::string signature(const SourceModule& module, const Nodes& nodes) const;
  void take(SourceModule& module, std::vector<Nodes> calls);
  bool complete(Nodes& nodes) const;
  void absorb_joints(Nodes& nodes) const;
  void absorb_behind(const SourceModule& module, Nodes& nodes) const;
  void absorb_before(const SourceModule& module, Nodes& nodes) const;
  void absorb_moves_around(const SourceModule& module, Nodes& nodes) const;
  bool is_free(std::size_t node) const;
  bool is_free_function(std::size_t node) const;
  bool keeps_shape(std::size_t node) const;
  bool is_at_hand(std::size_t node, const SourceModule& module) const;
  std::vector<Value> taken_by(const SourceModule& module, const Nodes& nodes) const;
  std::vector<Value> given_by(const Nodes& nodes) const;
  void place_the_rest();
  bool is_in_later_call(const SourceModule& module, std::size_t node) const;
  std::vector<SourceItem> ordered(const SourceModule& module) const;  // empty where there is no order
  const SourceModule* knot_in(const SourceModule& module) const;

  ModuleTree& tree_;
  std::map<std::string, std::size_t> numbers_;
  std::map<Value, std::vector<std::size_t>> users_;
  std::map<Value, std::size_t> given_;
  const std::map<Value, std::string> purposes_;
  std::vector<std::set<std::size_t>> before_, after_;  // of each node
  std::vector<SourceModule*> owner_;
  std::map<const SourceModule*, std::vector<Nodes>> calls_;  // of a module that is called, and of the root: all within
  std::set<const SourceModule*> never_;                      // what is not to be called as a whole
  std::set<const SourceModule*> sequential_;
};

}  // namespace h5bridge::torch_source
