#include "pytorch/whole_module/layer.h"

#include <algorithm>
#include <array>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/whole_module/pickled_module.h"

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

  bool has_parameter(std::string_view name) const {
    const NamedRefs parameters = own_parameters(module_);
    return std::ranges::any_of(parameters, [&](const auto& parameter) { return parameter.first == name; });
  }

 private:
  const TorchFile& file_;
  const pickle::Value& module_;
};

/// What a setting is that modules do not state under its name, or did not in old versions, where that is not its
/// default.
struct UnstatedRow {
  std::string_view type;
  std::string_view attribute;
  std::optional<Json> (*meaning)(const ModuleSettings&);
};

const std::array<UnstatedRow, 5>& unstated_rows() {
  static const std::array<UnstatedRow, 5> table{{
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
      // Its parameters tell what it was made with.
      {"MultiheadAttention", "bias",
       [](const ModuleSettings& settings) { return std::optional<Json>(settings.has_parameter("in_proj_bias")); }},
      {"MultiheadAttention", "add_bias_kv",
       [](const ModuleSettings& settings) { return std::optional<Json>(settings.has_parameter("bias_k")); }},
      {"PairwiseDistance", "p", [](const ModuleSettings& settings) { return settings.find("norm"); }},
  }};
  return table;
}

/// Settings that a module states, and that mean nothing where they are those of another one.
struct RestatedRow {
  std::string_view type;
  std::string_view attribute;
  std::string_view other;
};

constexpr std::array<RestatedRow, 2> kRestated{{
    {"MultiheadAttention", "kdim", "embed_dim"},
    {"MultiheadAttention", "vdim", "embed_dim"},
}};

bool is_restated(const ModuleSettings& settings, const LayerType& type, const AttributeSpec& attribute) {
  return std::ranges::any_of(kRestated, [&](const RestatedRow& row) {
    return row.type == type.name && row.attribute == attribute.name &&
           settings.find(row.attribute) == settings.find(row.other);
  });
}

std::optional<Json> setting(const ModuleSettings& settings, const LayerType& type, const AttributeSpec& attribute) {
  if (attribute.name == "training") return std::nullopt;  // Keras's is another thing than the mode of a module
  if (is_restated(settings, type, attribute)) return std::nullopt;
  const bool is_truth = attribute.fallback && std::holds_alternative<bool>(*attribute.fallback);
  if (auto stated = is_truth ? settings.uses(attribute.name) : settings.find(attribute.name)) return stated;
  for (const UnstatedRow& row : unstated_rows())
    if (row.type == type.name && row.attribute == attribute.name) return row.meaning(settings);
  return std::nullopt;
}

}  // namespace

std::string describe_module(const pickle::Value& module, const std::string& path) {
  return (path.empty() ? "the module" : "module \"" + shortened(path) + "\"") + " (" + shortened(module_class(module)) +
         ")";
}

// Spectral_norm, and weight_norm of before parametrizations, are hooks.
void refuse_own_code(const pickle::Value& module, const std::string& path) {
  const std::string described = describe_module(module, path);
  if (attribute_of(module, "forward")) throw Unsupported(described + " has a forward of its own, which is code");
  for (const char* hooks : {"_forward_hooks", "_forward_pre_hooks"}) {
    const pickle::Ref found = attribute_of(module, hooks);
    const auto* dict = found ? found->as<pickle::Dict>() : nullptr;
    if (dict && !dict->items.empty())
      throw Unsupported(described +
                        " has hooks, which are code: " + shortened(pickle::describe(*dict->items.front().second)));
  }
}

Layer layer_of_module(const TorchFile& file, const pickle::Value& module, const std::string& name,
                      const Json::Object& more) {
  const std::string described = describe_module(module, name);
  const std::string type_name = torch_nn_class(module);
  const LayerType* type = type_name.empty() ? nullptr : Registry::instance().find(type_name);
  if (!type) throw Unsupported(described + " has a forward that is code, and none that is known");
  refuse_own_code(module, name);

  const ModuleSettings settings(file, module);
  Json::Object stated;
  for (const AttributeSpec& attribute : type->attributes)
    if (std::optional<Json> value = setting(settings, *type, attribute)) stated.set(attribute.name, *std::move(value));
  for (const auto& [attribute, value] : more) stated.set(attribute, value);
  try {
    return {name, type_name, attributes_from_json(*type, stated, described), {}};
  } catch (const MalformedFile& error) {
    throw Unsupported(error.what());
  }
}

}  // namespace h5bridge
