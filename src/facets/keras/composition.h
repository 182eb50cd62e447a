// What a type without a Keras layer of its own is composed of: operations of keras.ops one after the other, which keep
// track of their results' shapes and name themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "facets/keras/emit_ops.h"
#include "facets/keras/operation.h"

namespace h5bridge {

class Composition {
 public:
  using Handle = KerasEmitter::Handle;
  using Argument = KerasEmitter::Argument;

  /// Its operations are named after the layer, `prefix` and a number.
  explicit Composition(KerasEmitter& emitter, std::string prefix = "operation")
      : emitter_(emitter), prefix_(std::move(prefix)) {}

  const SymbolicShape& shape(Handle value) const { return emitter_.shape(value); }
  std::int64_t rank(Handle value) const { return static_cast<std::int64_t>(shape(value).size()); }
  KerasEmitter& emitter() { return emitter_; }

  /// An operation of `module` whose result has this shape.
  Handle apply(const std::string& class_name, std::vector<Argument> arguments, SymbolicShape shape,
               Json::Object config = {}, const std::string& module = kNumpy);
  /// An elementwise operation: its result has the shape that its arguments have together.
  Handle elementwise(const std::string& class_name, std::vector<Argument> arguments, Json::Object config = {},
                     const std::string& module = kNumpy);
  Handle cast(Handle x, const std::string& dtype) { return elementwise("Cast", {x}, {{"dtype", dtype}}, kCore); }
  Handle where(Handle condition, Argument yes, Argument no) {
    return elementwise("Where", {condition, std::move(yes), std::move(no)});
  }

  /// A reduction over one axis, which stays with size 1 or goes.
  Handle reduce(const std::string& class_name, Handle x, std::int64_t axis, bool keepdims,
                const std::string& module = kNumpy);
  Handle expand(Handle x, std::int64_t axis);
  /// Without an axis of size 1.
  Handle squeeze(Handle x, std::int64_t axis);
  /// x with axes in another order.
  Handle transpose(Handle x, const std::vector<std::int64_t>& axes);
  /// A part of one axis.
  Handle cut(Handle x, std::int64_t axis, const keras_ops::Cut& range);
  Handle concatenate(const std::vector<Handle>& parts, std::int64_t axis);
  /// The elements of an axis with these numbers.
  Handle take(Handle x, std::int64_t axis, const std::vector<std::int64_t>& numbers);
  /// Those that `indices` names, which has the sizes of x on the other axes.
  Handle take_along(Handle x, Handle indices, std::int64_t axis);

  /// Ones (int32) in the shape of x, but with size 1 on all other axes than `axes`: what is counted along axes is made
  /// of them.
  Handle ones_along(Handle x, const std::vector<std::int64_t>& axes);
  /// 0, 1, 2, ... along an axis of x, whatever its size, as int32; the other axes have size 1.
  Handle positions(Handle x, std::int64_t axis);
  /// The size of an axis: a number where it is known, else what counts its elements; all axes have size 1.
  Argument size(Handle x, std::int64_t axis);

 private:
  KerasEmitter& emitter_;
  std::string prefix_;
  int count_ = 0;
};

}  // namespace h5bridge
