#include "pytorch/whole_module/description.h"

#include "h5bridge/error.h"

namespace h5bridge {

Json module_description(const TorchFile& file, const std::string& name, const std::string& class_path,
                        const NamedRefs& settings) {
  Json::Object shown;
  for (const auto& [setting, value] : settings) {
    if (is_tensor(*value) || is_module(*value)) continue;
    try {
      shown.set(setting, file.to_json(*value));
    } catch (const MalformedFile&) {  // a circle, by way of the module itself
      shown.set(setting, Json::Object{{"$class", pickle::describe(*value)}});
    }
  }
  return Json::Object{{"name", name}, {"class", class_path}, {"settings", std::move(shown)}};
}

Json describe_modules(const TorchFile& file, const pickle::Value& module) {
  Json::Array modules;
  for (const auto& [name, inner] : modules_in(module))
    modules.push_back(module_description(file, name, module_class(*inner), settings_of(*inner)));
  return modules;
}

}  // namespace h5bridge
