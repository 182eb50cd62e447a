#include "facets/registry.h"

#include <set>
#include <stdexcept>

#include "h5bridge/error.h"

namespace h5bridge {

Registry::Registry(std::vector<Family> families) : families_(std::move(families)) {
  std::set<std::string> names;
  for (const Family& family : families_)
    for (const LayerType& type : family.types)
      if (!names.insert(type.name).second)
        throw std::logic_error("layer type " + type.name + " is declared twice, the second time in family " +
                               family.name);
}

const Registry& Registry::instance() {
  static const Registry registry(all_families());
  return registry;
}

const LayerType* Registry::find(std::string_view type) const {
  for (const Family& family : families_)
    for (const LayerType& candidate : family.types)
      if (candidate.name == type) return &candidate;
  return nullptr;
}

const LayerType& Registry::type_of(const Layer& layer) const {
  if (const LayerType* type = find(layer.type)) return *type;
  throw Unsupported("layer \"" + layer.name + "\": its type " + layer.type + " is not known");
}

std::vector<const KerasMapping*> Registry::keras_of(std::string_view type) const {
  std::vector<const KerasMapping*> result;
  for (const Family& family : families_)
    for (const KerasMapping& mapping : family.keras)
      if (mapping.type == type) result.push_back(&mapping);
  return result;
}

std::vector<const KerasMapping*> Registry::keras_class(std::string_view class_name) const {
  std::vector<const KerasMapping*> result;
  for (const Family& family : families_)
    for (const KerasMapping& mapping : family.keras)
      if (mapping.class_name == class_name && !mapping.written_only) result.push_back(&mapping);
  return result;
}

}  // namespace h5bridge
