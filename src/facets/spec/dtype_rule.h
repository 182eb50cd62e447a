// What element types a layer's outputs have. A family's spec.cpp says it beside the shapes: `type.dtypes = {keeps(),
// gives(DType::Int64)}`. PyTorch's types are meant: tests/torch/dtypes_test.cpp asks LibTorch for every sample.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"
#include "model/tensor_type.h"

namespace h5bridge {

/// Of one output.
struct DTypeRule {
  enum class Source {
    Promotion,   // of operands, of attributes that are numbers in place of some, and of parameters
    Inputs,      // of the promotion of `inputs` alone
    Parameters,  // of the layer's parameters alone
    Fixed,       // `dtype`
    Truth        // bool, but uint8 of uint8, which was PyTorch's type of truth values once
  };
  /// What becomes of integers and truth values.
  enum class Integral { Stays, BecomesInt64, BecomesFloat };

  Source source = Source::Promotion;
  std::vector<std::size_t> inputs = {};
  DType dtype = DType::Float32;
  std::vector<std::string> numbers = {};
  bool with_one_integer = false;
  Integral integral = Integral::Stays;
  DType integer = DType::Int64;                        // what a number is that is one
  std::vector<std::pair<DType, DType>> becoming = {};  // what results of some types become, instead

  /// With attributes that are numbers in place of operands, where they are not None.
  DTypeRule with_numbers(std::vector<std::string> attributes) const;
  /// With an integer in place of an operand: x ** 2.
  DTypeRule with_integer() const;
  /// Integers give float32, PyTorch's default: square roots, quotients, means.
  DTypeRule at_least_float() const;
  /// Integers give int64: sums.
  DTypeRule at_least_int64() const;

  // What is Keras's own.

  /// A number in place of an operand is an int32, where it is an integer.
  DTypeRule with_keras_numbers(std::vector<std::string> attributes) const;
  /// Integers that are smaller give int32: sums.
  DTypeRule at_least_int32() const;
  /// Those that are larger do: what Keras promotes by itself, in which two int64 are an int32.
  DTypeRule at_most_int32() const;
  /// Truth values alone do: running sums.
  DTypeRule counting_truth() const;
  /// int8 does: products of matrices.
  DTypeRule widening_int8() const;
};

/// PyTorch's type promotion of all operands and parameters.
DTypeRule promotes();
/// That of input `input`.
DTypeRule keeps(std::size_t input = 0);
/// Type promotion of some inputs.
DTypeRule promotes_inputs(std::vector<std::size_t> inputs);
/// That of a table.
DTypeRule of_parameters();
DTypeRule gives(DType dtype);
/// That of PyTorch's `all` and `any`.
DTypeRule gives_truth();

/// The rules of all outputs; the last one is that of all further outputs, too. Where attributes decide, a function
/// gives the rules for them.
class DTypeRules {
 public:
  using Choice = std::function<std::vector<DTypeRule>(const Attributes&)>;
  DTypeRules(DTypeRule rule) : choice_([rule = std::move(rule)](const Attributes&) { return std::vector{rule}; }) {}
  DTypeRules(std::initializer_list<DTypeRule> rules)
      : choice_([rules = std::vector<DTypeRule>(rules)](const Attributes&) { return rules; }) {}
  DTypeRules(Choice choice) : choice_(std::move(choice)) {}
  std::vector<DTypeRule> of(const Attributes& attributes) const { return choice_(attributes); }

 private:
  Choice choice_;
};

/// What the attribute says; where it is None, what `otherwise` says.
DTypeRules of_attribute(std::string attribute, DTypeRule otherwise = keeps());

/// The type that `rule` gives for a call with these operands.
DType dtype_by(const DTypeRule& rule, const Attributes& attributes, const std::vector<TensorType>& inputs,
               const std::vector<TensorType>& parameters);

}  // namespace h5bridge
