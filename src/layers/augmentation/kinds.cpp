#include "layers/augmentation/kinds.h"

namespace h5bridge::augmentation {
namespace {

// Of those that move pixels, which fill what is left empty.
Json::Object moves(Json::Object settings, const Json::Object& more) {
  for (const auto& [key, value] : more) settings.set(key, value);
  return settings;
}

}  // namespace

std::vector<Kind> kinds() {
  const Json::Object fill{
      {"fill_mode", "reflect"}, {"interpolation", "bilinear"}, {"seed", nullptr}, {"fill_value", 0.0}};
  const Json::Object other{{"fill_mode", "nearest"}, {"interpolation", "nearest"}, {"seed", 5}, {"fill_value", 0.5}};
  return {
      {"RandomFlip",
       "mirrors pictures",
       true,
       {{"seed", nullptr}, {"mode", "horizontal_and_vertical"}},
       {{"seed", 5}, {"mode", "horizontal"}}},
      {"RandomGrayscale", "makes pictures grey", false, {{"factor", 0.5}}, {{"factor", 0.3}}},
      {"RandomPerspective",
       "sees pictures from aside",
       true,
       {{"factor", 1.0}, {"scale", 1.0}, {"interpolation", "bilinear"}, {"fill_value", 0.0}, {"seed", nullptr}},
       {{"factor", Json::Array{0.0, 0.3}},
        {"scale", 0.5},
        {"interpolation", "nearest"},
        {"fill_value", 0.5},
        {"seed", 5}}},
      {"RandomRotation", "turns pictures", true, moves({{"factor", 0.0}}, fill),
       moves({{"factor", Json::Array{-0.1, 0.1}}}, other)},
      {"RandomTranslation", "shifts pictures", true, moves({{"height_factor", 0.0}, {"width_factor", 0.0}}, fill),
       moves({{"height_factor", 0.1}, {"width_factor", 0.2}}, other)},
      {"RandomZoom", "enlarges pictures or makes them smaller", true,
       moves({{"height_factor", 0.0}, {"width_factor", nullptr}}, fill),
       moves({{"height_factor", 0.1}, {"width_factor", 0.2}}, other)},
  };
}

}  // namespace h5bridge::augmentation
