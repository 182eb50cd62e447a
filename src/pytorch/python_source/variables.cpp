#include "pytorch/python_source/variables.h"

#include <algorithm>

#include "facets/torch_source/python.h"
#include "pytorch/python_source/names.h"

namespace h5bridge::torch_source {

bool Variables::is_pinned(const std::string& name) const {
  const auto found = pins_.find(name);
  return found != pins_.end() && found->second > 0;
}

bool Variables::is_taken(const std::string& name) const {
  if (reserved_.contains(name) || is_pinned(name) || !is_python_name(name)) return true;
  return held_.contains(name) && !released_.contains(name);
}

std::string Variables::fresh(const std::vector<std::string>& wanted) {
  for (const std::string& name : wanted)
    if (!is_taken(name)) return name;
  for (const char* name : kGeneralNames)
    if (!is_taken(name)) return name;
  for (int number = 2;; ++number)
    if (const std::string name = kGeneralNames[0] + std::to_string(number); !is_taken(name)) return name;
}

std::string Variables::unused(const std::string& wanted) {
  std::string name = wanted;
  while (held_.contains(name) || reserved_.contains(name) || !is_python_name(name)) name += "_";
  reserve(name);
  return name;
}

void Variables::hold(const std::string& name, const Value& value) {
  held_.insert_or_assign(name, value);
  released_.erase(name);
  std::erase(order_, name);
  order_.push_back(name);
}

void Variables::forget(const std::string& name) {
  held_.erase(name);
  released_.erase(name);
  std::erase(order_, name);
}

void Variables::go_back(const Variables& before) {
  std::set<std::string> reserved = std::move(reserved_);
  *this = before;
  reserved_ = std::move(reserved);
}

std::optional<std::string> Variables::of(const Value& value) const {
  for (const auto& [name, held] : held_)
    if (held == value) return name;
  return std::nullopt;
}

std::optional<Value> Variables::held_by(const std::string& name) const {
  const auto found = held_.find(name);
  return found == held_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::pair<std::string, Value>> Variables::latest() const {
  std::vector<std::pair<std::string, Value>> result;
  for (auto name = order_.rbegin(); name != order_.rend(); ++name) result.emplace_back(*name, held_.at(*name));
  return result;
}

}  // namespace h5bridge::torch_source
