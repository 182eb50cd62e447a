// What of an architecture stands in Keras's configuration: not what Keras implies, nor what nothing depends on.
#pragma once

#include <map>
#include <set>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// A layer that only gives a value another identity: that of what an inner model takes or gives.
bool tells_apart(const Layer& layer);

/// Whether without_implied() leaves anything out.
bool has_implied(const Architecture& architecture);
/// Without the masks that Keras makes and hands on, and the casts of integers that it does, by itself.
Architecture without_implied(Architecture architecture);

/// The nodes that an output depends on; a Keras model has no others. Of a model within it all belong to it.
std::set<std::string> needed_nodes(const Architecture& architecture);

/// What Keras calls the inputs and the layers of an architecture. Names are those of one Keras model: layers of inner
/// ones have the scope's before theirs ("encoder/dense").
class KerasNames {
 public:
  explicit KerasNames(const Architecture& architecture);
  const std::string& of_input(const std::string& input) const { return inputs_.at(input); }
  const std::string& of_layer(const std::string& layer) const { return *find_layer(layer); }
  /// nullptr for what is no layer.
  const std::string* find_layer(const std::string& layer) const;
  /// A name that nothing has yet, and that this is from now on.
  std::string unique(const std::string& wanted);

 private:
  std::set<std::string> taken_;
  std::map<std::string, std::string> inputs_;
  std::map<std::string, std::string> layers_;
};

/// What Keras calls the model that a scope is, unless it was told; `outer`: the scope that it is in, or "".
std::string scope_name_within(const std::string& scope, const std::string& outer);

}  // namespace h5bridge
