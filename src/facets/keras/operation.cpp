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

}  // namespace h5bridge
