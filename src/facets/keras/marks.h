// Our own marks among what Keras says of a layer (Layer::keras).
#pragma once

namespace h5bridge {

/// Marks, among what Keras says of a layer, the masks that Keras makes and hands on by itself: they are not written.
inline constexpr const char* kImplied = "implied";

/// Likewise, which of several mappings of a class to a type it is: KerasMapping::variant. (Once a number: 1 was the one
/// that has a variant.)
inline constexpr const char* kVariant = "variant";
/// Likewise, that the class did not fit the layer in the first place, as it would not be written for one of PyTorch's.
inline constexpr const char* kUnfit = "unfit";
/// Likewise, the arguments of its call that stand at their default, as Keras writes some of them.
inline constexpr const char* kSilentArguments = "arguments";

}  // namespace h5bridge
