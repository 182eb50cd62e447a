// What a type without a Keras layer of its own is composed of: operations of keras.ops one after the other. Each gives
// a value whose shape and element type are known (KerasEmitter::shape, dtype), and names itself.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "facets/keras/constant.h"
#include "facets/keras/operation.h"

namespace h5bridge {

namespace keras_ops {

/// Python's slice(start, stop, step) of one axis.
struct Cut {
  std::int64_t start = 0;
  std::optional<std::int64_t> stop = {};
  std::int64_t step = 1;
};

/// As Keras serialises it.
Json slice(const Cut& cut);

}  // namespace keras_ops

class Composition {
 public:
  using Handle = KerasEmitter::Handle;
  using Argument = KerasEmitter::Argument;

  /// Its operations are named after the layer, `prefix` and a number.
  explicit Composition(KerasEmitter& emitter, std::string prefix = "operation")
      : Composition(emitter, std::move(prefix), Names::Numbered) {}

  const SymbolicShape& shape(Handle value) const { return emitter_.shape(value); }
  std::int64_t rank(Handle value) const { return static_cast<std::int64_t>(shape(value).size()); }
  KerasEmitter& emitter() { return emitter_; }

  /// The next call has this constant by name, behind its other arguments.
  Composition& with(const std::string& parameter, Json constant);

  /// An operation of `module` whose result has this shape.
  Handle apply(const std::string& class_name, std::vector<Argument> arguments, SymbolicShape shape,
               Json::Object config = {}, const std::string& module = kNumpy);
  /// The layer's own operation, behind those that prepare its inputs: it has the layer's name and gives its output.
  Handle last(const std::string& class_name, std::vector<Argument> arguments, Json::Object config = {},
              const std::string& module = kNumpy);
  /// An elementwise operation: its result has the shape that its arguments have together.
  Handle elementwise(const std::string& class_name, std::vector<Argument> arguments, Json::Object config = {},
                     const std::string& module = kNumpy);
  Handle cast(Handle x, const std::string& dtype) { return elementwise("Cast", {x}, {{"dtype", dtype}}, kCore); }
  Handle where(Handle condition, Argument yes, Argument no) {
    return elementwise("Where", {condition, std::move(yes), std::move(no)});
  }
  /// x times `factor`, or x itself where that is 1.
  Handle scaled(Handle x, double factor);

  /// A reduction over one axis, which stays with size 1 or goes.
  Handle reduce(const std::string& class_name, Handle x, std::int64_t axis, bool keepdims,
                const std::string& module = kNumpy);
  /// Over several, which stay.
  Handle reduce(const std::string& class_name, Handle x, const std::vector<std::int64_t>& axes);
  Handle expand(Handle x, std::int64_t axis);
  /// Without an axis of size 1.
  Handle squeeze(Handle x, std::int64_t axis);
  /// x with axes in another order.
  Handle transpose(Handle x, const std::vector<std::int64_t>& axes);
  /// A part of one axis, or of several.
  Handle cut(Handle x, std::int64_t axis, const keras_ops::Cut& range) { return cut(x, {{axis, range}}); }
  Handle cut(Handle x, const std::map<std::int64_t, keras_ops::Cut>& cuts);
  Handle concatenate(const std::vector<Handle>& parts, std::int64_t axis);
  /// The elements of an axis with these numbers.
  Handle take(Handle x, std::int64_t axis, const std::vector<std::int64_t>& numbers);
  /// Those that `indices` names; its axes take that one's place.
  Handle take(Handle x, std::int64_t axis, Handle indices);
  /// Those that `indices` names, which has the sizes of x on the other axes.
  Handle take_along(Handle x, Handle indices, std::int64_t axis);

  /// Ones (int32) in the shape of x, but with size 1 on all other axes than `axes`: what is counted along axes is made
  /// of them.
  Handle ones_along(Handle x, const std::vector<std::int64_t>& axes);
  /// 0, 1, 2, ... along an axis of x, whatever its size, as int32; the other axes have size 1.
  Handle positions(Handle x, std::int64_t axis);
  /// The size of an axis: a number where it is known, else what counts its elements; all axes have size 1.
  Argument size(Handle x, std::int64_t axis);

 protected:
  enum class Names {
    Numbered,  // operation1, operation2, ...
    Given,     // the prefix is all of it
    Classes,   // the operation's class behind the prefix
  };

  Composition(KerasEmitter& emitter, std::string prefix, Names names)
      : emitter_(emitter), prefix_(std::move(prefix)), names_(names) {}

  friend Composition named(KerasEmitter& emitter, std::string suffix);

 private:
  std::string next_suffix(const std::string& class_name);

  KerasEmitter& emitter_;
  std::string prefix_;
  Names names_;
  std::vector<std::pair<std::string, Argument>> constants_;  // of the next call
  int count_ = 0;
};

/// For one operation, which is named after the layer with `suffix`; with none, it has the layer's own name:
/// named(emitter, "scaled").elementwise("Multiply", {x, factor}).
inline Composition named(KerasEmitter& emitter, std::string suffix) {
  return {emitter, std::move(suffix), Composition::Names::Given};
}

}  // namespace h5bridge
