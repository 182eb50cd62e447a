// What a layer computes in evaluation mode, in the few words in which the inference plan joins layers: a facet beside
// forward, by which a type that has one describes itself. A layer without is called as it is.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "facets/spec/window.h"
#include "h5bridge/architecture.h"

namespace h5bridge {
struct TorchCall;
}

namespace h5bridge::plan {

/// Nothing that the plan has words for.
struct Opaque {};

/// The layer keeps something from one call to the next, so that only the instance itself can be called.
struct Remembers {};

/// The layer has a way of its own to compute the same faster, which has to be prepared.
struct Prepared {
  using Forward = std::function<std::vector<torch::Tensor>(const TorchCall&)>;
  /// For a first input of these sizes, others being right, too; empty where that cannot be. It has copies of what it
  /// wants of the tensors.
  std::function<Forward(const std::vector<std::int64_t>& input_sizes)> prepare;
};

/// The output is the input.
struct Identity {};

/// Element by element.
struct Activation {
  std::string name;                              // that LibTorch has for it in what it joins by oneDNN
  std::vector<std::optional<double>> numbers{};  // further settings there
  std::string algorithm{};
  std::function<void(torch::Tensor&)> in_place;  // replaces a tensor's elements
};

/// A constant is added to the channels of its input after they were multiplied by another: (channels) each.
struct ChannelAffine {
  torch::Tensor scale;
  torch::Tensor shift;
  bool on_last_axis = false;  // of any rank; else the channels are on axis 1
};

/// Zeros around the spatial axes; channels are on axis 1, or last.
struct ZeroPadding {
  std::vector<Margins> margins;  // of each spatial axis
  bool channels_last = false;
};

/// Two tensors are added.
struct Sum {};

/// What follows a layer's main part as one of its settings: an activation that can be joined, or any other function.
struct Afterwards {
  std::optional<Activation> activation;
  std::function<torch::Tensor(const torch::Tensor&)> function;  // empty: none
};

/// weight is (out, in/groups, kernel...), bias (out) or undefined.
struct Convolution {
  torch::Tensor weight;
  torch::Tensor bias;
  std::function<torch::Tensor(const torch::Tensor&)> lengthened;  // the input, channels on axis 1; empty: as it is
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;  // on both sides of each spatial axis
  std::vector<std::int64_t> dilation;
  std::int64_t groups = 1;
  bool channels_last = false;
  Afterwards afterwards;
};

/// The last axis times weight (out, in), and bias (out) or undefined.
struct Linear {
  torch::Tensor weight;
  torch::Tensor bias;
  Afterwards afterwards;
};

using Operation = std::variant<Opaque, Remembers, Prepared, Identity, Activation, ChannelAffine, ZeroPadding, Sum,
                               Convolution, Linear>;

/// The attribute `activation` of a layer.
Afterwards afterwards_of(const Attributes& attributes);

}  // namespace h5bridge::plan
