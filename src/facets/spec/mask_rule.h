// What becomes of Keras's masks at a layer. A mask has a truth value for each step of a sequence, (batch, steps):
// whether it counts. Keras hands them on beside the values, unseen; PyTorch has none, so that what takes one is given
// it by name (Operand::mask_of). Source: supports_masking and compute_mask of keras/src/layers/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

struct MaskRule {
  enum class Kind {
    Drops,
    Passes,  // the mask of the first input, unless the output has lost an axis
    Makes,   // one of its own
    Joins    // those of its inputs, as Keras 1 and 2 do without saying so; Keras 3 writes out what it makes of them
  };
  /// The layer that makes one mask of two, and whether each input has to have one.
  struct Joint {
    Layer step;
    bool needs_all = false;
  };
  /// What Keras 3 computes with where an element of an input does not count.
  enum class Uncounted {
    Itself,
    One,    // and gives 0 where it counts in no input
    Others  // those of the other inputs that count; the first input's where none does
  };

  Kind kind = Kind::Drops;
  /// Of Makes: the layers that make the mask from the input, one after the other; none where this layer makes no mask.
  std::function<std::vector<Layer>(const Layer&)> steps = {};
  /// Of Joins, given the rank of the output; nullopt where there is no layer for it.
  std::function<std::optional<Joint>(const Layer&, std::int64_t rank)> joint = {};
  /// Of Joins: the layer that makes Keras 3's one of two; it makes one only where all inputs have one. None: not known.
  std::function<Layer()> joint_in_keras_3 = {};
  Uncounted uncounted = Uncounted::Itself;
};

inline MaskRule drops_mask() { return {}; }
inline MaskRule passes_mask() { return {.kind = MaskRule::Kind::Passes}; }
inline MaskRule makes_mask(std::function<std::vector<Layer>(const Layer&)> steps) {
  return {.kind = MaskRule::Kind::Makes, .steps = std::move(steps)};
}
inline MaskRule joins_masks(std::function<std::optional<MaskRule::Joint>(const Layer&, std::int64_t rank)> joint,
                            std::function<Layer()> joint_in_keras_3 = {},
                            MaskRule::Uncounted uncounted = MaskRule::Uncounted::Itself) {
  return {.kind = MaskRule::Kind::Joins,
          .joint = std::move(joint),
          .joint_in_keras_3 = std::move(joint_in_keras_3),
          .uncounted = uncounted};
}

}  // namespace h5bridge
