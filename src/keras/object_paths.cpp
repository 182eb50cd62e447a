#include "keras/object_paths.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

#include "facets/registry.h"
#include "keras/inner_layers.h"
#include "keras/parse_tree.h"
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
bool is_operation(const KerasLayer& layer) { return layer.module.starts_with("keras.src.ops"); }

void add_paths(const KerasModel& model, const std::string& within, const std::string& path, ObjectPaths& paths);

// `within`: the models and wrappers that the layer is in; `own`: the path of its object.
void add_layer(const KerasLayer& layer, const std::string& within, const std::string& own, ObjectPaths& paths) {
  const std::string name = within + layer.name;
  if (layer.model)
    add_paths(*layer.model, name + "/", own + "/", paths);
  else if (layer.wrapped.empty() || !own_variable(layer).empty())
    paths.emplace_back(name, own);
  for (const auto& [object, wrapped] : layer.wrapped) add_layer(wrapped, name + "/", own + "/" + object, paths);
  // What is read has an activation that is a layer object as a layer behind its host.
  if (const std::optional<KerasLayer> activation = parse_activation(layer))
    paths.emplace_back(within + activation->name, own + "/activation");
}

void add_paths(const KerasModel& model, const std::string& within, const std::string& path, ObjectPaths& paths) {
  ListNames names;
  for (const KerasLayer& layer : model.layers)
    if (!is_operation(layer)) add_layer(layer, within, path + "layers/" + names.next(layer.class_name), paths);
}

std::string name_in_list(const Json::Array& list, std::size_t index) {
  ListNames names;
  std::string name;
  for (std::size_t i = 0; i <= index; ++i) name = names.next(list.at(i).at("class_name").as_string());
  return name;
}

bool is_off(const Json::Object& config) {
  const Json* trainable = config.find("trainable");
  return trainable && *trainable == Json(false);
}

// Layers that make their cell with their own `trainable` (keras 3.15, layers/rnn/lstm.py, gru.py, simple_rnn.py).
bool tells_its_cell(const std::string& class_name) {
  constexpr std::array<std::string_view, 3> kTelling{"LSTM", "GRU", "SimpleRNN"};
  return std::ranges::find(kTelling, class_name) != kTelling.end();
}

// The argument that is an attribute of Bidirectional by another name, or stands for one that is not given
// (layers/rnn/bidirectional.py).
const Json* find_member(const Json::Object& config, const std::string& attribute) {
  if (attribute == "forward_layer") return config.find("layer");
  const Json* member = config.find(attribute);
  return attribute == "backward_layer" && (!member || member->is_null()) ? config.find("layer") : member;
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

ObjectPaths object_paths(const KerasModel& model) {
  ObjectPaths paths;
  add_paths(model, "", "", paths);
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

Said trained_within(const std::string& class_name, const Json::Object& config, const std::string& object) {
  std::string owner = class_name;
  const Json::Object* place = &config;
  const Json::Array* list = nullptr;
  std::istringstream attributes(object);
  for (std::string attribute; std::getline(attributes, attribute, '/');) {
    const Json* next = list ? find_in_list(*list, attribute) : find_member(*place, attribute);
    list = next && next->is_array() ? &next->as_array() : nullptr;
    if (list) continue;
    const Json* own = next && next->is_object() ? next->find("config") : nullptr;
    if (!own || !own->is_object())  // the layer makes it
      return !is_off(*place) ? Said::Trained : tells_its_cell(owner) ? Said::Frozen : Said::Unheeded;
    const Json* class_of = next->find("class_name");
    owner = class_of && class_of->is_string() ? class_of->as_string() : "";
    place = &own->as_object();
  }
  return is_off(*place) ? Said::Frozen : Said::Trained;
}

void freeze_within(Json::Object& config) {
  const auto freeze = [](Json& layer) {
    Json* own = layer.is_object() ? layer.as_object().find("config") : nullptr;
    if (!own || !own->is_object()) return;
    own->as_object().set("trainable", false);
    freeze_within(own->as_object());
  };
  for (const std::string_view member : kLayerMembers)
    if (Json* layer = config.find(member)) freeze(*layer);
  for (const std::string_view member : kLayerLists)
    if (Json* layers = config.find(member); layers && layers->is_array())
      for (Json& layer : layers->as_array()) freeze(layer);
}

}  // namespace h5bridge
