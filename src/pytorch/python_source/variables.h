// The local variables of a forward: which value each holds, and what the next one is called.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge::torch_source {

class Variables {
 public:
  /// A name that no variable has yet, and which now is one: of `wanted` the first that is free.
  std::string fresh(const std::vector<std::string>& wanted);
  /// A name that no variable ever had, and none will have; `wanted`, if it is one.
  std::string unused(const std::string& wanted);
  /// Keeps a name from being given to a variable.
  void reserve(const std::string& name) { reserved_.insert(name); }
  /// `name` now holds `value`, and no longer what it held.
  void hold(const std::string& name, const Value& value);
  /// The variable that holds a value.
  std::optional<std::string> of(const Value& value) const;
  /// What a variable holds.
  std::optional<Value> held_by(const std::string& name) const;
  /// All that hold something, the latest first.
  std::vector<std::pair<std::string, Value>> latest() const;
  /// It holds nothing that is known.
  void forget(const std::string& name);
  /// All hold what they held in `before`, and names that were reserved since stay so.
  void go_back(const Variables& before);
  /// An expression that is not assigned yet reads it, or no longer does.
  void pin(const std::string& name) { ++pins_[name]; }
  void unpin(const std::string& name) { --pins_[name]; }
  bool is_pinned(const std::string& name) const;
  /// Its value is needed no more: the name may be taken again.
  void release(const std::string& name) { released_.insert(name); }
  bool is_released(const std::string& name) const { return released_.contains(name); }
  bool is_taken(const std::string& name) const;

 private:
  std::map<std::string, Value> held_;
  std::vector<std::string> order_;
  std::map<std::string, int> pins_;
  std::set<std::string> reserved_, released_;
};

}  // namespace h5bridge::torch_source
