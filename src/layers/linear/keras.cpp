#include "h5bridge/error.h"
#include "layers/keras_mapping.h"

namespace h5bridge::linear {

std::vector<KerasMapping> keras_mappings() {
  KerasMapping dense{.type = "Linear", .class_name = "Dense"};
  dense.attributes = {
      {"out_features", "units", spelling::integer()},
      {"activation", "activation", spelling::activation()},
      {"bias", "use_bias", spelling::boolean()},
  };
  dense.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  dense.carried.set("quantization_config", nullptr);
  dense.derive = [](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    const auto features = inputs.at(0).back().value();
    if (!features) throw MalformedFile("the last size of its input is open");
    attributes.set("in_features", *features);
  };
  dense.weights = [](const Attributes& attributes, const std::vector<SymbolicShape>&) {
    WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}, .steps = {PermuteAxes{{1, 0}}}}}};
    if (attributes.boolean("bias")) result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}});
    return result;
  };
  return {dense};
}

}  // namespace h5bridge::linear
