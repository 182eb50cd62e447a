#include "facets/keras/mapping.h"
#include "facets/keras/padding.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::cropping {
namespace {

std::vector<Margins> margins_of_cropping(const Attributes& a) {
  const auto& cropping = a.integers("cropping");
  std::vector<Margins> result;
  for (std::size_t i = 0; i < cropping.size(); i += 2) result.push_back({cropping[i], cropping[i + 1]});
  return result;
}

KerasMapping cropping(std::size_t axes) {
  const std::string name = "Cropping" + keras_suffix(axes);
  KerasMapping mapping{
      .type = name, .class_name = name, .attributes = {{"cropping", "cropping", margin_pairs(axes, false)}}};
  mapping.samples = margin_samples("cropping", axes);
  if (axes > 1) {
    mapping.attributes.push_back({"data_format", "data_format", spelling::text(), std::string("channels_last")});
    return mapping;
  }
  // Cropping1D knows no data format: its channels come last.
  mapping.derive = [](Attributes& a, const std::vector<SymbolicShape>&) {
    a.set("data_format", std::string("channels_last"));
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    if (a.text("data_format") == "channels_last") return emitter.main(std::move(config), {emitter.input(0)});
    return emit_cropping(margins_of_cropping(a), a, emitter, emitter.input(0), "");
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {cropping(1), cropping(2), cropping(3)}; }

}  // namespace h5bridge::cropping
