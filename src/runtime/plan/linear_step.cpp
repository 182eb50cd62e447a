#include "runtime/plan/linear_step.h"

#include "runtime/plan/small_product.h"

namespace h5bridge::plan {
namespace {

using torch::Tensor;

class LinearStep : public Step {
 public:
  LinearStep(const Node& node, Copies& copies)
      : linear_(std::get<Linear>(node.operation)),
        activation_(node.activation),
        is_relu_(activation_ && activation_->name == "relu"),
        input_(node.inputs[0]),
        output_(node.output()) {
    linear_.weight = copies.of(linear_.weight).contiguous();
    linear_.bias = copies.of(linear_.bias);
    out_ = linear_.weight.size(0);
    in_ = linear_.weight.size(1);
    if (SmallProduct::is_for(1, in_, out_))
      small_.emplace(linear_.weight.const_data_ptr<float>(),
                     linear_.bias.defined() ? linear_.bias.const_data_ptr<float>() : nullptr, in_, out_);
  }

  void run(Frame& frame) const override {
    const Tensor& input = frame.values[input_];
    const bool is_small = small_ && input.dim() == 2 && SmallProduct::is_for(input.size(0), in_, out_) &&
                          input.size(1) == in_ && input.is_contiguous();
    Tensor result = is_small ? small(input)
                             : at::linear(input, linear_.weight,
                                          linear_.bias.defined() ? std::optional(linear_.bias) : std::nullopt);
    if (activation_ && !(is_small && is_relu_)) activation_->in_place(result);
    const auto& afterwards = linear_.afterwards.function;
    frame.values[output_] = afterwards ? afterwards(result) : std::move(result);
  }

 private:
  Tensor small(const Tensor& input) const {
    Tensor result = at::detail::empty_cpu({input.size(0), out_}, input.options());
    small_->compute(input.const_data_ptr<float>(), result.mutable_data_ptr<float>(), input.size(0), is_relu_);
    return result;
  }

  Linear linear_;
  std::optional<Activation> activation_;
  bool is_relu_;
  Slot input_;
  Slot output_;
  std::int64_t in_ = 0;
  std::int64_t out_ = 0;
  std::optional<SmallProduct> small_;
};

}  // namespace

std::unique_ptr<Step> linear_step(const Node& node, Copies& copies) {
  return std::make_unique<LinearStep>(node, copies);
}

}  // namespace h5bridge::plan
