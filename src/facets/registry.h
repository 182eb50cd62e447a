// Looks layer types and their Keras facets up by name. Made once from the list in families.def.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"

namespace h5bridge {

struct Family {
  std::string name;
  std::vector<LayerType> types;
  std::vector<KerasMapping> keras;
};

class Registry {
 public:
  using Mappings = std::vector<const KerasMapping*>;

  /// Throws std::logic_error if two families declare the same name.
  explicit Registry(std::vector<Family> families);
  Registry(const Registry&) = delete;  // the indices point into it
  Registry& operator=(const Registry&) = delete;
  static const Registry& instance();

  const std::vector<Family>& families() const { return families_; }
  const LayerType* find(std::string_view type) const;
  /// Throws Unsupported naming the layer and its type.
  const LayerType& type_of(const Layer& layer) const;
  /// The ways to write a type in Keras, the preferred one first.
  const Mappings& keras_of(std::string_view type) const;
  /// The mappings that may have written a Keras class.
  const Mappings& keras_class(std::string_view class_name) const;
  /// What Python calls a class of Keras's, which names its objects in files: mostly what keras.layers calls it.
  const std::string& python_name_of(const std::string& class_name) const;

 private:
  const std::vector<Family> families_;
  std::unordered_map<std::string_view, const LayerType*> types_;
  std::unordered_map<std::string_view, Mappings> keras_of_;
  std::unordered_map<std::string_view, Mappings> keras_classes_;
};

/// A call of the layer as Python writes it, and files hold it.
PlainCall plain_call(const Layer& layer, const Node& node);
/// The node that a call of the layer is. Throws Unsupported for a name that its type does not take, MalformedFile for
/// what is given twice; how many there are is for check_graph to look at.
Node node_of(std::string name, const Layer& layer, const PlainCall& call);

/// The families of families.def, in its order.
std::vector<Family> all_families();

}  // namespace h5bridge
