// Which tensors of an exported graph share memory. Operators that work in place stay in it, and change what other names
// for the same memory hold.
#pragma once

#include <map>
#include <set>
#include <string>

namespace h5bridge {

class ExportedMemory {
 public:
  /// `name` may be a view of `of`.
  void share(const std::string& name, const std::string& of);
  /// `target` was written over, and is now called `result`, too; nothing is known any more of other views.
  void change(const std::string& target, const std::string& result);
  /// What a tensor holds now is known after all.
  void renew(const std::string& name) { stale_.erase(name); }
  /// Whether a tensor may hold other values than it was made with.
  bool is_stale(const std::string& name) const { return stale_.contains(name); }

 private:
  std::string root_of(const std::string& name) const;

  std::map<std::string, std::string> roots_;
  std::map<std::string, std::set<std::string>> views_;  // by their root
  std::set<std::string> stale_;
};

}  // namespace h5bridge
