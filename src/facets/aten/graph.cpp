#include "facets/aten/graph.h"

#include <algorithm>

namespace h5bridge::aten {

std::string_view Operation::plain_name() const {
  for (const std::string_view library : {"aten.", "higher_order."})
    if (std::string_view result = target; result.starts_with(library)) {
      result.remove_prefix(library.size());
      return result.substr(0, result.find('.'));
    }
  return {};
}

const Argument* Operation::find(std::string_view argument) const {
  const auto found = std::ranges::find(arguments, argument, &Argument::name);
  return found == arguments.end() ? nullptr : &*found;
}

}  // namespace h5bridge::aten
