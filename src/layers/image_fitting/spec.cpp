// Layers that only Keras has: images cut, framed and resized to a fixed size, whatever theirs is.
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::image_fitting {
namespace {

LayerType fitting(const std::string& name, const std::string& summary, const std::string& file) {
  LayerType type;
  type.name = name;
  type.integers = Integers::BecomeFloats;
  type.summary = summary;
  type.source = "keras/src/layers/preprocessing/image_preprocessing/" + file;
  type.attributes = {required_tuple("size", 2, "height and width of the output"), data_format()};
  type.check = [](const Attributes& a) { check_at_least(a, "size", 1); };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    spatial_sizes(a, input, 2);
    const auto& size = a.integers("size");
    return {with_channels(a, input[0], input[channel_axis(a, 4)], {size[0], size[1]})};
  };
  type.layout = follows_data_format();
  return type;
}

LayerType resizing() {
  LayerType type =
      fitting("Resizing", "resizes images to a size; their aspect ratio may be kept, and the filter may be Lanczos's",
              "resizing.py");
  type.attributes.push_back(text("interpolation", "bilinear",
                                 {"bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"}, "which elements count"));
  type.attributes.push_back(boolean("antialias", false, "whether all elements count where the output is smaller"));
  type.attributes.push_back(boolean("crop_to_aspect_ratio", false,
                                    "whether only the largest part counts that has the output's aspect ratio"));
  type.attributes.push_back(
      boolean("pad_to_aspect_ratio", false, "whether the image is first framed to the output's aspect ratio"));
  type.attributes.push_back(number("fill_value", 0, "what the frame is filled with"));
  type.check = [](const Attributes& a) {
    check_at_least(a, "size", 1);
    if (a.boolean("crop_to_aspect_ratio") && a.boolean("pad_to_aspect_ratio"))
      throw MalformedFile("\"crop_to_aspect_ratio\" and \"pad_to_aspect_ratio\" are both true");
  };
  const auto sample = [&](const std::string& what, Json::Array size, const Shape& input, Json::Object others) {
    others.set("size", std::move(size));
    type.samples.push_back({what, std::move(others), {input}});
  };
  const Shape wide{2, 3, 5, 12};
  const Shape high{2, 3, 11, 4};
  sample("bilinear", {4, 11}, {1, 3, 9, 7}, {});
  sample("cropped at the sides", {4, 6}, wide, {{"crop_to_aspect_ratio", true}});
  sample("cropped above and below", {9, 8}, high, {{"crop_to_aspect_ratio", true}, {"interpolation", "nearest"}});
  sample("framed at the sides", {4, 6}, high,
         {{"pad_to_aspect_ratio", true}, {"fill_value", 1.5}, {"interpolation", "bicubic"}});
  sample("framed above and below", {9, 8}, wide, {{"pad_to_aspect_ratio", true}, {"fill_value", -0.5}});
  for (const char* mode : {"bilinear", "bicubic"})
    sample(std::string("cropped, antialias, ") + mode, {3, 2}, wide,
           {{"crop_to_aspect_ratio", true}, {"antialias", true}, {"interpolation", mode}});
  for (const char* mode : {"lanczos3", "lanczos5"}) {
    sample(mode, {4, 15}, {2, 3, 9, 7}, {{"interpolation", mode}});
    sample(std::string(mode) + ", antialias", {4, 15}, {2, 3, 9, 12}, {{"interpolation", mode}, {"antialias", true}});
  }
  sample("lanczos3, framed", {4, 6}, high,
         {{"interpolation", "lanczos3"}, {"pad_to_aspect_ratio", true}, {"fill_value", 1.5}});
  return type;
}

LayerType center_crop() {
  LayerType type =
      fitting("CenterCrop",
              "cuts the middle out of images; where they are smaller, the largest part of that aspect ratio, resized",
              "center_crop.py");
  type.samples = {
      {"smaller", {{"size", Json::Array{4, 5}}}, {{2, 3, 9, 8}}},
      {"as high", {{"size", Json::Array{9, 3}}}, {{1, 3, 9, 8}}},
      {"larger", {{"size", Json::Array{12, 10}}}, {{2, 3, 9, 7}}},
      {"wider", {{"size", Json::Array{4, 10}}}, {{2, 3, 9, 7}}},
      {"a square", {{"size", Json::Array{5, 5}}}, {{1, 3, 9, 7}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {resizing(), center_crop()}; }

}  // namespace h5bridge::image_fitting
