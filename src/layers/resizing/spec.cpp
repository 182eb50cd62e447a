#include <algorithm>
#include <array>

#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/resizing/interpolation.h"

namespace h5bridge::resizing {
namespace {

// The modes that want a number of spatial axes.
struct Mode {
  const char* name;
  std::size_t axes;
};
constexpr std::array kModes{Mode{"linear", 1}, Mode{"bilinear", 2},  Mode{"bicubic", 2},
                            Mode{"cubic", 2},  Mode{"trilinear", 3}, Mode{"lanczos", 2}};

bool interpolates(const std::string& mode) { return mode != "nearest" && mode != "nearest-exact" && mode != "area"; }

void check(const Attributes& a) {
  if (a.is_none("size") == a.is_none("scale_factor"))
    throw MalformedFile("exactly one of \"size\" and \"scale_factor\" is expected");
  if (!a.is_none("scale_factor"))
    for (const double scale : a.numbers("scale_factor"))
      if (!(scale > 0)) throw MalformedFile("\"scale_factor\" is " + std::to_string(scale) + ", expected more than 0");
  if (!a.is_none("size")) {
    for (const Size& size : a.sizes("size"))
      if (size.value().value_or(1) < 1) throw MalformedFile("\"size\" is " + size.str() + ", expected at least 1");
    if (a.contains("recompute_scale_factor") && !a.is_none("recompute_scale_factor") &&
        a.boolean("recompute_scale_factor"))
      throw MalformedFile("\"recompute_scale_factor\" is true, but there is no scale factor");
  }
  const std::string& mode = a.text("mode");
  if (!interpolates(mode) && !a.is_none("align_corners"))
    throw MalformedFile("\"align_corners\" is set, which mode \"" + mode + "\" has no meaning for");
  const bool antialias = a.contains("antialias") && a.boolean("antialias");
  if (antialias && mode != "bilinear" && mode != "bicubic" && mode != "cubic" && mode != "lanczos")
    throw MalformedFile("\"antialias\" is true, which mode \"" + mode + "\" cannot do");
  if (mode == "lanczos" && (!antialias || aligns_corners(a)))
    throw MalformedFile("mode \"lanczos\" goes with \"antialias\" and without \"align_corners\"");
  if (mode == "cubic" && aligns_corners(a)) throw MalformedFile("mode \"cubic\" goes without \"align_corners\"");
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  if (input.size() < 3 || input.size() > 5)
    throw MalformedFile("its input has shape " + to_string(input) +
                        ", expected 1 to 3 axes besides batch and channels");
  const std::size_t axes = input.size() - 2;
  for (const Mode& mode : kModes)
    if (a.text("mode") == mode.name && axes != mode.axes)
      throw MalformedFile("mode \"" + a.text("mode") + "\" is for " + std::to_string(mode.axes) +
                          " spatial axes, its input has shape " + to_string(input));
  return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))],
                        resized(a, spatial_sizes(a, input, axes)))};
}

LayerType resizing(const std::string& name, const std::string& summary) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source =
      "torch/nn/modules/upsampling.py, torch/nn/functional.py; keras/src/layers/reshaping/, "
      "preprocessing/image_preprocessing/resizing.py";
  type.attributes = {
      or_none(required_sizes("size", "size of the output, one for all axes or one for each")),
      or_none(
          required_numbers("scale_factor", 0, "how many times larger the output is, one for all axes or one for each")),
      data_format(),
  };
  type.check = check;
  type.shapes = shapes;
  type.layout = follows_data_format();
  return type;
}

LayerType upsample() {
  LayerType type = resizing("Upsample", "resizes sequences, images and volumes by interpolation");
  type.attributes.push_back(text(
      "mode", "nearest",
      {"nearest", "nearest-exact", "linear", "bilinear", "bicubic", "cubic", "trilinear", "lanczos", "area"},
      "which elements count; bicubic is PyTorch's (a = -0.75), cubic the one that Keras calls bicubic (a = -0.5, and "
      "what lies outside does not count, as TensorFlow and JAX have it)"));
  type.attributes.push_back(
      or_none(boolean("align_corners", false, "whether the outermost elements stay where they are; None: false")));
  type.attributes.push_back(or_none(boolean(
      "recompute_scale_factor", false, "whether the sizes' ratio places the elements, not scale_factor; None: false")));
  type.attributes.push_back(boolean("antialias", false, "whether all elements count where the output is smaller"));
  const Shape image{2, 3, 5, 7};
  const auto sample = [&](const std::string& what, Json::Object attributes, const Shape& input) {
    type.samples.push_back({what, std::move(attributes), {input}});
  };
  sample("twice", {{"scale_factor", 2.0}}, image);
  const std::array<Shape, 3> inputs{Shape{2, 3, 7}, Shape{1, 3, 5, 7}, Shape{3, 2, 4, 3, 5}};
  for (const Shape& input : inputs) {
    const std::size_t axes = input.size() - 2;
    const std::string dimensions = std::to_string(axes) + "D: ";
    const std::string linear = axes == 1 ? "linear" : axes == 2 ? "bilinear" : "trilinear";
    Json::Array sizes(axes, Json(9));
    sizes[0] = 3;
    Json::Array scales(axes, Json(2.5));
    scales[0] = 1.3;
    for (const std::string& mode :
         {std::string("nearest"), std::string("nearest-exact"), std::string("area"), linear}) {
      sample(dimensions + mode + " to sizes", {{"size", sizes}, {"mode", mode}}, input);
      sample(dimensions + mode + " by scales", {{"scale_factor", scales}, {"mode", mode}}, input);
      sample(dimensions + mode + " by scales, recomputed",
             {{"scale_factor", scales}, {"mode", mode}, {"recompute_scale_factor", true}}, input);
    }
    sample(dimensions + "three times", {{"scale_factor", 3.0}}, input);
    sample(dimensions + linear + ", twice", {{"scale_factor", 2.0}, {"mode", linear}, {"align_corners", false}}, input);
    sample(dimensions + linear + ", corners aligned",
           {{"scale_factor", 2.0}, {"mode", linear}, {"align_corners", true}}, input);
    sample(dimensions + linear + ", corners aligned, to sizes",
           {{"size", sizes}, {"mode", linear}, {"align_corners", true}}, input);
  }
  const Json::Array barely{1.1, 2.1};  // one axis keeps its size, the other one doubles it
  for (const char* mode : {"nearest", "bilinear", "bicubic"})
    sample(std::string("barely, ") + mode, {{"scale_factor", barely}, {"mode", mode}}, image);
  sample("barely, of more than 128 rows and columns", {{"scale_factor", Json::Array{1.0, 2.1}}}, {1, 1, 118, 7});
  sample("barely, antialias", {{"scale_factor", Json::Array{0.4, 1.1}}, {"mode", "bilinear"}, {"antialias", true}},
         {2, 3, 9, 7});
  const Json::Array sizes{3, 9};
  const auto square = Json::Array{6};
  sample("bicubic to sizes", {{"size", sizes}, {"mode", "bicubic"}}, image);
  sample("bicubic to one size", {{"size", square}, {"mode", "bicubic"}}, image);
  sample("bicubic by a scale", {{"scale_factor", 1.7}, {"mode", "bicubic"}}, image);
  sample("bicubic, corners aligned", {{"scale_factor", 2.0}, {"mode", "bicubic"}, {"align_corners", true}}, image);
  sample("cubic to sizes", {{"size", sizes}, {"mode", "cubic"}}, image);
  sample("cubic by a scale", {{"scale_factor", 1.7}, {"mode", "cubic"}}, image);
  for (const char* mode : {"bilinear", "bicubic", "cubic", "lanczos"}) {
    sample(std::string("antialias, ") + mode, {{"size", Json::Array{2, 9}}, {"mode", mode}, {"antialias", true}},
           {2, 3, 9, 7});
    sample(std::string("antialias by a scale, ") + mode, {{"scale_factor", 0.4}, {"mode", mode}, {"antialias", true}},
           {2, 3, 9, 7});
  }
  return type;
}

// nn.UpsamplingNearest2d and UpsamplingBilinear2d are Upsample with a mode of their own.
LayerType of_mode(const std::string& name, const std::string& mode, const AttributeValue& align_corners) {
  LayerType type = resizing(name, "Upsample of images with mode \"" + mode + "\"");
  type.attributes.push_back(text("mode", mode, {mode}, "fixed"));
  type.attributes.push_back(or_none(boolean("align_corners", false, "fixed")));
  type.attributes.back().fallback = align_corners;
  const Shape image{2, 3, 5, 7};
  type.samples = {
      {"twice", {{"scale_factor", 2.0}}, {image}},
      {"by scales", {{"scale_factor", Json::Array{1.3, 2.5}}}, {image}},
      {"to sizes", {{"size", Json::Array{3, 9}}}, {image}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {upsample(), of_mode("UpsamplingNearest2d", "nearest", std::monostate{}),
          of_mode("UpsamplingBilinear2d", "bilinear", true)};
}

}  // namespace h5bridge::resizing
