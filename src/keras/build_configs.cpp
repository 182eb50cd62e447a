#include "keras/build_configs.h"

#include <algorithm>

#include "keras/print_tree.h"

namespace h5bridge {
namespace {

// Behind the name that the object is registered by, where Keras has them.
Json with_members(const Json& entry, const Json::Object& members) {
  Json::Object result;
  for (const auto& [name, value] : entry.as_object()) {
    result.set(name, value);
    if (name == "registered_name")
      for (const auto& [own, said] : members) result.set(own, said);
  }
  for (const auto& [own, said] : members) result.set(own, said);
  return result;
}

Json::Object of_model(const Json& model) {
  const Json* shape = model.at("config").find("build_input_shape");
  return {{"build_config", Json::Object{{"input_shape", shape ? *shape : Json()}}}, {"compile_config", Json::Object{}}};
}

// In what was printed: a plan is one for all formats, of which archives alone say this.
Json with_layers(Json model, const std::string& within, const std::map<std::string, Json>& layers) {
  Json::Object config = model.at("config").as_object();
  Json::Array entries;
  for (const Json& entry : config.at("layers").as_array()) {
    const std::string name = within + entry.at("config").at("name").as_string();
    if (entry.at("config").find("layers")) {
      entries.push_back(with_members(with_layers(entry, name + "/", layers), of_model(entry)));
    } else {
      const auto built = layers.find(name);
      entries.push_back(built == layers.end() ? entry : with_members(entry, {{"build_config", built->second}}));
    }
  }
  config.set("layers", std::move(entries));
  model.as_object().set("config", std::move(config));
  return model;
}

}  // namespace

Json build_config(const KerasLayer& layer) {
  const KerasCall& call = layer.calls.at(0);
  const bool has_other_tensors = std::ranges::any_of(
      call.keywords, [](const auto& keyword) { return keyword.first != "mask" && keyword.second.has_tensors(); });
  if (call.arguments.size() != 1 || has_other_tensors) return {};
  const KerasArgument& argument = call.arguments[0];
  if (const KerasTensor* tensor = argument.tensor()) return Json::Object{{"input_shape", shape_config(tensor->shape)}};
  if (!argument.list() || !std::ranges::all_of(*argument.list(), &KerasArgument::tensor)) return {};
  Json::Array shapes;
  for (const KerasArgument& element : *argument.list()) shapes.push_back(shape_config(element.tensor()->shape));
  return Json::Object{{"input_shape", std::move(shapes)}};
}

Json with_build_configs(Json model_config, const std::map<std::string, Json>& layers) {
  const Json::Object own = of_model(model_config);
  return with_members(with_layers(std::move(model_config), "", layers), own);
}

}  // namespace h5bridge
