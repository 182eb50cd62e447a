#include "layers/augmentation/kinds.h"

namespace h5bridge::augmentation {
namespace {

Json::Object with(Json::Object settings, const Json::Object& more) {
  for (const auto& [key, value] : more) settings.set(key, value);
  return settings;
}

}  // namespace

std::vector<Kind> kinds() {
  // Of those that move pixels, which fill what is left empty.
  const Json::Object fill{
      {"fill_mode", "reflect"}, {"interpolation", "bilinear"}, {"seed", nullptr}, {"fill_value", 0.0}};
  const Json::Object other{{"fill_mode", "nearest"}, {"interpolation", "nearest"}, {"seed", 5}, {"fill_value", 0.5}};
  // Of those that change colours, whose range they know.
  const Json::Object colours{{"value_range", Json::Array{0, 255}}, {"seed", nullptr}};
  const Json::Object others{{"value_range", Json::Array{0, 1}}, {"seed", 5}};
  return {
      {"AugMix", "mixes chains of changes into pictures", true,
       with({{"num_chains", 3},
             {"chain_depth", 3},
             {"factor", Json::Array{0, 0.3}},
             {"alpha", 1.0},
             {"all_ops", true},
             {"interpolation", "bilinear"}},
            colours),
       with({{"num_chains", 2},
             {"chain_depth", 2},
             {"factor", 0.2},
             {"alpha", 0.5},
             {"all_ops", false},
             {"interpolation", "nearest"}},
            others)},
      {"CutMix",
       "puts pieces of pictures into others",
       true,
       {{"factor", Json::Array{0, 1.0}}, {"seed", nullptr}},
       {{"factor", 0.4}, {"seed", 5}}},
      {"MixUp", "mixes pictures", false, {{"alpha", 0.2}, {"seed", nullptr}}, {{"alpha", 0.3}, {"seed", 5}}},
      {"RandAugment", "makes several changes of pictures", true,
       with({{"num_ops", 2}, {"factor", Json::Array{0, 0.5}}, {"interpolation", "bilinear"}}, colours),
       with({{"num_ops", 1}, {"factor", 0.2}, {"interpolation", "nearest"}}, others)},
      {"RandomBrightness", "makes pictures lighter or darker", false, with({{"factor", 0.0}}, colours),
       with({{"factor", 0.3}}, others)},
      {"RandomColorDegeneration", "takes colour from pictures", false, with({{"factor", 0.0}}, colours),
       with({{"factor", 0.3}}, others)},
      {"RandomColorJitter", "changes the colours of pictures", false,
       with({{"brightness_factor", nullptr},
             {"contrast_factor", nullptr},
             {"saturation_factor", nullptr},
             {"hue_factor", nullptr}},
            colours),
       with({{"brightness_factor", 0.1}, {"contrast_factor", 0.2}, {"saturation_factor", 0.3}, {"hue_factor", 0.4}},
            others)},
      {"RandomContrast", "changes the contrast of pictures", false, with({{"factor", 0.0}}, colours),
       with({{"factor", 0.3}}, others)},
      // In evaluation it hands on what it is given, whatever its size (random_crop.py, transform_images).
      {"RandomCrop",
       "crops pictures",
       false,
       {{"height", nullptr}, {"width", nullptr}, {"seed", nullptr}},
       {{"height", 5}, {"width", 4}, {"seed", 5}}},
      {"RandomElasticTransform", "bends pictures", true,
       with({{"factor", Json::Array{0, 1.0}},
             {"scale", Json::Array{0, 1.0}},
             {"interpolation", "bilinear"},
             {"fill_mode", "reflect"},
             {"fill_value", 0.0}},
            colours),
       with({{"factor", 0.5},
             {"scale", 0.4},
             {"interpolation", "nearest"},
             {"fill_mode", "nearest"},
             {"fill_value", 0.5}},
            others)},
      {"RandomErasing", "takes pieces out of pictures", true,
       with({{"factor", Json::Array{0, 1.0}}, {"scale", Json::Array{0.02, 0.33}}, {"fill_value", nullptr}}, colours),
       with({{"factor", 0.5}, {"scale", Json::Array{0.1, 0.2}}, {"fill_value", 0.5}}, others)},
      {"RandomGaussianBlur", "blurs pictures", true,
       with({{"factor", Json::Array{0, 1.0}}, {"kernel_size", Json::Array{3, 3}}, {"sigma", Json::Array{0, 1.0}}},
            colours),
       with({{"factor", 0.5}, {"kernel_size", 5}, {"sigma", 0.4}}, others)},
      {"RandomHue", "changes the hue of pictures", false, with({{"factor", 0.0}}, colours),
       with({{"factor", 0.3}}, others)},
      {"RandomInvert", "inverts pictures", false, with({{"factor", Json::Array{0, 1.0}}}, colours),
       with({{"factor", 0.3}}, others)},
      {"RandomPosterization", "takes shades from pictures", false, with({{"factor", 8}}, colours),
       with({{"factor", 2}}, others)},
      {"RandomSaturation", "makes the colours of pictures stronger or weaker", false, with({{"factor", 0.0}}, colours),
       with({{"factor", 0.3}}, others)},
      {"RandomSharpness", "sharpens pictures", true, with({{"factor", 0.0}}, colours), with({{"factor", 0.3}}, others)},
      {"Solarization", "inverts what is light in pictures", true,
       with({{"addition_factor", Json::Array{0, 0.0}}, {"threshold_factor", Json::Array{0, 0.0}}}, colours),
       with({{"addition_factor", 0.2}, {"threshold_factor", 0.3}}, others)},
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
      {"RandomRotation", "turns pictures", true, with({{"factor", 0.0}}, fill),
       with({{"factor", Json::Array{-0.1, 0.1}}}, other)},
      {"RandomTranslation", "shifts pictures", true, with({{"height_factor", 0.0}, {"width_factor", 0.0}}, fill),
       with({{"height_factor", 0.1}, {"width_factor", 0.2}}, other)},
      {"RandomZoom", "enlarges pictures or makes them smaller", true,
       with({{"height_factor", 0.0}, {"width_factor", nullptr}}, fill),
       with({{"height_factor", 0.1}, {"width_factor", 0.2}}, other)},
  };
}

}  // namespace h5bridge::augmentation
