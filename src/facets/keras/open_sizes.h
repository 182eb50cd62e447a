// Sizes that are open until a Keras model runs, as tensors in it. No node of Keras yields a shape, but ones along an
// axis are as many as it is long: their sum is its size, and their running sum counts its elements.
#pragma once

#include <map>
#include <string>

#include "facets/keras/composition.h"

namespace h5bridge {

/// Composes operations as any other; each is named after its class.
class OpenSizes : public Composition {
 public:
  /// A tensor, or a number.
  using Operand = KerasEmitter::Argument;

  /// Names what it emits with `prefix`.
  explicit OpenSizes(KerasEmitter& emitter, std::string prefix = "")
      : Composition(emitter, std::move(prefix), Names::Classes) {}

  // All are 32-bit integers, and throw Unsupported where nothing in the model tells a size.

  /// The size itself.
  Operand count(const Size& size);
  /// As many ones, in a vector.
  Handle ones(const Size& size);
  /// 0, 1, ..., size - 1.
  Handle range(const Size& size);

  /// `length` elements from `start` on, each `step` behind the one before.
  Handle part(const std::string& suffix, Handle x, std::int64_t axis, const Size& start, const Size& length,
              std::int64_t step = 1);
  /// A vector along one of `rank` axes.
  Handle along(Handle vector, std::int64_t axis, std::int64_t rank);
  /// Indices brought between 0 and size - 1.
  Handle clamped(Handle indices, const Size& size);

 private:
  Handle line_of_ones(Handle value, std::int64_t axis);
  Handle fixed_ones(std::int64_t count);
  Handle composed(const Size& size);
  Handle product(std::int64_t coefficient, const std::vector<Size>& atoms);
  Handle strided(Handle vector, std::int64_t start, std::int64_t step);
  Handle without_first(Handle vector, std::int64_t count);
  Handle joined(const std::vector<Handle>& vectors);

  std::map<std::string, Operand> counts_;
  std::map<std::string, Handle> ones_;
  std::map<std::string, Handle> ranges_;
};

}  // namespace h5bridge
