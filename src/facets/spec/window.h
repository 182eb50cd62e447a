// What convolutions and poolings share: windows that slide over spatial axes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// A window along one spatial axis.
struct Window {
  std::int64_t kernel;
  std::int64_t stride;
  std::int64_t dilation = 1;
  std::int64_t extent() const { return dilation * (kernel - 1) + 1; }
};

/// One of which sizes may be open.
struct OpenWindow {
  Size kernel;
  Size stride;
  Size dilation = 1;
  Size extent() const { return dilation * (kernel - Size(1)) + Size(1); }
  /// With numbers, unless a size is open.
  std::optional<Window> known() const;
};

/// Elements added before and after an axis; negative: taken away.
struct Margins {
  std::int64_t before;
  std::int64_t after;
  bool operator==(const Margins&) const = default;
};

/// The windows of a layer with the attributes kernel_size, stride and, where it has one, dilation. Where stride is
/// None, it is the kernel's size, as for PyTorch's poolings.
std::vector<Window> windows_of(const Attributes& attributes);

/// The same where sizes may be open.
std::vector<OpenWindow> open_windows_of(const Attributes& attributes);

/// Keras's and TensorFlow's `same`: the output has ceil(size / stride) elements, and an odd margin ends in one more.
Margins same_margins(const Window& window, std::int64_t size);

/// Margins of which a ceil_mode without it makes the same windows: every one that begins inside of the padded axis, and
/// none that ends more than a stride behind it.
Margins with_ceil(const Window& window, Margins margins);

/// How many windows fit; with `ceil_mode`, one that begins inside but ends outside of the padded axis counts, too.
/// Source: torch/aten/src/ATen/native/Pool.h, pooling_output_shape.
Size windows_in(const Size& size, const Window& window, const Margins& margins, bool ceil_mode = false);

/// ceil(size / stride): the windows of `same` padding.
Size windows_in_same(const Size& size, const Window& window);

/// How many windows of a layer with these attributes, any of which may be open, fit along each of its axes. Throws
/// Unsupported where `ceil_mode` makes that hang on an open size in another way than by arithmetic.
SymbolicShape window_counts(const Attributes& attributes, const SymbolicShape& spatial, bool ceil_mode = false);

/// The attribute `padding`, where there is one, as margins of each axis. Not for "same", whose margins may depend on
/// the input's size.
std::vector<Margins> margins_of(const Attributes& attributes);
/// The list of torch.nn.functional.pad, the last axis first, as margins of its axes, the first one first; and back.
std::vector<Margins> margins_from(const std::vector<std::int64_t>& flat);
std::vector<std::int64_t> flat_from(const std::vector<Margins>& margins);
bool has_padding_word(const Attributes& attributes, const std::string& word);

/// The spatial part of an input's shape; throws MalformedFile unless the input has `axes` spatial axes besides batch
/// and channels.
SymbolicShape spatial_sizes(const Attributes& attributes, const SymbolicShape& input, std::size_t axes);
/// A shape with these channels and spatial sizes in the attributes' data format.
SymbolicShape with_channels(const Attributes& attributes, const Size& batch, const Size& channels,
                            const SymbolicShape& spatial);

/// Throws MalformedFile unless every element of the attribute is at least `least`, and below 2^31: larger ones are no
/// window's, and arithmetic on these cannot overflow.
void check_at_least(const Attributes& attributes, const std::string& attribute, std::int64_t least);

/// "2d", "3d": the end of PyTorch's names; "2D", "3D": of Keras's.
std::string torch_suffix(std::size_t axes);
std::string keras_suffix(std::size_t axes);

}  // namespace h5bridge
