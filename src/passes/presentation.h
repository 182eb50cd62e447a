// How a model's inputs and outputs look from outside: a file of Keras's is fed as Keras would feed it, whatever layout
// its architecture is kept in.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "passes/layout.h"

namespace h5bridge {

struct Presentation {
  struct Port {
    std::string name;
    SymbolicShape shape;  // as presented
    DType dtype = DType::Float32;
    std::vector<std::int64_t> axes;  // presented = kept.permute(axes)
  };
  std::vector<Port> inputs;   // in the architecture's order
  std::vector<Port> outputs;  // named by the dict's keys, else as the framework that the model came from has them:
                              // Keras's layer names, or output, output_1, ...
};

/// The inputs and outputs of `model` as `framework` has them; by default the framework that the model came from.
/// Throws UsageError if the model has no architecture, MalformedFile for a KerasModelOrigin::presented that does not
/// fit it.
Presentation presentation_of(const Model& model, Framework framework);
Presentation presentation_of(const Model& model);

/// Arrays presented as `from` says, as `to`, which has the same ports in the same order, presents them. Those that are
/// no port's stay as they are.
std::vector<NamedTensor> presented_anew(std::vector<NamedTensor> arrays, const std::vector<Presentation::Port>& from,
                                        const std::vector<Presentation::Port>& to);

/// What is to be KerasModelOrigin::presented: `keras` is how Keras has the model, `change` what took it to PyTorch.
KerasPorts presentation_record(const Presentation& keras, const LayoutChange& change);

/// The data format in which a framework has the model: PyTorch channels_first, Keras the one that the model's Keras
/// origin states, otherwise channels_last.
DataFormat presented_format(const Architecture& architecture, Framework framework);

}  // namespace h5bridge
