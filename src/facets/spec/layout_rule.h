// How a layer takes part in a change of layout (passes/layout.cpp). The pass walks the graph and keeps, for every
// value, how the axes that are stored relate to those that the source architecture speaks of; each layer's rule says
// what its attributes become and how its outputs are arranged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Elements that a flatten put into another order than the source architecture's: its axis `axis` is the flattened
/// `extents`, taken in the order `order` (stored = original.reshape(extents).permute(order)).
struct FlattenedOrder {
  std::vector<std::int64_t> extents;
  std::vector<std::int64_t> order;
  bool operator==(const FlattenedOrder&) const = default;
};

/// stored = original.permute(axes); where `flattened` is set, the elements along the last axis are reordered as well.
struct Arrangement {
  std::vector<std::int64_t> axes;
  std::optional<FlattenedOrder> flattened;
  static Arrangement original(std::size_t rank);
  bool is_original() const;
  /// The stored index of the original axis `axis`.
  std::int64_t stored_axis(std::int64_t axis) const;
  bool operator==(const Arrangement&) const = default;
};

/// A layer's view of the pass: one call of it.
class LayoutCall {
 public:
  virtual ~LayoutCall() = default;
  virtual std::size_t input_count() const = 0;
  virtual std::size_t output_count() const = 0;
  /// How input `i` comes.
  virtual const Arrangement& input(std::size_t i) const = 0;
  /// The input's shape in the source architecture's order of axes.
  virtual const SymbolicShape& input_shape(std::size_t i) const = 0;
  virtual const SymbolicShape& output_shape(std::size_t i) const = 0;
  /// Asks for input `i` arranged otherwise: a permute is inserted before this call.
  virtual void require(std::size_t i, const Arrangement& wanted) = 0;
  /// The attributes, to be rewritten for the new arrangement.
  virtual Attributes& attributes() = 0;
  /// Changes the call into one of another type.
  virtual void become(const std::string& type, Attributes attributes) = 0;
  /// Says that the call has nothing left to do: its output is its input as it is stored.
  virtual void vanish() = 0;
  /// Reorders axis `axis` of the layer's parameter `parameter` as the input's features are ordered.
  virtual void reorder_parameter(const std::string& parameter, std::int64_t axis, const FlattenedOrder& order) = 0;
  /// Permutes the axes of the layer's parameter `parameter`: axis i of the new one is axis axes[i] of the old one.
  virtual void permute_parameter(const std::string& parameter, const std::vector<std::int64_t>& axes) = 0;
  /// Whether a flatten may leave its elements in another order; if not, a consumer of them needs the original one.
  virtual bool may_reorder() const = 0;
  /// Whether a consumer of output `i` is better off if its channels are moved.
  virtual bool is_wished(std::size_t i) const = 0;
  /// Whether channels are to come last.
  virtual bool wants_channels_last() const = 0;
  /// Whether a Keras model is to come out, which has an order of its own for flattening channels_first.
  virtual bool wants_keras() const = 0;
  /// Whether the layer is one that a Keras model has by name, so that it may not vanish.
  virtual bool is_keras_own() const = 0;
  /// Whether the function that the attribute `activation` names works along an axis (softmax).
  virtual bool activation_works_along_axis() const = 0;
  /// What Keras says of the layer beyond its attributes.
  virtual KerasOrigin& keras() = 0;
  /// Says that what works on the last axis makes an image of an image that has its channels there.
  virtual void keep_image() = 0;
  /// How output `i` is arranged; left unsaid, in the original way.
  virtual void set_output(std::size_t i, Arrangement arrangement) = 0;
};

/// What a layer makes of a wish for channels_last that comes from its consumers.
enum class LayoutWish {
  Neutral,      // ends it
  PassesOn,     // hands it on to its inputs
  PassesAlong,  // hands it on to layers of this kind that make its inputs: they add axes one after the other
  ChannelsLast  // has it itself
};

struct LayoutRule {
  LayoutWish wish;
  std::function<void(LayoutCall&)> apply;
  /// Of a layer that is a tensor of the model's own: changes the attributes so that its output comes permuted (its axis
  /// i is axis axes[i] of what it was), and gives the parameters to be permuted likewise.
  std::function<std::vector<std::string>(Attributes&, const std::vector<std::int64_t>& axes)> permute_output = {};
};

/// Needs its inputs as the source architecture has them, and gives its outputs so.
LayoutRule keeps_original_layout();
/// Works element by element; all inputs must be arranged alike. Inputs broadcast: those with fewer axes are aligned at
/// the end.
LayoutRule any_layout();
/// Has an attribute data_format, and wants its input as that says.
LayoutRule follows_data_format();
/// Takes any arrangement of axes, and has an attribute that counts an axis, or several.
LayoutRule counts_axis(std::string attribute);
/// Takes any arrangement, and drops the axes that the attribute `dim` names (all for None) unless `keepdim` keeps them.
/// Where `counts_elements`, a reduction of all axes depends on the elements' order.
LayoutRule reduces_axes(bool counts_elements = false);
/// Takes any arrangement, and drops the axis that an attribute counts.
LayoutRule drops_axis(std::string attribute);
/// Takes any arrangement, and has an attribute that says where among the output's axes a new one stands.
LayoutRule adds_axis(std::string attribute);
/// Gives the same elements under another shape. Axes that stay move freely, and so do those of size 1; axes that are
/// joined have to stand together. `rewrite` says in the attributes what shape is wanted now, where input or output are
/// not in the original way.
LayoutRule reshapes(std::function<void(LayoutCall&, const SymbolicShape& stored)> rewrite);

/// The arrangement of a channels_first tensor of `rank` axes stored channels_last (`to_last`), or the reverse.
Arrangement channels_moved(std::size_t rank, bool to_last);

/// An arrangement of output `i`, of `rank` axes, some of which are stored in the order `fixed`; the others have size 1
/// and may stand anywhere: where they make the output what its consumers wish for, if they can.
Arrangement with_free_axes(const std::vector<std::int64_t>& fixed, std::size_t rank, const LayoutCall& call,
                           std::size_t i);

}  // namespace h5bridge
