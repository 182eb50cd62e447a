#include "keras/object_paths.h"

#include <cctype>
#include <map>
#include <sstream>

#include "facets/registry.h"
#include "keras/inline_models.h"
#include "keras/wrappers.h"

namespace h5bridge {
namespace {

// Gives out "dense", "dense_1", ... to the objects of a list.
class ListNames {
 public:
  std::string next(const std::string& class_name) {
    // Without a user's package.
    const std::string name =
        snake_case(Registry::instance().python_name_of(class_name.substr(class_name.rfind('>') + 1)));
    const std::size_t number = used_[name]++;
    return number == 0 ? name : name + "_" + std::to_string(number);
  }

 private:
  std::map<std::string, std::size_t> used_;
};

// Operations stand among the layers, and in no list of objects.
bool is_operation(const Json& entry) {
  const Json* module = entry.find("module");
  return module && module->is_string() && module->as_string().starts_with("keras.src.ops");
}

void add_paths(const Json& model, const std::string& within, const std::string& path, ObjectPaths& paths);

// `within`: the models and wrappers that the layer is in; `own`: the path of its object.
void add_layer(const Json& layer, const std::string& within, const std::string& own, ObjectPaths& paths) {
  const std::string name = within + entry_name(layer);
  if (is_model_entry(layer))
    add_paths(layer, name + "/", own + "/", paths);
  else if (!is_wrapper_entry(layer) || !own_variable(layer).empty())
    paths.emplace_back(name, own);
  if (is_wrapper_entry(layer))
    for (const auto& [object, wrapped] : wrapped_objects(layer))
      add_layer(*wrapped, name + "/", own + "/" + object, paths);
  // An activation that is a layer object: what is read has it as a layer behind its host.
  const Json* activation = layer.at("config").find("activation");
  const Json* settings = activation && activation->find("class_name") ? activation->find("config") : nullptr;
  if (const Json* own_name = settings ? settings->find("name") : nullptr; own_name && own_name->is_string())
    paths.emplace_back(within + own_name->as_string(), own + "/activation");
}

void add_paths(const Json& model, const std::string& within, const std::string& path, ObjectPaths& paths) {
  const Json* config = model.find("config");
  const Json* layers = config && config->is_object() ? config->find("layers") : nullptr;
  if (!layers || !layers->is_array()) return;
  ListNames names;
  for (const Json& layer : layers->as_array()) {
    if (is_operation(layer)) continue;
    add_layer(layer, within, path + "layers/" + names.next(layer.at("class_name").as_string()), paths);
  }
}

std::string name_in_list(const Json::Array& list, std::size_t index) {
  ListNames names;
  std::string name;
  for (std::size_t i = 0; i <= index; ++i) name = names.next(list.at(i).at("class_name").as_string());
  return name;
}

// nullptr for an object that the list has not.
const Json* find_in_list(const Json::Array& list, const std::string& object) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (name_in_list(list, i) == object) return &list[i];
  return nullptr;
}

}  // namespace

std::string snake_case(const std::string& class_name) {
  std::string word;
  for (const char letter : class_name)
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_') word += letter;
  const auto is_upper = [&](std::size_t i) { return i < word.size() && word[i] >= 'A' && word[i] <= 'Z'; };
  const auto is_lower = [&](std::size_t i) { return i < word.size() && word[i] >= 'a' && word[i] <= 'z'; };
  std::string result;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (i > 0 && is_upper(i) && (is_lower(i + 1) || is_lower(i - 1))) result += '_';
    result += static_cast<char>(std::tolower(static_cast<unsigned char>(word[i])));
  }
  return result;
}

ObjectPaths object_paths(const Json& model_config) {
  ObjectPaths paths;
  add_paths(model_config, "", "", paths);
  return paths;
}

std::string object_within(const std::string& object, const Json::Object& config) {
  const std::size_t begin = object.find('{'), end = object.find('}');
  if (begin == std::string::npos || end == std::string::npos) return object;
  std::string path;
  const Json::Object* place = &config;
  const Json::Array* list = nullptr;
  std::istringstream members(object.substr(begin + 1, end - begin - 1));
  for (std::string member; std::getline(members, member, '/');) {
    const Json* next = list ? &list->at(std::stoul(member)) : place->find(member);
    if (!next) break;
    path += (path.empty() ? "" : "/") + (list ? name_in_list(*list, std::stoul(member)) : member);
    const Json* own = next->is_object() ? next->find("config") : nullptr;
    list = next->is_array() ? &next->as_array() : nullptr;
    if (own) place = &own->as_object();
    if (!own && !list) break;
  }
  return object.substr(0, begin) + path + object.substr(end + 1);
}

bool is_frozen_within(const std::string& object, const Json::Object& config) {
  const Json::Object* place = &config;
  const Json::Array* list = nullptr;
  std::istringstream attributes(object);
  for (std::string attribute; std::getline(attributes, attribute, '/');) {
    // Bidirectional's first argument has another name than its attribute (keras/src/layers/rnn/bidirectional.py).
    const Json* next = list ? find_in_list(*list, attribute)
                            : place->find(attribute == "forward_layer" ? std::string("layer") : attribute);
    if (!next) return false;
    list = next->is_array() ? &next->as_array() : nullptr;
    if (list) continue;
    const Json* own = next->is_object() ? next->find("config") : nullptr;
    if (!own || !own->is_object()) return false;
    place = &own->as_object();
    if (const Json* trainable = place->find("trainable"); trainable && *trainable == Json(false)) return true;
  }
  return false;
}

}  // namespace h5bridge
