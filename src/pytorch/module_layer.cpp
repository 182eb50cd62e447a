#include "pytorch/module_layer.h"

#include <algorithm>
#include <array>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/module.h"

namespace h5bridge {
namespace {

/// What a pickled module says of its settings.
class ModuleSettings {
 public:
  ModuleSettings(const TorchFile& file, const pickle::Value& module) : file_(file), module_(module) {}

  std::optional<Json> find(std::string_view name) const {
    const pickle::Ref value = attribute_of(module_, name);
    if (!value) return std::nullopt;
    // torch.Size is a call where a protocol above 2 or a copy spelled it out.
    const auto* object = value->as<pickle::Object>();
    const auto* arguments = object ? pickle::sequence(*object->arguments) : nullptr;
    const bool is_size = pickle::class_of(*value) == "torch.Size" && arguments && arguments->size() == 1;
    return file_.to_json(is_size ? *arguments->front() : *value);
  }

  /// Whether a parameter is used, which the module declares; a setting of the same name tells it where it does not.
  std::optional<Json> uses(const std::string& name) const {
    if (!declares_parameter(module_, name)) return find(name);
    if (has_parameter(name)) return true;
    // Without scale and shift, as a norm may be, the setting has no meaning.
    if (declares_parameter(module_, "weight") && !has_parameter("weight")) return std::nullopt;
    return false;
  }

 private:
  bool has_parameter(std::string_view name) const {
    const NamedRefs parameters = own_parameters(module_);
    return std::ranges::any_of(parameters, [&](const auto& parameter) { return parameter.first == name; });
  }

  const TorchFile& file_;
  const pickle::Value& module_;
};

/// What a setting was in versions of PyTorch whose modules do not state it, where that is not its default.
struct UnstatedRow {
  std::string_view type;
  std::string_view attribute;
  std::optional<Json> (*meaning)(const ModuleSettings&);
};

const std::array<UnstatedRow, 2>& unstated_rows() {
  static const std::array<UnstatedRow, 2> table{{
      // Before 0.4 linear modes aligned the corners, and there was no setting.
      {"Upsample", "align_corners",
       [](const ModuleSettings& settings) -> std::optional<Json> {
         const std::optional<Json> mode = settings.find("mode");
         const bool is_linear = mode && mode->is_string() && mode->as_string().ends_with("linear");
         return is_linear ? std::optional<Json>(true) : std::nullopt;
       }},
      // The mode tells it: "RNN_TANH", "RNN_RELU".
      {"RNN", "nonlinearity",
       [](const ModuleSettings& settings) -> std::optional<Json> {
         const std::optional<Json> mode = settings.find("mode");
         return mode && *mode == Json("RNN_RELU") ? std::optional<Json>("relu") : std::nullopt;
       }},
  }};
  return table;
}

std::optional<Json> setting(const ModuleSettings& settings, const LayerType& type, const AttributeSpec& attribute) {
  if (attribute.name == "training") return std::nullopt;  // Keras's is another thing than the mode of a module
  const bool is_truth = attribute.fallback && std::holds_alternative<bool>(*attribute.fallback);
  if (auto stated = is_truth ? settings.uses(attribute.name) : settings.find(attribute.name)) return stated;
  for (const UnstatedRow& row : unstated_rows())
    if (row.type == type.name && row.attribute == attribute.name) return row.meaning(settings);
  return std::nullopt;
}

/// Hooks are called around forward, and are code: spectral_norm, and weight_norm of before parametrizations.
void refuse_hooks(const pickle::Value& module, const std::string& described) {
  for (const char* hooks : {"_forward_hooks", "_forward_pre_hooks"}) {
    const pickle::Ref found = attribute_of(module, hooks);
    const auto* dict = found ? found->as<pickle::Dict>() : nullptr;
    if (dict && !dict->items.empty())
      throw Unsupported(described +
                        " has hooks, which are code: " + shortened(pickle::describe(*dict->items.front().second)));
  }
}

}  // namespace

Layer layer_of_module(const TorchFile& file, const pickle::Value& module, const std::string& name) {
  const std::string described = "module \"" + shortened(name) + "\" (" + shortened(module_class(module)) + ")";
  const std::string type_name = torch_nn_class(module);
  const LayerType* type = type_name.empty() ? nullptr : Registry::instance().find(type_name);
  if (!type) throw Unsupported(described + " has a forward that is code, and none that is known");
  refuse_hooks(module, described);

  const ModuleSettings settings(file, module);
  Json::Object stated;
  for (const AttributeSpec& attribute : type->attributes)
    if (std::optional<Json> value = setting(settings, *type, attribute)) stated.set(attribute.name, *std::move(value));
  try {
    return {name, type_name, attributes_from_json(*type, stated, described), {}};
  } catch (const MalformedFile& error) {
    throw Unsupported(error.what());
  }
}

}  // namespace h5bridge
