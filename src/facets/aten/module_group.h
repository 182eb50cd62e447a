// The operations of one call of a module that PyTorch takes apart when it exports.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "facets/aten/call.h"
#include "facets/aten/graph.h"

namespace h5bridge::aten {

class ModuleGroup {
 public:
  /// The operations from number `begin` on that are below the module that `depth` modules of the first one's are
  /// around; those that only give sizes may stand among them.
  ModuleGroup(const Graph& graph, std::size_t begin, std::size_t depth);

  const std::string& path() const { return path_; }
  /// The number of the first operation behind it.
  std::size_t end() const { return end_; }
  const std::vector<const Operation*>& operations() const { return operations_; }

  /// Those of a plain name, in order.
  std::vector<const Operation*> all(std::string_view name) const;
  bool has(std::string_view name) const { return !all(name).empty(); }
  /// Whether these are all that there are, in order.
  bool are(const std::vector<std::string>& names) const;

  /// What it takes that neither it makes nor the module owns, in order of use.
  std::vector<std::string> given() const;
  /// What it makes that others take.
  std::vector<std::string> results() const;
  /// The operation of its own that makes a tensor; nullptr where none does.
  const Operation* maker_of(const std::string& tensor) const;
  /// The one that makes it, of its own or not; nullptr for an input.
  const Operation* maker_anywhere(const std::string& tensor) const;
  /// The name below the module of a tensor that the module owns: "in_proj_weight"; empty for others.
  std::string own_name(const std::string& tensor) const;
  /// The sizes of a tensor; nothing where they are open or not known.
  std::optional<Shape> sizes(const std::string& tensor) const;
  /// The elements of a constant or a buffer, which are few; nothing for others.
  std::optional<KnownNumbers> elements(const std::string& tensor) const;
  /// That of its last axis.
  std::optional<std::int64_t> last_size(const std::string& tensor) const;

 private:
  const Graph& graph_;
  std::string path_;
  std::size_t end_ = 0;
  std::vector<const Operation*> operations_;
};

/// Whether an operation is the first that is below the module that `depth` modules of its own are around.
bool is_first_of_module(const Graph& graph, std::size_t operation, std::size_t depth);

/// The tensor that an operation is given for an argument; nullptr where it is none.
const std::string* tensor_of(const Operation& operation, std::string_view argument);
/// The value, null where there is none.
Json value_of(const Operation& operation, std::string_view argument);

/// A module's call as a whole.
struct ModuleForm {
  std::string type;
  Json::Object attributes;
  std::vector<Given> operands;
  Names outputs;                                               // in the order of the type's
  std::vector<std::pair<std::string, Tensor>> constants = {};  // that operands name and the graph does not
};

}  // namespace h5bridge::aten
