#include "files/keras_objects.h"

#include <algorithm>
#include <set>

#include "files/keras_parts.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr const char* kVariables = "vars";
constexpr const char* kOptimizer = "optimizer";
constexpr std::size_t kMaxDepth = 64;

class Walk {
 public:
  std::vector<KerasObject> run(const hdf5::Group& root) {
    visit(root, "", 0);
    return std::move(objects_);
  }

 private:
  void visit(const hdf5::Group& group, const std::string& path, std::size_t depth) {
    if (depth > kMaxDepth) throw MalformedFile(group.path() + " is more than 64 levels deep");
    // Groups may stand in each other, and a few bytes could say "the same" a million times.
    if (!seen_.insert(group.address()).second)
      throw MalformedFile(group.path() + " is the group of another object, too");
    for (const std::string& name : group.names()) {
      if (path.empty() && name == kExtraGroup) continue;
      if (!group.is_group(name)) throw MalformedFile(group.path() + " holds " + name + ", where groups are expected");
      if (name == kVariables)
        add(group.group(name), path);
      else
        // Kerases of old joined them by a backslash where they ran on Windows.
        visit(group.group(name), (path.empty() ? "" : path + "/") + with_slashes(name), depth + 1);
    }
  }

  void add(const hdf5::Group& variables, const std::string& path) {
    KerasObject object{path, variables.text("name").value_or(""), {}};
    const std::size_t count = variables.names().size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!variables.has(std::to_string(i)))
        throw Unsupported(variables.path() + " holds " + std::to_string(count) + " variables and none is called " +
                          std::to_string(i) + ": the layer saves them in a way of its own");
      object.variables.push_back(variables.data_set(std::to_string(i)).tensor());
    }
    objects_.push_back(std::move(object));
  }

  static std::string with_slashes(std::string name) {
    std::ranges::replace(name, '\\', '/');
    return name;
  }

  std::set<std::uint64_t> seen_;
  std::vector<KerasObject> objects_;
};

}  // namespace

bool has_keras_objects(const hdf5::Group& root) {
  const std::vector<std::string> names = root.names();
  return std::ranges::any_of(names, [&](const std::string& name) {
    return name == "layers" || name == kVariables || name.starts_with("layers\\") ||
           (root.is_group(name) && root.group(name).has(kVariables));
  });
}

void read_keras_objects(const hdf5::Group& root, KerasFile& file) {
  if (root.has("_layer_checkpoint_dependencies"))
    throw Unsupported(
        "is a file of tf.keras 2.12 to 2.15's first .keras format, which h5bridge does not read yet: save "
        "the model as .h5 there");
  for (KerasObject& object : Walk().run(root)) {
    const bool is_optimizers = object.path == kOptimizer || object.path.starts_with(std::string(kOptimizer) + "/");
    if (!is_optimizers) {
      file.objects.push_back(std::move(object));
      continue;
    }
    const std::string inner = object.path.substr(std::min(object.path.size(), std::string(kOptimizer).size() + 1));
    for (std::size_t i = 0; i < object.variables.size(); ++i)
      file.optimizer.push_back(
          {(inner.empty() ? "" : inner + "/") + kVariables + "/" + std::to_string(i), object.variables[i]});
  }
  read_extra(root, file);
}

}  // namespace h5bridge
