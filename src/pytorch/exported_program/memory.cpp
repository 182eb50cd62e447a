#include "pytorch/exported_program/memory.h"

namespace h5bridge {

std::string ExportedMemory::root_of(const std::string& name) const {
  const auto found = roots_.find(name);
  return found == roots_.end() ? name : found->second;
}

void ExportedMemory::share(const std::string& name, const std::string& of) {
  const std::string root = root_of(of);
  roots_[name] = root;
  views_[root].insert(name);
}

void ExportedMemory::change(const std::string& target, const std::string& result) {
  const std::string root = root_of(target);
  std::set<std::string> names = views_[root];
  names.insert(root);
  for (const std::string& name : names)
    if (name != target) stale_.insert(name);
  if (result != target) share(result, target);
}

}  // namespace h5bridge
