#include "facets/keras/functional.h"

#include <algorithm>

#include "facets/keras/composition.h"

namespace h5bridge {

using Handle = KerasEmitter::Handle;

std::optional<Handle> operand(const KerasEmitter& emitter, const Functional& row, const std::string& name) {
  const auto place =
      static_cast<std::size_t>(std::ranges::find(row.operands, name) - row.operands.begin()) + row.tensors;
  if (place < emitter.input_shapes().size()) return emitter.input(place);
  for (const auto& [given, argument] : emitter.named_inputs())
    if (given == name) return std::get<Handle>(argument);
  return std::nullopt;
}

Handle along_channels(KerasEmitter& emitter, const std::string& suffix, Handle vector, const Attributes& attributes,
                      std::size_t rank) {
  const auto axis = channel_axis(attributes, static_cast<std::int64_t>(rank));
  const SymbolicShape& own = emitter.shape(vector);
  if (own == SymbolicShape{1} || axis == static_cast<std::int64_t>(rank) - 1) return vector;
  SymbolicShape shape(rank - static_cast<std::size_t>(axis), Size(1));
  shape[0] = own.at(0);
  Json::Array sizes;
  for (const Size& size : shape) sizes.push_back(size.value() ? Json(*size.value()) : Json(-1));
  return named(emitter, suffix).apply("Reshape", {vector}, shape, {{"newshape", std::move(sizes)}});
}

Handle emit_normalised(KerasEmitter& emitter, const Functional& row, const std::string& type, Attributes settings) {
  const std::size_t rank = emitter.input_shapes()[0].size();
  std::optional<Handle> weight = operand(emitter, row, "weight");
  std::optional<Handle> bias = operand(emitter, row, "bias");
  if (weight) weight = along_channels(emitter, "weight", *weight, settings, rank);
  if (bias) bias = along_channels(emitter, "bias", *bias, settings, rank);
  settings.set("affine", false);
  LastNamed calls(emitter, 1 + (weight ? 1 : 0) + (bias ? 1 : 0));
  return calls.affine(emitter.layer(calls.next("normalised"), type, settings, emitter.input(0)), weight, bias);
}

Handle LastNamed::affine(Handle x, const std::optional<Handle>& weight, const std::optional<Handle>& bias) {
  if (weight) x = named(emitter_, next("scaled")).elementwise("Multiply", {x, *weight});
  if (bias) x = named(emitter_, next("biased")).elementwise("Add", {x, *bias});
  return x;
}

}  // namespace h5bridge
