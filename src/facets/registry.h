// Looks layer types and their Keras facets up by name. Made once from the list in families.def.
#pragma once

#include <string>
#include <string_view>
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
  /// Throws std::logic_error if two families declare the same name.
  explicit Registry(std::vector<Family> families);
  static const Registry& instance();

  const std::vector<Family>& families() const { return families_; }
  const LayerType* find(std::string_view type) const;
  /// Throws Unsupported naming the layer and its type.
  const LayerType& type_of(const Layer& layer) const;
  /// The ways to write a type in Keras, the preferred one first.
  std::vector<const KerasMapping*> keras_of(std::string_view type) const;
  /// The mappings that may have written a Keras class.
  std::vector<const KerasMapping*> keras_class(std::string_view class_name) const;

 private:
  std::vector<Family> families_;
};

/// The families of families.def, in its order.
std::vector<Family> all_families();

}  // namespace h5bridge
