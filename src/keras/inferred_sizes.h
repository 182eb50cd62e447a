// The sizes that Keras infers when it builds a model. It knows the length of no part of an axis whose own length is
// open, not even where that is a number, and cannot make weights for it.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "facets/registry.h"
#include "keras/recording_emitter.h"

namespace h5bridge {

class InferredSizes {
 public:
  void set_input(const Input& input) { shapes_[{input.name, 0}] = input.shape; }

  /// Those of a layer's inputs that have sizes which Keras does not know, but which the layer cannot do without.
  std::vector<std::size_t> to_state(const Layer& layer, const std::vector<Value>& inputs) const;
  /// What Keras infers for the outputs of a node, of which `emitter` has noted how they are made; `stated`: the inputs
  /// whose sizes it is told.
  void note(const std::string& node, const Layer& layer, const PlainCall& taken, const std::vector<std::size_t>& stated,
            const RecordingEmitter& emitter, const KerasEmitter::Results& results);
  /// As the values of which nothing is made, since that failed.
  void note_outputs(const std::string& node, const std::vector<SymbolicShape>& outputs);

 private:
  SymbolicShape bound(const SymbolicShape& shape, const std::string& other = "") const;
  std::vector<SymbolicShape> inferred(const KerasEmitter::Call& call, const std::vector<SymbolicShape>& known);
  SymbolicShape indexed(const SymbolicShape& input, const Json& key, const SymbolicShape& real);
  Size unknown(const std::string& part, std::int64_t size);
  bool is_unknown(const Size& size) const;

  std::map<Value, SymbolicShape> shapes_;       // with a symbol for each number that Keras does not know
  std::map<std::string, std::int64_t> sizes_;   // those numbers
  std::map<std::string, std::string> symbols_;  // by what is cut how
};

}  // namespace h5bridge
