// The words in which a family declares the attributes of its types, a header for each kind.
#pragma once

#include "facets/spec/attributes/boolean.h"
#include "facets/spec/attributes/dtype.h"
#include "facets/spec/attributes/integer.h"
#include "facets/spec/attributes/integers.h"
#include "facets/spec/attributes/layers.h"
#include "facets/spec/attributes/number.h"
#include "facets/spec/attributes/numbers.h"
#include "facets/spec/attributes/or_none.h"
#include "facets/spec/attributes/padding.h"
#include "facets/spec/attributes/scalar.h"
#include "facets/spec/attributes/sizes.h"
#include "facets/spec/attributes/tensor.h"
#include "facets/spec/attributes/text.h"

namespace h5bridge {

/// Where the channels stand; PyTorch knows channels_first alone.
AttributeSpec data_format();
/// The activation that Keras layers apply to their output, by its name in keras.activations.
AttributeSpec fused_activation();
/// The axis that it works along, if it is one that does (softmax): for layers with a data_format.
AttributeSpec activation_axis();

/// A call of a Keras layer with training=True.
AttributeSpec training();

}  // namespace h5bridge
