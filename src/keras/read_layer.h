// From a layer of Keras's, and its first call, to the layer of the architecture that it is.
#pragma once

#include <string>
#include <vector>

#include "facets/keras/mapping.h"
#include "h5bridge/architecture.h"
#include "keras/lifted_graph.h"
#include "keras/tree.h"

namespace h5bridge {

/// A call of a layer.
struct LayerCall {
  const KerasLayer& layer;
  std::int64_t number;
  const KerasCall& call;
};

/// The mappings of the class of a layer. Keras's .h5 writer leaves out where a class lives, so that an operation and a
/// layer may look alike there.
std::vector<const KerasMapping*> mappings_of(const KerasLayer& layer);
/// Whether it stands for what an inner model or a wrapper takes or gives, and is no layer.
bool is_port_of_model(const KerasLayer& layer);
/// Whether it may be an operation of keras.ops: a layer says whether it is trainable, whatever its class.
bool may_be_operation(const KerasLayer& layer);

/// What a layer was read by.
struct ReadLayer {
  Layer layer;  // but for what Keras calls it
  const KerasMapping* mapping;
  Json::Object constants;  // among the arguments of its first call
};

/// Throws Unsupported for a class, settings or arguments that are not known, MalformedFile for what cannot be a call.
ReadLayer read_layer(const LayerCall& first, const LiftedGraph& graph);
/// What a further call of that layer sets for itself. It has to make the same of the layer as the first did.
Attributes attributes_of_further(const LayerCall& call, const ReadLayer& read, const Layer& layer,
                                 const LiftedGraph& graph);

}  // namespace h5bridge
