// Rows say which layers the operators of ATen are. A family brings its rows in its aten.cpp; src/pytorch/ reads graphs
// by them.
//
// An argument of the operator's schema is an operand or an attribute of the layer's type by its name, else, for a
// tensor, the next operand that is left; None and what changes no result (device, memory_format) say nothing. Anything
// else is refused, naming operator and argument, unless the row says what it is.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "facets/aten/call.h"
#include "facets/aten/module_group.h"

namespace h5bridge::aten {

struct Row {
  std::vector<std::string> operators;  // of all overloads: "relu" is "relu_" as well
  std::string type;                    // of the layer; empty where its first tensor is its result
  /// Names of the schema, and what the layer's type has of them.
  std::vector<std::pair<std::string, std::string>> renamed = {};
  /// What stands for an argument that is left out, where the type's default is another.
  std::vector<std::pair<std::string, Json>> defaults = {};
  /// Arguments that say nothing at these values: train=False.
  std::vector<std::pair<std::string, Json>> nothing_at = {};
  /// Arguments that never say anything.
  std::vector<std::string> ignored = {};
  /// What of the call names and arguments do not tell.
  std::function<void(Call&)> adjust = {};
  /// The operands that are parameters of a module, and what makes the call one of the module: sets its type and the
  /// attributes that the shapes of these tell.
  std::vector<std::string> parameters = {};
  std::function<void(Call&)> as_module = {};
  /// Of an operand that is a list, the names that the parameters in it have in a module.
  std::function<std::vector<std::string>(const Call&)> listed = {};
  /// Whether the result may be a view of its first tensor.
  bool is_view = false;
  /// Of a row without operators: the call of torch.nn's class `type` that a group of operations is; nothing where they
  /// are to stay what they are.
  std::function<std::optional<ModuleForm>(const ModuleGroup&)> whole = {};
};

/// Whether an operator, by its plain name, writes its result into its first tensor: "relu_".
bool is_in_place(std::string_view operation);

/// The row of an operator, by its plain name ("relu_"); nullptr where no family has one.
const Row* find_row(std::string_view operation);
/// The row of a class of torch.nn ("MultiheadAttention") that is put together again; nullptr where none does.
const Row* find_module_row(std::string_view class_name);
/// All of them, by the families' names, in the order of families.def.
std::vector<std::pair<std::string, std::vector<const Row*>>> rows_by_family();

/// A row of operators whose arguments are named as the type's attributes are.
Row plain(std::vector<std::string> operators, std::string type);
/// Rows of operators that are called as their types are.
std::vector<Row> plain_rows(const std::vector<std::string>& names);
/// `row`, whose result may share its input's memory.
Row view(Row row);
/// A class of torch.nn whose operations `read` puts together again.
Row whole_module(std::string type, std::function<std::optional<ModuleForm>(const ModuleGroup&)> read);
/// An operator that gives the values that it takes.
Row same_value(std::vector<std::string> operators);

}  // namespace h5bridge::aten
