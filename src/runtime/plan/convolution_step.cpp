#include "runtime/plan/convolution_step.h"

#include <algorithm>
#include <numeric>

#include "runtime/plan/onednn.h"
#include "runtime/plan/reuse.h"

namespace h5bridge::plan {
namespace {

using torch::Tensor;

// Values as a convolution of two or three spatial axes wants them: channels on axis 1, and, of one spatial axis, one
// more of size 1 before it. Views alone, both ways.
class Planes {
 public:
  explicit Planes(const Convolution& convolution)
      : is_line_(convolution.stride.size() == 1), is_last_(convolution.channels_last) {
    const auto rank = static_cast<std::int64_t>(convolution.stride.size()) + 2;
    first_.push_back(0);
    first_.push_back(rank - 1);
    last_.push_back(0);
    for (std::int64_t axis = 1; axis + 1 < rank; ++axis) {
      first_.push_back(axis);
      last_.push_back(axis + 1);
    }
    last_.push_back(1);
  }

  Tensor of(const Tensor& value, const std::function<Tensor(const Tensor&)>& lengthened = {}) const {
    Tensor moved = is_last_ ? value.permute(first_) : value;
    if (lengthened) moved = lengthened(moved);
    return is_line_ ? moved.unsqueeze(2) : moved;
  }
  Tensor back(const Tensor& planes) const {
    const Tensor moved = is_line_ ? planes.squeeze(2) : planes;
    return is_last_ ? moved.permute(last_) : moved;
  }

 private:
  bool is_line_;
  bool is_last_;
  std::vector<std::int64_t> first_;  // the axes of a permute that brings the channels to axis 1
  std::vector<std::int64_t> last_;   // and back
};

Convolution with_two_axes(Convolution convolution) {
  if (convolution.stride.size() != 1) return convolution;
  convolution.weight = convolution.weight.unsqueeze(2);
  convolution.stride.insert(convolution.stride.begin(), 1);
  convolution.padding.insert(convolution.padding.begin(), 0);
  convolution.dilation.insert(convolution.dilation.begin(), 1);
  return convolution;
}

class ConvolutionStep : public Step {
 public:
  ConvolutionStep(const Node& node, const Graph& graph, Copies& copies)
      : planes_(std::get<Convolution>(node.operation)),
        convolution_(with_two_axes(std::get<Convolution>(node.operation))),
        activation_(node.activation),
        input_(node.inputs[0]),
        addend_(node.addend),
        output_(node.output()) {
    convolution_.bias = copies.of(convolution_.bias);
    is_packed_ = has_onednn();
    is_joined_ = is_packed_ && activation_ && joins(*activation_);
    if (is_packed_) {
      std::vector<std::int64_t> sizes = graph.values[input_].sizes;
      for (std::int64_t& size : sizes) size = std::max(size, std::int64_t{1});
      weight_ = packed_weight(convolution_, planes_.of(torch::empty(sizes), convolution_.lengthened).sizes().vec());
    }
    if (!weight_.defined()) {
      is_packed_ = is_joined_ = false;
      weight_ = copies.of(convolution_.weight);
    }
    convolution_.weight = Tensor();
  }

  void run(Frame& frame) const override {
    const Tensor input = planes_.of(frame.values[input_], convolution_.lengthened);
    Tensor result = is_packed_ ? packed(frame, input.contiguous(format())) : plain(frame, input, weight_);
    if (activation_ && !is_joined_ && !addend_) activation_->in_place(result);
    result = planes_.back(result);
    const auto& afterwards = convolution_.afterwards.function;
    frame.values[output_] = afterwards ? afterwards(result) : result;
  }

 private:
  at::MemoryFormat format() const {
    return convolution_.stride.size() == 3 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  }

  std::vector<std::int64_t> output_sizes(const Tensor& input) const {
    const Convolution& c = convolution_;
    std::vector<std::int64_t> result{input.size(0), weight_.size(0)};
    for (std::size_t axis = 0; axis < c.stride.size(); ++axis) {
      const auto place = static_cast<std::int64_t>(axis) + 2;
      const std::int64_t extent = c.dilation[axis] * (weight_.size(place) - 1) + 1;
      const std::int64_t room = input.size(place) + 2 * c.padding[axis] - extent;
      result.push_back(room < 0 ? 0 : room / c.stride[axis] + 1);
    }
    return result;
  }

  // Nothing, or too little for the kernel, is for the plain convolution to compute or to refuse.
  Tensor packed(Frame& frame, const Tensor& input) const {
    const std::vector<std::int64_t> sizes = output_sizes(input);
    if (std::ranges::find(sizes, 0) != sizes.end()) return plain(frame, input, weight_.to_dense());
    if (!addend_) return convolve(input, weight_, convolution_, is_joined_ ? &*activation_ : nullptr);
    Tensor& addend = frame.values[*addend_];
    // Open sizes may be broadcast in one call, and not in another.
    if (planes_.of(addend).sizes() != at::IntArrayRef(sizes)) {
      const Tensor sum = convolve(input, weight_, convolution_, nullptr) + planes_.of(addend);
      return activation_ ? sum.relu() : sum;
    }
    const bool is_last = std::ranges::find(last_used, *addend_) != last_used.end();
    const bool reuses = is_last && is_free(addend);
    const Tensor planes = planes_.of(addend);
    const bool in_order = planes.is_contiguous(format());
    return convolve_and_add(input, weight_, convolution_, in_order ? planes : planes.contiguous(format()),
                            activation_.has_value(), reuses || !in_order);
  }

  Tensor plain(const Frame& frame, const Tensor& input, const Tensor& weight) const {
    const Convolution& c = convolution_;
    const Tensor result =
        at::convolution(input, weight, c.bias.defined() ? std::optional(c.bias) : std::nullopt, c.stride, c.padding,
                        c.dilation, false, std::vector<std::int64_t>(c.stride.size()), c.groups);
    if (!addend_) return result;
    const Tensor sum = result + planes_.of(frame.values[*addend_]);
    return activation_ ? sum.relu() : sum;
  }

  Planes planes_;
  Convolution convolution_;  // of two or three axes
  std::optional<Activation> activation_;
  Slot input_;
  std::optional<Slot> addend_;
  Slot output_;
  Tensor weight_;
  bool is_packed_ = false;
  bool is_joined_ = false;  // the activation, to the convolution
};

}  // namespace

std::unique_ptr<Step> convolution_step(const Node& node, const Graph& graph, Copies& copies) {
  return std::make_unique<ConvolutionStep>(node, graph, copies);
}

}  // namespace h5bridge::plan
