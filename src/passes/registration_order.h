// What is known of the order in which PyTorch registered a model's parameters, which is how its optimizers count them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "passes/parameter_order.h"

namespace h5bridge {

/// Whether the architecture tells in which order PyTorch registers parameters. Only one of PyTorch's may leave it open;
/// what was Keras's is registered as Keras lists it.
bool is_registration_known(const Architecture& architecture);

class Registration {
 public:
  explicit Registration(const Model& model);

  /// What module.parameters() gives: in the architecture's order of the state_dict, or else that of the weights. A
  /// parameter that goes by several names stands once, at the place of the first of them.
  std::vector<std::string> order() const;

  /// The lists that an optimizer may have been given: that order as the architecture and as the file have it, each with
  /// and without frozen parameters, and with and without tensors of which nothing says that they are parameters. The
  /// first one has all.
  std::vector<ParameterList> lists() const;

  /// All that the file has, module after module, where it has tensors that are not the architecture's: each of these
  /// alone, for it may be a buffer. Empty otherwise.
  std::vector<ParameterList> modules() const;

  /// The parameters' shapes, for all that are in lists().
  std::map<std::string, std::optional<Shape>> shapes() const;

  /// The name that a parameter goes by here, given any of them.
  std::string first_name(const std::string& name) const;

  /// All names of parameters, the further ones included.
  std::set<std::string> all_names() const;

 private:
  struct Entry {
    CountedParameter parameter;
    bool is_frozen = false;
    bool is_certain = true;  // something says that it is a parameter
    bool is_twin = false;    // the same view of the same bytes as one before it, in a file that says no more
    bool operator==(const Entry&) const = default;
  };

  void find_names(const Architecture& architecture);
  void add(const Model& model, const std::vector<std::string>& names);

  std::map<std::string, std::string> first_names_;  // of further names
  std::set<std::string> parameters_, buffers_, frozen_;
  std::vector<std::vector<Entry>> orders_;
};

/// What a single group lists: all parameters, also those that nothing trains, as Adam(model.parameters()) does; or
/// those that it was given, and what nothing computes with only where it was given all others.
enum class Listed { All, Given };

/// Lists the parameters of `optimizer`, which is `model`'s, in the order of module.parameters(). What that order does
/// not tell, several groups and a part of the parameters, gets "param_names".
void number_as_registered(Optimizer& optimizer, const Model& model, Listed listed);

}  // namespace h5bridge
