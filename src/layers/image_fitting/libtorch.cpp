#include "layers/image_fitting/fit.h"
#include "layers/torch_layer.h"

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

// What each element of the output takes of each of the input's, along one axis.
// Source: jax/_src/image/scale.py, compute_weight_mat.
Tensor lanczos_weights(int radius, std::int64_t input, std::int64_t output, bool antialias) {
  const double step = static_cast<double>(input) / static_cast<double>(output);
  const double widening = antialias ? std::max(step, 1.0) : 1.0;
  std::vector<double> weights;
  for (std::int64_t o = 0; o < output; ++o) {
    const double place = (static_cast<double>(o) + 0.5) * step - 0.5;
    for (std::int64_t i = 0; i < input; ++i)
      weights.push_back(lanczos(radius, std::abs(place - static_cast<double>(i)) / widening));
  }
  const Tensor all = torch::tensor(weights, torch::kFloat64).view({output, input});
  return all / all.sum(1, true);
}

Tensor lanczos_resized(const Tensor& image, const Extents& size, int radius, bool antialias) {
  const auto weights = [&](std::int64_t input, std::int64_t output) {
    return lanczos_weights(radius, input, output, antialias).to(image.options());
  };
  const Extents own = extents_of(image);
  Tensor result = image;
  if (own.height != size.height) result = torch::matmul(weights(own.height, size.height), result);
  if (own.width != size.width) result = torch::matmul(result, weights(own.width, size.width).t());
  return result;
}

Tensor resized(const Tensor& image, const Extents& to, const std::string& interpolation, bool antialias) {
  const std::vector<std::int64_t> size{to.height, to.width};
  if (interpolation == "lanczos3") return lanczos_resized(image, to, 3, antialias);
  if (interpolation == "lanczos5") return lanczos_resized(image, to, 5, antialias);
  if (interpolation == "nearest") return at::_upsample_nearest_exact2d(image, size);
  if (interpolation == "bicubic")
    return antialias ? at::_upsample_bicubic2d_aa(image, size, false) : at::upsample_bicubic2d(image, size, false);
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
