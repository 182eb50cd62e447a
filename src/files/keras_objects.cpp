#include "files/keras_objects.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr const char* kVariables = "vars";
constexpr const char* kOptimizer = "optimizer";
constexpr const char* kLayers = "layers";
constexpr const char* kOldLayers = "_layer_checkpoint_dependencies";
constexpr const char* kMetrics = "metrics";  // sums of a training, which tf.keras saves
constexpr std::size_t kMaxDepth = 64;

struct FoundObject {
  std::string name;
  std::map<std::size_t, Tensor> variables;  // by their numbers
};
using FoundObjects = std::map<std::string, FoundObject>;  // by their paths

// Takes the objects of one file.
class Walk {
 public:
  explicit Walk(FoundObjects& objects) : objects_(objects) {}

  void visit(const hdf5::Group& group, const std::string& path, std::size_t depth, bool is_counted_twice = false) {
    if (depth > kMaxDepth) throw MalformedFile(group.path() + " is more than 64 levels deep");
    // Groups may stand in each other, and a few bytes could say "the same" a million times.
    if (!seen_.insert(group.address()).second)
      throw MalformedFile(group.path() + " is the group of another object, too");
    const std::vector<std::string> names = group.names();
    for (const std::string& name : names) {
      if (path.empty() && (name == kExtraGroup || name == kMetrics)) continue;
      if (!group.is_group(name)) throw MalformedFile(group.path() + " holds " + name + ", where groups are expected");
      if (name == kVariables)
        add(group.group(name), objects_[path]);
      else
        // Kerases of old joined them by a backslash where they ran on Windows.
        visit(group.group(name),
              (path.empty() ? "" : path + "/") + with_slashes(name_today(name, names, is_counted_twice)), depth + 1,
              name == kOldLayers);
    }
  }

 private:
  // The layers of a model were a dict up to tf.keras 2.13, in which one with weights stands twice and is counted so:
  // "dense", "dense_2", "dense_4" (keras 2.12, saving/saving_lib.py, _save_container_state).
  static std::string name_today(const std::string& name, const std::vector<std::string>& others,
                                bool is_counted_twice) {
    if (name == kOldLayers) return kLayers;
    if (!is_counted_twice) return name;
    const auto [own, number] = counted(name);
    std::size_t rank = 0;
    for (const std::string& other : others) {
      const auto [class_name, count] = counted(other);
      rank += class_name == own && count < number ? 1 : 0;
    }
    return rank == 0 ? own : own + "_" + std::to_string(rank);
  }

  // "dense" and 2 of "dense_2".
  static std::pair<std::string, std::size_t> counted(const std::string& name) {
    const std::size_t end = name.rfind('_');
    const std::string number = end == std::string::npos ? "" : name.substr(end + 1);
    const bool has_number =
        !number.empty() && number.size() < 10 && number.find_first_not_of("0123456789") == std::string::npos;
    return has_number ? std::pair(name.substr(0, end), std::stoul(number)) : std::pair(name, std::size_t{0});
  }

  static void add(const hdf5::Group& variables, FoundObject& object) {
    if (object.name.empty()) object.name = variables.text("name").value_or("");
    for (const std::string& name : variables.names()) {
      const bool is_number =
          !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
      if (!is_number)
        throw Unsupported(variables.path() + " holds \"" + name +
                          "\", where numbers are expected: the layer saves its variables in a way of its own");
      if (!object.variables.emplace(std::stoul(name), variables.data_set(name).tensor()).second)
        throw MalformedFile(variables.path() + "/" + name + " is there twice");
    }
  }

  static std::string with_slashes(std::string name) {
    std::ranges::replace(name, '\\', '/');
    return name;
  }

  FoundObjects& objects_;
  std::set<std::uint64_t> seen_;
};

std::vector<Tensor> in_order(const std::string& path, std::map<std::size_t, Tensor> variables) {
  std::vector<Tensor> result;
  for (auto& [number, tensor] : variables) {
    if (number != result.size())
      throw MalformedFile(path + "/vars/" + std::to_string(result.size()) + " is missing, and " +
                          std::to_string(number) + " is there");
    result.push_back(std::move(tensor));
  }
  return result;
}

// "layers/sequential" for "layers/sequential/optimizer": a model within the model was compiled, too. A list of objects
// ("layers") may have one of that name.
std::optional<std::string> owner_of_optimizer(const std::string& path) {
  const std::string inner = std::string("/") + kOptimizer;
  for (std::size_t at = path.find(inner); at != std::string::npos; at = path.find(inner, at + 1)) {
    const std::size_t end = at + inner.size();
    const std::string owner = path.substr(0, at);
    if ((end == path.size() || path[end] == '/') && owner != "layers" && !owner.ends_with("/layers")) return owner;
  }
  return std::nullopt;
}

// Keras goes on with the optimizer of the whole model; an inner one belongs to nothing that is trained now.
void take_out_inner_optimizers(FoundObjects& objects, KerasFile& file) {
  std::set<std::string> owners;
  std::erase_if(objects, [&](const auto& object) {
    const std::optional<std::string> owner = owner_of_optimizer(object.first);
    if (owner) owners.insert(*owner);
    return owner.has_value();
  });
  for (const std::string& owner : owners) {
    const auto model = objects.find(owner);
    const bool is_named = model != objects.end() && !model->second.name.empty();
    file.inner_optimizers.push_back(is_named ? model->second.name : owner);
  }
}

}  // namespace

bool is_of_optimizer(const std::string& path) {
  return path == kOptimizer || path.starts_with(std::string(kOptimizer) + "/") || owner_of_optimizer(path);
}

bool has_keras_objects(const hdf5::Group& root) {
  const std::vector<std::string> names = root.names();
  return std::ranges::any_of(names, [&](const std::string& name) {
    return name == kLayers || name == kOldLayers || name == kVariables || name.starts_with("layers\\") ||
           (root.is_group(name) && root.group(name).has(kVariables));
  });
}

void read_keras_objects(std::span<const hdf5::Group> roots, KerasFile& file) {
  FoundObjects objects;
  for (const hdf5::Group& root : roots) {
    Walk(objects).visit(root, "", 0);
    read_extra(root, file);
  }
  take_out_inner_optimizers(objects, file);
  const std::string optimizers = std::string(kOptimizer) + "/";
  for (auto& [path, found] : objects) {
    KerasObject object{path, found.name, in_order(path, std::move(found.variables))};
    if (path != kOptimizer && !path.starts_with(optimizers)) {
      file.objects.push_back(std::move(object));
      continue;
    }
    const std::string inner = path == kOptimizer ? "" : path.substr(optimizers.size()) + "/";
    for (std::size_t i = 0; i < object.variables.size(); ++i)
      file.optimizer.push_back({inner + kVariables + "/" + std::to_string(i), object.variables[i]});
  }
}

}  // namespace h5bridge
