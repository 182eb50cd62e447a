#include "passes/parameter_order.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace h5bridge {
namespace {

using StateShapes = std::vector<std::optional<Shape>>;
using Orders = std::vector<ParameterOrder>;

bool fits(const std::optional<Shape>& state, const CountedParameter& parameter) {
  return !state || !parameter.shape || *state == *parameter.shape;
}

ParameterOrder names_of(const ParameterList& list) {
  ParameterOrder names;
  std::ranges::transform(list, std::back_inserter(names), &CountedParameter::name);
  return names;
}

Orders as_listed(const StateShapes& states, const ParameterList& list) {
  return std::ranges::equal(states, list, fits) ? Orders{names_of(list)} : Orders{};
}

// The places in `list`, each behind the one before, of the first parameters that fit; nullopt where there are too few.
template <typename States, typename List>
std::optional<ParameterOrder> first_that_fit(const States& states, const List& list) {
  ParameterOrder result;
  auto next = std::ranges::begin(list);
  for (const auto& state : states) {
    while (next != std::ranges::end(list) && !fits(state, *next)) ++next;
    if (next == std::ranges::end(list)) return std::nullopt;
    result.push_back((next++)->name);
  }
  return result;
}

// Every selection has each of its parameters at or behind the place where the first ones have it, and at or before that
// of the last ones: so there is one selection just where these two are the same.
Orders selections(const StateShapes& states, const ParameterList& list) {
  const std::optional<ParameterOrder> first = first_that_fit(states, list);
  if (!first) return {};
  const auto backwards = [](const auto& items) { return std::ranges::subrange(items.rbegin(), items.rend()); };
  ParameterOrder last = *first_that_fit(backwards(states), backwards(list));
  std::ranges::reverse(last);
  return last == *first ? Orders{*first} : Orders{*first, std::move(last)};
}

// Numbers, and the places in a list of the parameters that they may be.
struct Matching {
  std::vector<std::size_t> numbers;
  std::vector<std::size_t> places;
};

// Whichever way the numbers of a shape go to the parameters of that shape is as good as any other: there is one where
// there is one number and one parameter. Numbers that do not tell their shape share what the others leave.
Orders in_any_order(const StateShapes& states, const ParameterList& list) {
  // A parameter of unknown shape could be any number.
  const bool all_known = std::ranges::all_of(list, [](const auto& parameter) { return parameter.shape.has_value(); });
  if (states.size() > list.size() || !all_known) return {};
  std::map<Shape, Matching> by_shape;
  for (std::size_t place = 0; place < list.size(); ++place) by_shape[*list[place].shape].places.push_back(place);
  Matching untold;
  for (std::size_t number = 0; number < states.size(); ++number)
    (states[number] ? by_shape[*states[number]] : untold).numbers.push_back(number);

  ParameterOrder one(states.size()), other(states.size());
  const auto match = [&](const Matching& matching) {
    for (std::size_t i = 0; i < matching.numbers.size(); ++i) {
      one[matching.numbers[i]] = list[matching.places[i]].name;
      other[matching.numbers[i]] = list[matching.places[(i + 1) % matching.places.size()]].name;
    }
  };
  for (const auto& [shape, matching] : by_shape) {
    if (matching.numbers.size() > matching.places.size()) return {};
    match(matching);
    untold.places.insert(untold.places.end(),
                         matching.places.begin() + static_cast<std::ptrdiff_t>(matching.numbers.size()),
                         matching.places.end());
  }
  match(untold);
  return one == other ? Orders{std::move(one)} : Orders{std::move(one), std::move(other)};
}

// Which modules, whole and in their order, have just the parameters that the states are of.
class ModuleSelections {
 public:
  ModuleSelections(const StateShapes& states, const std::vector<ParameterList>& modules)
      : states_(states), modules_(modules), is_possible_(modules.size() + 1) {
    for (auto& row : is_possible_) row.assign(states.size() + 1, false);
    is_possible_[modules.size()][states.size()] = true;
    for (std::size_t module = modules.size(); module-- > 0;)
      for (std::size_t state = 0; state <= states.size(); ++state)
        is_possible_[module][state] = may_skip(module, state) || may_take(module, state);
  }

  /// None, the only one, or two.
  Orders orders() const {
    if (!is_possible_[0][0]) return {};
    ParameterOrder eager = walk(true), late = walk(false);
    return eager == late ? Orders{std::move(eager)} : Orders{std::move(eager), std::move(late)};
  }

 private:
  bool may_skip(std::size_t module, std::size_t state) const { return is_possible_[module + 1][state]; }
  bool may_take(std::size_t module, std::size_t state) const {
    const ParameterList& list = modules_[module];
    if (list.size() > states_.size() - state || !is_possible_[module + 1][state + list.size()]) return false;
    const auto first = states_.begin() + static_cast<std::ptrdiff_t>(state);
    return std::equal(list.begin(), list.end(), first,
                      [](const CountedParameter& parameter, const auto& shape) { return fits(shape, parameter); });
  }

  ParameterOrder walk(bool takes_early) const {
    ParameterOrder result;
    for (std::size_t module = 0, state = 0; module < modules_.size(); ++module) {
      if (takes_early ? !may_take(module, state) : may_skip(module, state)) continue;
      std::ranges::copy(names_of(modules_[module]), std::back_inserter(result));
      state += modules_[module].size();
    }
    return result;
  }

  const StateShapes& states_;
  const std::vector<ParameterList>& modules_;
  std::vector<std::vector<bool>> is_possible_;  // from this module on, for the states from this one on
};

// What modules of the file, those that are not the model's among them, may have been given to the optimizer.
Orders in_modules(const StateShapes& states, std::size_t group_count, const std::vector<ParameterList>& modules) {
  constexpr std::size_t kLargestSearch = std::size_t{1} << 24;
  ParameterList all;
  for (const ParameterList& module : modules) all.insert(all.end(), module.begin(), module.end());
  if (group_count > 1) return in_any_order(states, all);
  if (modules.size() > kLargestSearch / (states.size() + 1)) return selections(states, all);
  return ModuleSelections(states, modules).orders();
}

template <typename Search>
Orders in_all(const std::vector<ParameterList>& lists, Search&& search) {
  Orders found;
  for (const ParameterList& list : lists)
    for (ParameterOrder& order : search(list))
      if (found.size() < 2 && !std::ranges::count(found, order)) found.push_back(std::move(order));
  return found;
}

}  // namespace

std::vector<ParameterOrder> parameter_orders(const StateShapes& state_shapes, std::size_t group_count,
                                             const std::vector<ParameterList>& lists,
                                             const std::vector<ParameterList>& modules) {
  const auto usual = [&](const ParameterList& list) {
    if (list.size() != state_shapes.size()) return Orders{};
    return group_count == 1 ? as_listed(state_shapes, list) : in_any_order(state_shapes, list);
  };
  Orders found = in_all(lists, usual);
  if (found.empty() && group_count == 1)
    found = in_all(lists, [&](const ParameterList& list) { return selections(state_shapes, list); });
  if (found.empty()) found = in_all(lists, [&](const ParameterList& list) { return in_any_order(state_shapes, list); });
  if (modules.empty() || found.size() != 1) return found;
  for (ParameterOrder& order : in_modules(state_shapes, group_count, modules))
    if (found.size() < 2 && order != found.front()) found.push_back(std::move(order));
  return found;
}

}  // namespace h5bridge
