// Margins as Keras layers and operations, for the layers whose own padding cannot say them.
#pragma once

#include <string>
#include <vector>

#include "facets/keras/mapping.h"
#include "facets/spec/window.h"

namespace h5bridge {

bool any_margin(const std::vector<Margins>& margins);

/// How Keras writes the margins of `axes` spatial axes: pairs, the first axis first (one axis: a plain pair). Read,
/// too: one integer for an axis's two ends, or for all. Ours are flat, the first axis first or, as PyTorch has it, the
/// last.
Spelling margin_pairs(std::size_t axes, bool last_axis_first);

/// Samples of a Keras layer whose argument `argument` is such margins, in all the forms that Keras takes.
std::vector<KerasSample> margin_samples(const std::string& argument, std::size_t axes);

/// Takes "padding" out of a configuration. Throws Unsupported for a value that is none of `words`.
std::string take_padding_word(Json::Object& config, const std::vector<std::string>& words);

/// What torch.nn.functional.pad takes. Negative margins take elements away.
struct PaddingMode {
  std::string mode = "constant";
  double value = 0;
};

// Each is emitted after `input` for the spatial axes of a layer with `attributes` (data_format). What comes out last is
// named with `suffix`.

/// A ZeroPad1d, 2d or 3d. No margin may be negative.
KerasEmitter::Handle emit_zero_padding(const std::vector<Margins>& margins, const Attributes& attributes,
                                       KerasEmitter& emitter, KerasEmitter::Handle input,
                                       const std::string& suffix = "pad");
/// keras.ops.pad with a constant. Keras has no layer for other constants than zero.
KerasEmitter::Handle emit_constant_padding(const std::vector<Margins>& margins, double value,
                                           const Attributes& attributes, KerasEmitter& emitter,
                                           KerasEmitter::Handle input);
/// A Cropping1D, 2D or 3D, or slices where Keras's layer lacks the data format. No margin may be negative.
KerasEmitter::Handle emit_cropping(const std::vector<Margins>& margins, const Attributes& attributes,
                                   KerasEmitter& emitter, KerasEmitter::Handle input,
                                   const std::string& suffix = "crop");
/// Any of these, as the mode and the signs of the margins want it.
KerasEmitter::Handle emit_padding(const PaddingMode& mode, const std::vector<Margins>& margins,
                                  const Attributes& attributes, KerasEmitter& emitter, KerasEmitter::Handle input,
                                  const std::string& suffix = "pad");
/// The same for all axes of the input, the batch included, by operations alone.
KerasEmitter::Handle emit_padding_of_all_axes(const PaddingMode& mode, const std::vector<Margins>& margins,
                                              KerasEmitter& emitter, KerasEmitter::Handle input,
                                              const std::string& suffix = "pad");

}  // namespace h5bridge
