#include "facets/keras/operation.h"

#include "h5bridge/error.h"

namespace h5bridge {

KerasMapping operation(std::string type, std::string class_name, std::vector<Correspondence> rows,
                       std::vector<std::string> call, std::string module) {
  KerasMapping mapping{.type = std::move(type), .class_name = std::move(class_name), .attributes = std::move(rows)};
  mapping.module = std::move(module);
  mapping.call = std::move(call);
  return mapping;
}

KerasMapping write_only(KerasMapping mapping) {
  mapping.written_only = true;
  return mapping;
}

KerasMapping read_only(KerasMapping mapping) {
  mapping.fits = [](const Attributes&, const std::vector<SymbolicShape>&) { return false; };
  return mapping;
}

KerasMapping giving(DTypeRules dtypes, KerasMapping mapping) {
  mapping.dtypes = std::move(dtypes);
  return mapping;
}

KerasMapping computing_in(DTypeRules dtypes, KerasMapping mapping) {
  mapping.casts_inputs = true;
  return giving(std::move(dtypes), std::move(mapping));
}

KerasMapping keeping_integers(KerasMapping mapping) {
  mapping.keeps_integers = true;
  return mapping;
}

void expect_layer(const Json::Object& config) {
  if (!config.contains("trainable")) throw Unsupported("it is an operation, not a layer");
}

KerasEmitter::Handle last_call(KerasEmitter& emitter, const std::string& module, const std::string& class_name,
                               Json::Object config, std::vector<KerasEmitter::Argument> arguments) {
  return emitter
      .call({.module = module,
             .class_name = class_name,
             .config = std::move(config),
             .arguments = std::move(arguments),
             .outputs = {emitter.output_shape()}})
      .at(0);
}

KerasEmitter::Handle helper(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name,
                            std::vector<KerasEmitter::Argument> arguments, SymbolicShape shape, Json::Object config,
                            const std::string& module) {
  return emitter
      .call({.suffix = suffix,
             .module = module,
             .class_name = class_name,
             .config = std::move(config),
             .arguments = std::move(arguments),
             .outputs = {std::move(shape)}})
      .at(0);
}

}  // namespace h5bridge
