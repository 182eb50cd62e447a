#include "facets/libtorch/layer.h"
#include "facets/libtorch/resampling.h"
#include "layers/image_fitting/fit.h"

namespace h5bridge::image_fitting {
namespace {

using torch::Tensor;

Extents extents_of(const Tensor& image) { return {image.size(2), image.size(3)}; }

Tensor part(const Tensor& image, const Extents& extents, std::int64_t top, std::int64_t left) {
  return image.narrow(2, top, extents.height).narrow(3, left, extents.width);
}

Tensor cropped(const Tensor& image, const Extents& wanted) {
  const Extents whole = extents_of(image);
  const Extents extents = largest_part(whole, wanted);
  return part(image, extents, before_middle(whole.height, extents.height), before_middle(whole.width, extents.width));
}

// As much on both sides: an odd rest is left out.
Tensor framed(const Tensor& image, const Extents& wanted, double value) {
  const Extents inner = extents_of(image);
  const Extents frame = smallest_frame(inner, wanted);
  const std::int64_t rows = before_middle(frame.height, inner.height);
  const std::int64_t columns = before_middle(frame.width, inner.width);
  return at::constant_pad_nd(image, {columns, columns, rows, rows}, value);
}

Tensor resized(const Tensor& image, const Extents& to, const std::string& interpolation, bool antialias) {
  const auto by = [&](const ResamplingFilter& filter) {
    return resampled(image, {to.height, to.width}, filter, antialias);
  };
  if (interpolation == "lanczos3") return by([](double distance) { return lanczos(3, distance); });
  if (interpolation == "lanczos5") return by([](double distance) { return lanczos(5, distance); });
  if (interpolation == "bicubic") return by(keys_cubic);
  const std::vector<std::int64_t> size{to.height, to.width};
  if (interpolation == "nearest") return at::_upsample_nearest_exact2d(image, size);
  return antialias ? at::_upsample_bilinear2d_aa(image, size, false) : at::upsample_bilinear2d(image, size, false);
}

Extents size_in(const Attributes& a) { return {a.integers("size")[0], a.integers("size")[1]}; }

TorchInstance resizing(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary(in_data_format(a, [a](const Tensor& input) {
    Tensor image = input;
    if (a.boolean("crop_to_aspect_ratio")) image = cropped(image, size_in(a));
    if (a.boolean("pad_to_aspect_ratio")) image = framed(image, size_in(a), a.number("fill_value"));
    return resized(image, size_in(a), a.text("interpolation"), a.boolean("antialias"));
  }));
}

TorchInstance center_crop(const Layer& layer) {
  return unary(in_data_format(layer.attributes, [size = size_in(layer.attributes)](const Tensor& input) {
    const Extents whole = extents_of(input);
    if (whole.height >= size.height && whole.width >= size.width)
      return part(input, size, before_middle(whole.height, size.height), before_middle(whole.width, size.width));
    return resized(cropped(input, size), size, "bilinear", false);
  }));
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"Resizing", resizing}, {"CenterCrop", center_crop}}; }

}  // namespace h5bridge::image_fitting
