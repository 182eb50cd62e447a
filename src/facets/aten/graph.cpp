#include "facets/aten/graph.h"

#include <algorithm>

namespace h5bridge::aten {

std::string_view Operation::plain_name() const {
  constexpr std::string_view library = "aten.";
  std::string_view result = target;
  if (!result.starts_with(library)) return {};
  result.remove_prefix(library.size());
  return result.substr(0, result.find('.'));
}

const Argument* Operation::find(std::string_view argument) const {
  const auto found = std::ranges::find(arguments, argument, &Argument::name);
  return found == arguments.end() ? nullptr : &*found;
}

}  // namespace h5bridge::aten
