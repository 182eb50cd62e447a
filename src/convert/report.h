// What a conversion did, layer by layer and tensor by tensor: what `convert --report` writes.
#pragma once

#include <string>
#include <vector>

#include "convert/save.h"
#include "facets/spec/weight_rule.h"
#include "h5bridge/h5bridge.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// {"path", "format", "layers", "added", "tensors_beside"}: what each layer of the model is called in a file at `path`,
/// and each of its tensors. A layer's "weights" go from the sources' names by PyTorch's to the destination's, with what
/// is done to the axes on either way; names of Keras's are those of Keras 3. Of what has no layer there, "destination"
/// is null; "added" are layers that only the destination has. Throws what save() throws.
Json destination_report(const Model& model, const std::string& path, const SaveOptions& options);

/// "axes (2, 3, 1, 0)", "joined along axis 0": what is done to a tensor on its way to Keras, a line a step.
std::vector<std::string> texts_of(const std::vector<WeightStep>& steps);

}  // namespace h5bridge
