#include "convert/tied_state.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

// Calls visit(params) for the group that has `name`, if one has.
template <typename Visit>
void with_params_of(Optimizer& optimizer, const std::string& name, Visit&& visit) {
  for (Json::Object& group : optimizer.groups)
    if (Json* params = group.find("params"); params && std::ranges::count(params->as_array(), Json(name)))
      visit(params->as_array());
}

}  // namespace

bool are_equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  return std::ranges::equal(a, b, [](const NamedTensor& one, const NamedTensor& other) {
    return one.name == other.name && bit_equal(one.tensor, other.tensor);
  });
}

Optimizer with_state_of_each(Optimizer optimizer, const Ties& ties, const std::set<std::string>& variables) {
  for (const std::vector<std::string>& group : ties) {
    const auto first =
        std::ranges::find_if(group, [&](const std::string& name) { return optimizer.slots.contains(name); });
    for (const std::string& name : group) {
      if (!variables.contains(name)) continue;
      if (first != group.end()) optimizer.slots.emplace(name, optimizer.slots.at(*first));
      if (name == group.front()) continue;
      with_params_of(optimizer, group.front(), [&](Json::Array& params) {
        if (!std::ranges::count(params, Json(name))) params.push_back(name);
      });
    }
  }
  return optimizer;
}

void make_state_one(Optimizer& optimizer, const Ties& ties) {
  for (const std::vector<std::string>& group : ties) {
    const std::string* first = nullptr;
    for (const std::string& name : group) {
      const auto own = optimizer.slots.find(name);
      if (own == optimizer.slots.end()) continue;
      if (!first)
        first = &name;
      else if (!are_equal(optimizer.slots.at(*first), own->second))
        throw Unsupported("its state of " + *first + " and that of " + name +
                          ", which are one parameter in PyTorch, differ");
    }
    if (first && *first != group.front()) optimizer.slots[group.front()] = optimizer.slots.at(*first);
    bool is_listed = false;
    for (const std::string& name : group) {
      with_params_of(optimizer, name, [&](Json::Array& params) {
        const auto place = std::ranges::find(params, Json(name));
        if (is_listed)
          params.erase(place);
        else
          *place = group.front();
        is_listed = true;
      });
      if (name != group.front()) optimizer.slots.erase(name);
    }
  }
}

}  // namespace h5bridge
