#include "facets/torch_source/resampling.h"
#include "facets/torch_source/signature.h"

namespace h5bridge::image_fitting {
namespace {

constexpr PythonHelper kCropped{"crop_to_ratio",
                                R"py(def crop_to_ratio(x, size):
    """The largest part of the images, from their middle, with the aspect ratio of a size."""
    (h, w), (height, width) = x.shape[-2:], size
    rows = max(min(h, int(float(w * height) / width)), 1)
    columns = max(min(w, int(float(h * width) / height)), 1)
    top, left = int((h - rows) / 2), int((w - columns) / 2)
    return x[..., top : top + rows, left : left + columns])py",
                                {},
                                R"ts(def crop_to_ratio(x: Tensor, size: List[int]) -> Tensor:
  h = x.shape[-2]
  w = x.shape[-1]
  rows = max(min(h, int(float(w * size[0]) / size[1])), 1)
  columns = max(min(w, int(float(h * size[1]) / size[0])), 1)
  top = int((h - rows) / 2)
  left = int((w - columns) / 2)
  return x[..., top : top + rows, left : left + columns]
)ts"};

constexpr PythonHelper kFramed{"pad_to_ratio",
                               R"py(def pad_to_ratio(x, size, value=0.0):
    """The images in the middle of the smallest frame with the aspect ratio of a size."""
    (h, w), (height, width) = x.shape[-2:], size
    rows = (max(h, int(float(w * height) / width)) - h) // 2
    columns = (max(w, int(float(h * width) / height)) - w) // 2
    return F.pad(x, (columns, columns, rows, rows), value=value))py",
                               {},
                               R"ts(def pad_to_ratio(x: Tensor, size: List[int], value: float=0.0) -> Tensor:
  h = x.shape[-2]
  w = x.shape[-1]
  rows = (max(h, int(float(w * size[0]) / size[1])) - h) // 2
  columns = (max(w, int(float(h * size[1]) / size[0])) - w) // 2
  return torch.pad(x, [columns, columns, rows, rows], value=value)
)ts"};

constexpr PythonHelper kCenterCrop{"center_crop",
                                   R"py(def center_crop(x, size):
    """As Keras: images that are too small are enlarged."""
    (h, w), (height, width) = x.shape[-2:], size
    if h < height or w < width:
        return F.interpolate(crop_to_ratio(x, size), size, mode="bilinear")
    top, left = (h - height) // 2, (w - width) // 2
    return x[..., top : top + height, left : left + width])py",
                                   {&kCropped},
                                   R"ts(def center_crop(x: Tensor, size: List[int]) -> Tensor:
  h = x.shape[-2]
  w = x.shape[-1]
  if h < size[0] or w < size[1]:
    return F.interpolate(crop_to_ratio(x, size), size, mode="bilinear")
  top = (h - size[0]) // 2
  left = (w - size[1]) // 2
  return x[..., top : top + size[0], left : left + size[1]]
)ts"};

Python resized(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const std::string size = python_value(a.at("size")).text;
  std::string x = call.input().text;
  if (a.boolean("crop_to_aspect_ratio")) x = call.helper(kCropped) + "(" + x + ", " + size + ")";
  if (a.boolean("pad_to_aspect_ratio"))
    x = call.helper(kFramed) + "(" + x + ", " + size +
        (a.number("fill_value") == 0 ? "" : ", " + python_float(a.number("fill_value"))) + ")";
  const std::string& interpolation = a.text("interpolation");
  if (interpolation != "nearest" && interpolation != "bilinear")
    return resampled(call, x, size, interpolation == "bicubic" ? "cubic" : interpolation);
  const std::string mode = interpolation == "nearest" ? "nearest-exact" : interpolation;
  const bool antialiases = a.boolean("antialias") && interpolation == "bilinear";
  return "F.interpolate(" + x + ", " + size + ", mode=" + python_string(mode) +
         (antialiases ? ", antialias=True)" : ")");
}

// With both sizes, even where they are one.
Python center_cropped(const SourceCall& call) {
  return call.helper(kCenterCrop) + "(" + call.input().text + ", " + python_value(call.attributes().at("size")).text +
         ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_code("Resizing", resized), torch_code("CenterCrop", center_cropped)};
}

}  // namespace h5bridge::image_fitting
