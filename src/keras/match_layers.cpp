#include "keras/match_layers.h"

#include <algorithm>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Places = std::vector<std::optional<std::size_t>>;

Places by_name(const std::vector<std::string>& expected, const std::vector<std::string>& found) {
  Places places;
  for (const std::string& name : expected) {
    const auto place = std::ranges::find(found, name);
    places.push_back(place == found.end() ? std::nullopt
                                          : std::optional(static_cast<std::size_t>(place - found.begin())));
  }
  return places;
}

Places by_order(std::size_t count) {
  Places places;
  for (std::size_t i = 0; i < count; ++i) places.emplace_back(i);
  return places;
}

}  // namespace

Places match_layers(const std::vector<std::string>& expected, const std::vector<std::string>& found,
                    std::optional<LayerMatch> asked,
                    const std::function<bool(std::size_t expected, std::size_t found)>& fits) {
  const Places named = by_name(expected, found);
  if (asked == LayerMatch::Name) return named;
  if (expected.size() != found.size()) {
    if (asked == LayerMatch::Order)
      throw MalformedFile("holds weights of " + std::to_string(found.size()) +
                          (found.size() == 1 ? " layer" : " layers") + ", the architecture has " +
                          std::to_string(expected.size()));
    return named;
  }
  const Places ordered = by_order(expected.size());
  const bool is_same_set = std::set(expected.begin(), expected.end()) == std::set(found.begin(), found.end());
  if (asked == LayerMatch::Order || !is_same_set) return ordered;
  if (named == ordered) return named;
  const auto fit = [&](const Places& places) {
    for (std::size_t i = 0; i < places.size(); ++i)
      if (!fits(i, *places[i])) return false;
    return true;
  };
  const bool fits_by_name = fit(named), fits_by_order = fit(ordered);
  if (fits_by_name && fits_by_order) {
    const auto differs = static_cast<std::size_t>(std::ranges::mismatch(named, ordered).in1 - named.begin());
    throw MalformedFile("its weights fit the layers by their names and by their order, which do not agree (layer \"" +
                        shortened(expected[differs]) + "\" stands where \"" + shortened(found[differs]) +
                        "\" does in the file); say which: LoadOptions::match");
  }
  return fits_by_order ? ordered : named;
}

}  // namespace h5bridge
