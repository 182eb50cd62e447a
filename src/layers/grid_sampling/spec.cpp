// Places in an image, or a volume, and what stands there.
#include <algorithm>

#include "facets/spec/functional.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::grid_sampling {
namespace {

using Shapes = std::vector<SymbolicShape>;

bool may_be_equal(const Size& a, const Size& b) { return a == b || !a.value() || !b.value(); }

Shapes shapes(const Attributes& a, const Shapes& inputs) {
  const SymbolicShape &x = inputs.at(0), &grid = inputs.at(1);
  if (x.size() != 4 && x.size() != 5)
    throw MalformedFile("its input has shape " + to_string(x) + ", expected 4 or 5 axes");
  const Size axes(static_cast<std::int64_t>(x.size()) - 2);
  if (grid.size() != x.size() || !may_be_equal(grid.back(), axes) || !may_be_equal(grid[0], x[0]))
    throw MalformedFile("its grid has shape " + to_string(grid) + ", expected a place of " + axes.str() +
                        " numbers for each element of a result that has as many axes as its input, " + to_string(x));
  if (a.text("mode") == "bicubic" && x.size() != 4) throw MalformedFile("bicubic is for inputs of 4 axes");
  const Size& channels = x[channel_axis(a, static_cast<std::int64_t>(x.size()))];
  return {with_channels(a, x[0], channels, SymbolicShape(grid.begin() + 1, grid.end() - 1))};
}

LayerType grid_sample() {
  LayerType type;
  type.name = "grid_sample";
  type.summary =
      "what stands at places of an image or a volume; a place is numbers from -1 to 1 along the axes, the "
      "last axis first";
  type.source = "torch/nn/functional.py; aten/src/ATen/native/GridSampler.h";
  type.attributes = {text("mode", "bilinear", {"bilinear", "nearest", "bicubic"}, "how to go between elements"),
                     text("padding_mode", "zeros", {"zeros", "border", "reflection"}, "what stands outside"),
                     boolean("align_corners", false, "whether -1 and 1 are the middles of the outer elements"),
                     data_format()};
  type.operands = {required("input"), in_any_layout(required("grid"))};
  type.dtypes = keeps();
  type.shapes = shapes;
  type.layout = beside_operands(follows_data_format());
  const Shape image{3, 2, 5, 4}, places{3, 3, 6, 2}, volume{2, 3, 4, 3, 5}, places_in_it{2, 2, 3, 4, 3};
  for (const char* mode : {"bilinear", "nearest", "bicubic"})
    for (const char* padding : {"zeros", "border", "reflection"})
      for (const bool aligned : {false, true}) {
        const std::string what = std::string(mode) + ", " + padding + (aligned ? ", by the middles" : "");
        type.samples.push_back(
            {what, {{"mode", mode}, {"padding_mode", padding}, {"align_corners", aligned}}, {image, places}});
      }
  type.samples.push_back({"a volume", {}, {volume, places_in_it}});
  type.samples.push_back(
      {"the nearest of a volume", {{"mode", "nearest"}, {"padding_mode", "reflection"}}, {volume, places_in_it}});
  type.samples.push_back(
      {"one row", {{"padding_mode", "reflection"}, {"align_corners", true}}, {{1, 2, 1, 4}, {1, 3, 2, 2}}});
  return type;
}

Shapes places(const Attributes& a, const Shapes& inputs) {
  const SymbolicShape &theta = inputs.at(0), &size = a.sizes("size");
  const auto axes = static_cast<std::int64_t>(size.size()) - 2;
  if (axes != 2 && axes != 3) throw MalformedFile("\"size\" is " + to_string(size) + ", expected 4 or 5 numbers");
  if (theta.size() != 3 || !may_be_equal(theta[1], Size(axes)) || !may_be_equal(theta[2], Size(axes + 1)) ||
      !may_be_equal(theta[0], size[0]))
    throw MalformedFile("its matrices have shape " + to_string(theta) + ", expected " +
                        to_string(SymbolicShape{size[0], axes, axes + 1}));
  SymbolicShape grid{theta[0]};
  grid.insert(grid.end(), size.begin() + 2, size.end());
  grid.emplace_back(axes);
  return {grid};
}

LayerType affine_grid() {
  LayerType type;
  type.name = "affine_grid";
  type.summary =
      "where the elements of an image or a volume lie once a matrix has moved them, for grid_sample; input: a matrix "
      "for "
      "each";
  type.source = "torch/nn/functional.py; aten/src/ATen/native/AffineGridGenerator.cpp";
  type.attributes = {required_sizes("size", "the result's: (batch, channels, height, width), or a volume's"),
                     boolean("align_corners", false, "whether -1 and 1 are the middles of the outer elements")};
  type.operands = {required("theta")};
  type.dtypes = keeps();
  type.shapes = places;
  const Json batch = "batch";
  for (const bool aligned : {false, true}) {
    const std::string behind = aligned ? ", by the middles" : "";
    const auto add = [&](const std::string& what, const Json& size, Shape theta) {
      type.samples.push_back({what + behind, {{"size", size}, {"align_corners", aligned}}, {std::move(theta)}});
    };
    add("an image", Json::Array{batch, 3, 5, 4}, {3, 2, 3});
    add("a volume", Json::Array{batch, 1, 4, 3, 5}, {2, 3, 4});
    add("one row", Json::Array{batch, 2, 1, 4}, {2, 2, 3});
    add("open sizes", Json::Array{batch, 2, "2*batch", "batch"}, {2, 2, 3});
  }
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {grid_sample(), affine_grid()}; }

}  // namespace h5bridge::grid_sampling
