// Notes what a mapping emits for one call of a layer.
#pragma once

#include <set>
#include <vector>

#include "layers/keras_mapping.h"

namespace h5bridge {

class RecordingEmitter final : public KerasEmitter {
 public:
  using NamedShapes = std::vector<std::pair<std::string, SymbolicShape>>;

  /// `used`: the outputs that something uses. `named`: the inputs that the call gives by name.
  RecordingEmitter(std::vector<SymbolicShape> inputs, std::vector<SymbolicShape> outputs, const KerasMapping& mapping, std::set<std::int64_t> used = {},
                   const NamedShapes& named = {});

  const std::vector<SymbolicShape>& input_shapes() const override { return inputs_; }
  const std::vector<SymbolicShape>& output_shapes() const override { return outputs_; }
  Handle input(std::size_t i) const override { return i; }
  const std::vector<std::pair<std::string, Argument>>& named_inputs() const override { return named_; }
  const SymbolicShape& shape(Handle value) const override { return shapes_.at(value); }
  bool is_used(std::size_t output) const override { return used_.contains(static_cast<std::int64_t>(output)); }
  std::vector<Handle> call(Call call) override;
  Handle layer(const std::string& suffix, const std::string& type, const Attributes& attributes, Handle input) override;
  Results main(Json::Object config, std::vector<Handle> inputs) override;

  /// Their handles count the layer's inputs first, those by name after the others, then the outputs of these calls.
  const std::vector<Call>& emitted() const { return emitted_; }

 private:
  void take_arguments(Json::Object& config, const std::vector<Handle>& inputs, Call& made) const;

  std::vector<SymbolicShape> inputs_;
  std::vector<SymbolicShape> outputs_;
  const KerasMapping& mapping_;
  std::set<std::int64_t> used_;
  std::vector<SymbolicShape> shapes_;  // of all handles
  std::vector<std::pair<std::string, Argument>> named_;
  std::vector<Call> emitted_;
};

}  // namespace h5bridge
