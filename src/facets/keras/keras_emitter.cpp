#include "facets/keras/keras_emitter.h"

namespace h5bridge {

std::vector<KerasEmitter::Handle> KerasEmitter::inputs() const {
  std::vector<Handle> result;
  for (std::size_t i = 0; i < input_shapes().size(); ++i) result.push_back(input(i));
  return result;
}

KerasEmitter::Handle KerasEmitter::operation(const std::string& suffix, const std::string& module,
                                             const std::string& class_name, Json::Object config,
                                             const std::vector<Handle>& inputs, const Json::Object& kwargs,
                                             SymbolicShape shape) {
  Call made{.suffix = suffix,
            .module = module,
            .class_name = class_name,
            .config = std::move(config),
            .arguments = {inputs.begin(), inputs.end()},
            .outputs = {std::move(shape)}};
  for (const auto& [name, constant] : kwargs) made.keywords.emplace_back(name, constant);
  return call(std::move(made)).at(0);
}

}  // namespace h5bridge
