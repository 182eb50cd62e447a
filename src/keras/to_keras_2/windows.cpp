#include "keras/to_keras_2/windows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/error.h"
#include "keras/to_keras_2/building.h"

namespace h5bridge {
namespace {

struct Pooled {
  std::size_t axis;
  std::int64_t from, to;
  // As PyTorch places the windows.
  std::int64_t first(std::int64_t place) const { return place * from / to; }
  std::int64_t last(std::int64_t place) const { return ((place + 1) * from + to - 1) / to; }
};

std::vector<Pooled> pooled_axes(const Json::Object& config, const Json& x) {
  const std::size_t count = shape_of(x).size() - 2;
  const std::size_t start = config.at("data_format") == Json("channels_first") ? 2 : 1;
  const Json& size = config.at("output_size");
  std::vector<Pooled> axes;
  for (std::size_t i = 0; i < count; ++i)
    axes.push_back(
        {start + i, fixed_extent(x, start + i), (size.is_array() ? size.as_array().at(i) : size).as_integer()});
  return axes;
}

// Windows of one size, none of which overlaps another, are a pooling layer's.
bool pooled_evenly(Parts& parts, const Json::Object& config, const Json& x, const std::vector<Pooled>& axes,
                   const std::string& kind) {
  if (std::ranges::any_of(axes, [](const Pooled& one) { return one.from % one.to != 0; })) return false;
  Json::Array window, shape = shape_of(x);
  for (const Pooled& one : axes) {
    window.emplace_back(one.from / one.to);
    shape[one.axis] = one.to;
  }
  Json::Object layer{{"trainable", true},  {"dtype", config.at("dtype")}, {"pool_size", window},
                     {"padding", "valid"}, {"strides", window},           {"data_format", config.at("data_format")}};
  parts.layer(kind + std::to_string(axes.size()) + "D", std::move(layer), x, shape);
  return true;
}

// An axis times a matrix with a row for each of its elements.
Json times_matrix(Parts& parts, const Json& x, const Pooled& one, Json::Array rows) {
  const std::size_t last = shape_of(x).size() - 1;
  std::vector<std::size_t> away, back;
  for (std::size_t axis = 0; axis <= last; ++axis) {
    if (axis != one.axis) away.push_back(axis);
    back.push_back(axis < one.axis ? axis : axis == one.axis ? last : axis - 1);
  }
  Json::Array shape;
  for (const std::size_t axis : away) shape.push_back(shape_of(x)[axis]);
  shape.emplace_back(one.to);
  const Json axes = Json::Array{Json::Array{one.axis}, Json::Array{0}};
  const Json made = parts.operation("Tensordot", {{"axes", axes}}, {x, array_of(std::move(rows), "float32")}, shape);
  return one.axis == last ? made : moved(parts, made, back);
}

// Weights that add up to 1 of what an element of the result takes.
template <typename WeightOf>
Json::Array matrix_of(const Pooled& one, WeightOf&& weight_of) {
  Json::Array rows(static_cast<std::size_t>(one.from), Json::Array());
  for (std::int64_t to = 0; to < one.to; ++to) {
    double total = 0;
    for (std::int64_t from = 0; from < one.from; ++from) total += weight_of(from, to);
    for (std::int64_t from = 0; from < one.from; ++from)
      rows[static_cast<std::size_t>(from)].as_array().emplace_back(weight_of(from, to) / total);
  }
  return rows;
}

// The mean over windows is a product with a matrix of shares.
Json averaged(Parts& parts, const Json& x, const Pooled& one) {
  return times_matrix(parts, x, one, matrix_of(one, [&](std::int64_t from, std::int64_t to) {
                        return from >= one.first(to) && from < one.last(to) ? 1.0 : 0.0;
                      }));
}

Json largest(Parts& parts, const Json& x, const Pooled& one) {
  Json::Array windows;
  for (std::int64_t place = 0; place < one.to; ++place) {
    Json::Array key;
    for (std::size_t axis = 0; axis <= one.axis; ++axis) {
      const bool is_it = axis == one.axis;
      Json start = is_it ? Json(one.first(place)) : Json(), stop = is_it ? Json(one.last(place)) : Json();
      key.push_back(slice_of(start, stop, nullptr));
    }
    const Json window = parts.item(x, key, with_extent(x, one.axis, one.last(place) - one.first(place)));
    windows.push_back(reduced(parts, "Max", window, {one.axis}));
  }
  if (windows.size() == 1) return windows[0];
  return parts.operation("Concatenate", {{"axis", one.axis}}, {windows}, with_extent(x, one.axis, one.to));
}

void pool(Parts& parts, const Json::Object& config, const Json::Array& args, bool is_mean) {
  const std::vector<Pooled> axes = pooled_axes(config, args[0]);
  if (pooled_evenly(parts, config, args[0], axes, is_mean ? "AveragePooling" : "MaxPooling")) return;
  if (dtype_of(args[0]) != "float32") throw Unsupported("it is of tensors of " + dtype_of(args[0]));
  Json made = args[0];
  for (const Pooled& one : axes)
    if (one.from != one.to) made = is_mean ? averaged(parts, made, one) : largest(parts, made, one);
}

// Keys's cubic with -0.5, as TensorFlow's and JAX's bicubic have it (tensorflow 2.15,
// core/kernels/image/resize_bicubic_op.cc).
double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

// TensorFlow looks weights up in a table of 1024 places, which is 5e-4 off: a product with their matrix is not.
Json interpolated(Parts& parts, const Json& x, const Pooled& one) {
  if (one.from == one.to) return x;
  const double step = static_cast<double>(one.from) / static_cast<double>(one.to);
  return times_matrix(parts, x, one, matrix_of(one, [&](std::int64_t from, std::int64_t to) {
                        return cubic(static_cast<double>(from) + 0.5 - step * (static_cast<double>(to) + 0.5));
                      }));
}

void resized(Parts& parts, const Json::Object& config, const Json& x, const std::array<std::int64_t, 2>& sizes) {
  const Json* format = config.find("data_format");
  const std::size_t start = format && *format == Json("channels_first") ? 2 : 1;
  if (shape_of(x).size() != 4 || dtype_of(x) != "float32")
    throw Unsupported("its interpolation is \"bicubic\", and not of pictures of float32");
  const Json rows = interpolated(parts, x, {start, fixed_extent(x, start), sizes[0]});
  interpolated(parts, rows, {start + 1, fixed_extent(x, start + 1), sizes[1]});
  if (parts.empty()) parts.operation("Copy", x);
}

}  // namespace

void average_pool(Parts& parts, const Json::Object& config, const Json::Array& args) {
  pool(parts, config, args, true);
}
void max_pool(Parts& parts, const Json::Object& config, const Json::Array& args) { pool(parts, config, args, false); }

void resizing(Parts& parts, const Json::Object& config, const Json::Array& args) {
  for (const char* key : {"crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"})
    if (const Json* value = config.find(key); value && *value == Json(true))
      throw Unsupported("its interpolation is \"bicubic\" and its " + std::string(key) + " true");
  resized(parts, config, args[0], {config.at("height").as_integer(), config.at("width").as_integer()});
}

void up_sampling(Parts& parts, const Json::Object& config, const Json::Array& args) {
  const Json *format = config.find("data_format"), &size = config.at("size");
  const std::size_t start = format && *format == Json("channels_first") ? 2 : 1;
  const auto larger = [&](std::size_t i) {
    return fixed_extent(args[0], start + i) * (size.is_array() ? size.as_array().at(i) : size).as_integer();
  };
  resized(parts, config, args[0], {larger(0), larger(1)});
}

}  // namespace h5bridge
