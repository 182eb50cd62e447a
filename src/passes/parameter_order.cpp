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
                                             const std::vector<ParameterList>& lists) {
  const auto usual = [&](const ParameterList& list) {
    if (list.size() != state_shapes.size()) return Orders{};
    return group_count == 1 ? as_listed(state_shapes, list) : in_any_order(state_shapes, list);
  };
  Orders found = in_all(lists, usual);
  if (found.empty() && group_count == 1)
    found = in_all(lists, [&](const ParameterList& list) { return selections(state_shapes, list); });
  if (found.empty()) found = in_all(lists, [&](const ParameterList& list) { return in_any_order(state_shapes, list); });
  return found;
}

}  // namespace h5bridge
