// A vocabulary of keras.ops for the layers that Keras has no layer for. Each takes and gives the emitter's handles;
// `suffix` names the operation after the layer.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "facets/keras/mapping.h"

namespace h5bridge::keras_ops {

/// Python's slice(start, stop, step) of one axis.
struct Cut {
  std::int64_t start = 0;
  std::optional<std::int64_t> stop = {};
  std::int64_t step = 1;
};

/// x[key] with a cut for some axes and all of the others.
KerasEmitter::Handle cut(KerasEmitter& emitter, const std::string& suffix, KerasEmitter::Handle x,
                         const std::map<std::int64_t, Cut>& cuts);

/// An elementwise operation of one operand: "Absolute", "Negative", "OnesLike".
KerasEmitter::Handle elementwise(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name,
                                 KerasEmitter::Handle x);
/// One of two, of which the second broadcasts to the first: "Maximum", "Divide".
KerasEmitter::Handle elementwise(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name,
                                 KerasEmitter::Handle x1, KerasEmitter::Handle x2);
/// One of a value and a number.
KerasEmitter::Handle elementwise(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name,
                                 KerasEmitter::Handle x1, double x2);

/// A reduction that keeps its axes: "Mean", "Max", "Var".
KerasEmitter::Handle reduce(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name,
                            KerasEmitter::Handle x, const std::vector<std::int64_t>& axes);

/// x times `factor`, or x itself where that is 1.
KerasEmitter::Handle scaled(KerasEmitter& emitter, const std::string& suffix, KerasEmitter::Handle x, double factor);

/// An array among a call's arguments, as Keras serialises it. `values` are in C order.
Json constant(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& values);
Json constant(const std::vector<std::int64_t>& shape, const std::vector<double>& values);
/// The same of a tensor; of one without axes, the number alone.
Json constant(const Tensor& elements);

}  // namespace h5bridge::keras_ops
