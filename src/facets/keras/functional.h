// What the Keras facets of functions with parameters as inputs share.
#pragma once

#include <optional>
#include <string>

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"

namespace h5bridge {

/// The operand of that name, by position or by name; none if the call leaves it out.
std::optional<KerasEmitter::Handle> operand(const KerasEmitter& emitter, const Functional& row,
                                            const std::string& name);

/// A vector with a number for each channel, shaped to broadcast along the channels of a tensor of `rank` axes.
KerasEmitter::Handle along_channels(KerasEmitter& emitter, const std::string& suffix, KerasEmitter::Handle vector,
                                    const Attributes& attributes, std::size_t rank);

/// What the module `type` makes of x with these settings but without a weight and a bias, and then these along the
/// channels.
KerasEmitter::Handle emit_normalised(KerasEmitter& emitter, const Functional& row, const std::string& type,
                                     Attributes settings);

/// What a call emits one after the other, of which the last one has the layer's name.
class LastNamed {
 public:
  LastNamed(KerasEmitter& emitter, std::size_t count) : emitter_(emitter), left_(count) {}
  /// The suffix for the next of them.
  std::string next(const std::string& suffix) { return --left_ == 0 ? "" : suffix; }
  /// x * weight + bias, as far as there are.
  KerasEmitter::Handle affine(KerasEmitter::Handle x, const std::optional<KerasEmitter::Handle>& weight,
                              const std::optional<KerasEmitter::Handle>& bias);

 private:
  KerasEmitter& emitter_;
  std::size_t left_;
};

}  // namespace h5bridge
