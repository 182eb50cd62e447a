#include <algorithm>

#include "facets/libtorch/layer.h"
#include "facets/spec/axes.h"

namespace h5bridge::reduction {
namespace {

using at::OptionalIntArrayRef;
using torch::Tensor;
using Axis = std::optional<std::int64_t>;

/// What the attribute `dim` names: some axes, or all.
class Axes {
 public:
  explicit Axes(const Attributes& a) {
    if (const auto* axes = std::get_if<std::vector<std::int64_t>>(&a.at("dim"))) axes_ = *axes;
  }
  operator OptionalIntArrayRef() const { return axes_.empty() ? OptionalIntArrayRef() : OptionalIntArrayRef(axes_); }
  operator at::IntArrayRef() const { return axes_; }
  bool are_all() const { return axes_.empty(); }

 private:
  std::vector<std::int64_t> axes_;
};

Axis axis_of(const Attributes& a) { return a.is_none("dim") ? std::nullopt : Axis(a.integer("dim")); }

// `function` takes the axes and keepdim.
template <typename Function>
TorchLayer over_axes(const char* type, Function function) {
  return {type, [function](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return unary([function, axes = Axes(a), keepdim = a.boolean("keepdim")](const Tensor& x) {
              return function(x, axes, keepdim);
            });
          }};
}

// `function` takes the axes, a number and keepdim.
template <typename Function>
TorchLayer over_axes(const char* type, const char* number, Function function) {
  return {
      type, [function, number](const Layer& layer) {
        const Attributes& a = layer.attributes;
        return unary([function, axes = Axes(a), value = torch::Scalar(a.number(number)),
                      keepdim = a.boolean("keepdim")](const Tensor& x) { return function(x, axes, value, keepdim); });
      }};
}

template <typename Function>
TorchLayer over_axis_or_all(const char* type, Function function) {
  return {type, [function](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return unary([function, axis = axis_of(a), keepdim = a.boolean("keepdim")](const Tensor& x) {
              return function(x, axis, keepdim);
            });
          }};
}

Tensor as_kept(const Tensor& result, const Tensor& input, bool keepdim) {
  return keepdim ? result.reshape(std::vector<std::int64_t>(input.dim(), 1)) : result;
}

// One of a pair of functions: of all elements, or the values along an axis and their places.
template <typename All, typename Along>
TorchLayer extreme(const char* type, All all, Along along) {
  return {type, [all, along](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return TorchInstance{
                nullptr, [all, along, axis = axis_of(a), keepdim = a.boolean("keepdim")](const TorchCall& call) {
                  const Tensor& x = call.inputs.at(0);
                  if (!axis) return TorchValues{as_kept(all(x), x, keepdim)};
                  const auto [values, places] = along(x, *axis, keepdim);
                  return TorchValues{values, places};
                }};
          }};
}

template <typename Function>
TorchLayer along_axis(const char* type, Function function) {
  return {type, [function](const Layer& layer) {
            return unary([function, axis = axis_of(layer.attributes)](const Tensor& x) {
              return axis ? function(x, *axis) : function(x.flatten(), 0);
            });
          }};
}

TorchInstance build_product(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([a, keepdim = a.boolean("keepdim")](const Tensor& x) {
    if (a.is_none("dim")) return as_kept(torch::prod(x), x, keepdim);
    std::vector<std::int64_t> axes = axes_in(a, "dim", x.dim());
    std::sort(axes.rbegin(), axes.rend());
    Tensor result = x;
    for (const std::int64_t axis : axes) result = torch::prod(result, axis, keepdim);
    return result;
  });
}

TorchInstance build_count(const Layer& layer) {
  const Axes axes(layer.attributes);
  return unary([axes](const Tensor& x) {
    return axes.are_all() ? torch::count_nonzero(x) : torch::count_nonzero(x, at::IntArrayRef(axes));
  });
}

// The extreme of the elements and, if given, of one besides.
template <typename Function>
TorchLayer bounded(const char* type, Function function, Tensor (*extreme)(const Tensor&, const Tensor&)) {
  return {type, [function, extreme](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return unary([function, extreme, a, axes = Axes(a)](const Tensor& x) {
              const Tensor result = function(x, axes, a.boolean("keepdim"));
              return a.is_none("initial") ? result
                                          : extreme(result, torch::tensor(a.number("initial"), result.options()));
            });
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      over_axes("mean", [](const Tensor& x, const Axes& axes,
                           bool keepdim) { return torch::mean(x, OptionalIntArrayRef(axes), keepdim); }),
      over_axes("sum", [](const Tensor& x, const Axes& axes,
                          bool keepdim) { return torch::sum(x, OptionalIntArrayRef(axes), keepdim); }),
      over_axes("nanmean", [](const Tensor& x, const Axes& axes,
                              bool keepdim) { return torch::nanmean(x, OptionalIntArrayRef(axes), keepdim); }),
      over_axes("nansum", [](const Tensor& x, const Axes& axes,
                             bool keepdim) { return torch::nansum(x, OptionalIntArrayRef(axes), keepdim); }),
      bounded(
          "amax", [](const Tensor& x, const Axes& axes, bool keepdim) { return torch::amax(x, axes, keepdim); },
          [](const Tensor& a, const Tensor& b) { return torch::maximum(a, b); }),
      bounded(
          "amin", [](const Tensor& x, const Axes& axes, bool keepdim) { return torch::amin(x, axes, keepdim); },
          [](const Tensor& a, const Tensor& b) { return torch::minimum(a, b); }),
      {"count_nonzero", build_count},
      {"diff",
       [](const Layer& layer) {
         return unary([n = layer.attributes.integer("n"), dim = layer.attributes.integer("dim")](const Tensor& x) {
           return torch::diff(x, n, dim);
         });
       }},
      over_axes("all",
                [](const Tensor& x, const Axes& axes, bool keepdim) {
                  return axes.are_all() ? as_kept(torch::all(x), x, keepdim)
                                        : torch::all(x, OptionalIntArrayRef(axes), keepdim);
                }),
      over_axes("any",
                [](const Tensor& x, const Axes& axes, bool keepdim) {
                  return axes.are_all() ? as_kept(torch::any(x), x, keepdim)
                                        : torch::any(x, OptionalIntArrayRef(axes), keepdim);
                }),
      over_axes("logsumexp", [](const Tensor& x, const Axes& axes,
                                bool keepdim) { return torch::logsumexp(x, at::IntArrayRef(axes), keepdim); }),
      over_axes("std", "correction",
                [](const Tensor& x, const Axes& axes, const torch::Scalar& n, bool keepdim) {
                  return torch::std(x, OptionalIntArrayRef(axes), n, keepdim);
                }),
      over_axes("var", "correction",
                [](const Tensor& x, const Axes& axes, const torch::Scalar& n, bool keepdim) {
                  return torch::var(x, OptionalIntArrayRef(axes), n, keepdim);
                }),
      over_axes("norm", "p",
                [](const Tensor& x, const Axes& axes, const torch::Scalar& p, bool keepdim) {
                  return at::linalg_vector_norm(x, p, OptionalIntArrayRef(axes), keepdim);
                }),
      {"prod", build_product},
      over_axis_or_all("argmax",
                       [](const Tensor& x, Axis axis, bool keepdim) { return torch::argmax(x, axis, keepdim); }),
      over_axis_or_all("argmin",
                       [](const Tensor& x, Axis axis, bool keepdim) { return torch::argmin(x, axis, keepdim); }),
      extreme(
          "max", [](const Tensor& x) { return torch::max(x); },
          [](const Tensor& x, std::int64_t axis, bool keepdim) { return torch::max(x, axis, keepdim); }),
      extreme(
          "min", [](const Tensor& x) { return torch::min(x); },
          [](const Tensor& x, std::int64_t axis, bool keepdim) { return torch::min(x, axis, keepdim); }),
      along_axis("cumsum", [](const Tensor& x, std::int64_t axis) { return torch::cumsum(x, axis); }),
      along_axis("cumprod", [](const Tensor& x, std::int64_t axis) { return torch::cumprod(x, axis); }),
  };
}

}  // namespace h5bridge::reduction
