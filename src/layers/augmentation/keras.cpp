#include "facets/keras/mapping.h"
#include "layers/augmentation/kinds.h"

namespace h5bridge::augmentation {
namespace {

// What the call is where nothing is said, and what Keras writes: a model in evaluation has it otherwise.
Correspondence training_unless_told() {
  return {"training",
          "training",
          {[](const AttributeValue&) { return Json(true); }, [](const Json&) { return AttributeValue{false}; }},
          AttributeValue{false}};
}

// Keras states the size that it crops to of pictures that it hands on: where none was chosen, it is their own.
KerasEmitter::Results of_own_size(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const SymbolicShape& picture = emitter.input_shapes()[0];
  std::size_t axis = a.text("data_format") == "channels_first" ? 2 : 1;
  for (const char* key : {"height", "width"}) {
    const Json* said = config.find(key);
    if (said && said->is_null()) config.set(key, picture.at(axis).value().value_or(1));
    ++axis;
  }
  return emitter.main(std::move(config), {emitter.input(0)});
}

KerasMapping mapping_of(const Kind& kind) {
  KerasMapping mapping{.type = kind.class_name,
                       .class_name = kind.class_name,
                       .attributes = {{"data_format", "data_format", spelling::text(), std::string("channels_last")},
                                      training_unless_told()},
                       .carried = kind.settings};
  mapping.unsaid = {{.attribute = "",
                     .is_on = [](const Attributes&) { return true; },
                     .becomes = std::string("Keras ") + kind.change +
                                " at random in training, in PyTorch that is yours to do (torchvision.transforms)",
                     .matters = Matters::InPyTorch}};
  mapping.call = {"inputs", "training"};
  if (kind.settings.contains("height")) mapping.lower = of_own_size;
  const Shape input{2, 5, 4, 3};
  Json::Object first = kind.sample;
  first.set("data_format", "channels_first");
  mapping.samples = {{"settings", kind.sample, {input}}, {"channels_first", first, {{2, 3, 5, 4}}}};
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> mappings;
  for (const Kind& kind : kinds()) mappings.push_back(mapping_of(kind));
  return mappings;
}

}  // namespace h5bridge::augmentation
