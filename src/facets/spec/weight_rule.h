// How a layer's PyTorch tensors and its Keras variables relate: data, read in one direction by the exporter and in the
// other by the importer, so that the two cannot drift apart.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// Axis i of the Keras side is axis axes[i] of the PyTorch side.
struct PermuteAxes {
  std::vector<std::int64_t> axes;
};

/// The same elements under another shape.
struct ChangeShape {
  Shape torch;
  Shape keras;
};

/// Joins all tensors along `axis` (PyTorch to Keras); `extents` are theirs along it.
struct Join {
  std::int64_t axis;
  std::vector<std::int64_t> extents;
};

/// Cuts each tensor along `axis` into parts of these extents (PyTorch to Keras): first stand the first parts of all
/// tensors, then the second ones, and so on. Where `first_is_cut`, the first extents.size() tensors are the parts of
/// one already.
struct Split {
  std::int64_t axis;
  std::vector<std::int64_t> extents;
  bool first_is_cut = false;
};

/// The blocks of axis 0, one for each of attention's heads, become two axes: the last ones of the Keras side. Each
/// tensor may have heads of its own number.
struct HeadsLast {
  std::vector<std::int64_t> heads;  // of each tensor in turn; one for all that follow
  std::int64_t of(std::size_t tensor) const { return heads.at(std::min(tensor, heads.size() - 1)); }
};

/// Cuts `axis` into order.size() equal blocks; block i of the Keras side is block order[i] of the PyTorch side.
struct ReorderBlocks {
  std::int64_t axis;
  std::vector<std::int64_t> order;
};

/// Adds `count` tensors up, of which PyTorch's layer adds each: an LSTM's two biases. The way back is not exact: the
/// first is the sum and the others are zeros, unless the tensors were kept (a residual) and still have this sum.
struct Sum {
  std::size_t count;
};

/// Multiplies a matrix by one that another rule carries (WeightRule::given), or two such by each other: an LSTM's
/// weight_hh by the projection weight_hr. The way back is exact if the matrix was kept and still has this product.
/// Otherwise it is one that has the product but for rounding, if there is any.
struct Product {};

using WeightStep = std::variant<PermuteAxes, ChangeShape, Join, Split, HeadsLast, ReorderBlocks, Sum, Product>;

/// Whether to_torch may not give back what to_keras took.
bool is_lossy(std::span<const WeightStep> steps);
bool has_product(std::span<const WeightStep> steps);
/// The other steps: what becomes of one of the tensors of a sum.
std::vector<WeightStep> without_sums(std::span<const WeightStep> steps);

/// Tensors of the PyTorch side through `steps`; the views that come out share their bytes. `given` are those for a
/// product.
std::vector<Tensor> to_keras(std::span<const WeightStep> steps, std::vector<Tensor> tensors,
                             std::span<const Tensor> given = {});
/// The inverse of to_keras, derived from the same steps. Throws Unsupported where a product has no factor.
std::vector<Tensor> to_torch(std::span<const WeightStep> steps, std::vector<Tensor> tensors,
                             std::span<const Tensor> given = {});

/// The steps that undo `steps`. Throws std::logic_error for joins, splits, sums and products, which have no single
/// tensor to begin with, and for heads.
std::vector<WeightStep> inverse(std::span<const WeightStep> steps);

struct WeightRule {
  std::vector<std::string> torch;  // state_dict names, relative to the layer
  std::vector<std::string> keras;  // variable paths, relative to the Keras layer; "{layer/cell}" are the names of those
                                   // that it wraps as such
  std::vector<WeightStep> steps = {};
  bool trainable = true;                // Keras's view of the variables
  std::string part = {};                // which of the layer's Keras layers: the suffix that it is emitted with
  std::vector<std::string> given = {};  // tensors of the layer that other rules carry and that a product takes besides
  std::string object = {};  // the attributes that lead from the Keras layer to what has the variables, "cell"; members
                            // of its configuration in braces, where it has them: "{cell/cells/0}"
  std::vector<std::string> objects = {};  // likewise, of each variable, where they are not all in one
};

/// A PyTorch tensor that Keras has no place for. It is kept beside the model; `fallback` stands in where it is not
/// there.
struct ResidualRule {
  std::string torch;
  Tensor fallback;
  bool is_constant = false;  // Keras computes with `fallback`, so that the tensor has to be that
};

struct WeightRules {
  std::vector<WeightRule> rules = {};
  std::vector<ResidualRule> residuals = {};
};

}  // namespace h5bridge
