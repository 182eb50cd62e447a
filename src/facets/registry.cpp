#include "facets/registry.h"

#include <stdexcept>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

const Registry::Mappings& found_in(const std::unordered_map<std::string_view, Registry::Mappings>& index,
                                   std::string_view name) {
  static const Registry::Mappings none;
  const auto found = index.find(name);
  return found == index.end() ? none : found->second;
}

}  // namespace

Registry::Registry(std::vector<Family> families) : families_(std::move(families)) {
  for (const Family& family : families_) {
    for (const LayerType& type : family.types)
      if (!types_.emplace(type.name, &type).second)
        throw std::logic_error("layer type " + type.name + " is declared twice, the second time in family " +
                               family.name);
    for (const KerasMapping& mapping : family.keras) {
      keras_of_[mapping.type].push_back(&mapping);
      if (mapping.written_only) continue;
      keras_classes_[mapping.class_name].push_back(&mapping);
      if (!mapping.python_name.empty()) keras_classes_[mapping.python_name].push_back(&mapping);
    }
  }
}

const Registry& Registry::instance() {
  static const Registry registry(all_families());
  return registry;
}

const LayerType* Registry::find(std::string_view type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? nullptr : found->second;
}

const LayerType& Registry::type_of(const Layer& layer) const {
  if (const LayerType* type = find(layer.type)) return *type;
  throw Unsupported("layer \"" + layer.name + "\": its type " + layer.type + " is not known");
}

const Registry::Mappings& Registry::keras_of(std::string_view type) const { return found_in(keras_of_, type); }

const Registry::Mappings& Registry::keras_class(std::string_view class_name) const {
  return found_in(keras_classes_, class_name);
}

const std::string& Registry::python_name_of(const std::string& class_name) const {
  for (const KerasMapping* mapping : keras_class(class_name))
    if (!mapping->python_name.empty()) return mapping->python_name;
  return class_name;
}

PlainCall plain_call(const Layer& layer, const Node& node) {
  return plain_call(Registry::instance().type_of(layer).operands, layer.attributes, node.arguments);
}

Node node_of(std::string name, const Layer& layer, const PlainCall& call) {
  return {std::move(name), layer.name,
          arguments_of(Registry::instance().type_of(layer).operands, layer.attributes, call)};
}

}  // namespace h5bridge
