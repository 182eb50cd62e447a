#include "facets/keras/mapping.h"
#include "facets/keras/resize_function.h"

namespace h5bridge::image_fitting {
namespace {

// Keras has the two sizes by themselves, and writes `training`, which makes no difference here.
KerasMapping fitting(const std::string& name) {
  KerasMapping mapping{
      .type = name, .class_name = name, .attributes = {{"data_format", "data_format", spelling::text()}}};
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("size",
                   std::vector<std::int64_t>{config.at("height").as_integer(), config.at("width").as_integer()});
    for (const char* key : {"height", "width", "training"}) config.erase(key);
  };
  mapping.call = {"data", "training"};
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("height", a.integers("size")[0]);
    config.set("width", a.integers("size")[1]);
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

KerasMapping resizing() {
  KerasMapping mapping = fitting("Resizing");
  mapping.of_integers = [](const Attributes&, DType dtype) {
    return dtype == DType::Bool ? OfIntegers::NotKnown : OfIntegers::Rounded;
  };
  const std::vector<Correspondence> rows{
      {"interpolation", "interpolation", spelling::text()},
      {"antialias", "antialias", spelling::boolean(), false},
      {"crop_to_aspect_ratio", "crop_to_aspect_ratio", spelling::boolean(), false},
      {"pad_to_aspect_ratio", "pad_to_aspect_ratio", spelling::boolean(), false},
      {"fill_value", "fill_value", spelling::number(), 0.0},
  };
  mapping.attributes.insert(mapping.attributes.end(), rows.begin(), rows.end());
  mapping.fixed = {{"fill_mode", "constant"}};
  const auto sample = [&](const std::string& what, const Shape& image, Json::Object config) {
    config.set("height", 4);
    config.set("width", 6);
    mapping.samples.push_back({what, std::move(config), {image}});
  };
  const Shape wide{2, 5, 12, 3};
  const Shape high{2, 11, 4, 3};
  sample("cropped", wide, {{"crop_to_aspect_ratio", true}});
  sample("cropped, channels_first", {2, 3, 11, 4},
         {{"crop_to_aspect_ratio", true}, {"interpolation", "bicubic"}, {"data_format", "channels_first"}});
  sample("framed", high, {{"pad_to_aspect_ratio", true}, {"fill_value", 2.5}, {"fill_mode", "constant"}});
  sample("framed, channels_first", {2, 3, 5, 12},
         {{"pad_to_aspect_ratio", true}, {"interpolation", "nearest"}, {"data_format", "channels_first"}});
  sample("lanczos3", wide, {{"interpolation", "lanczos3"}});
  sample("lanczos5, antialias", wide, {{"interpolation", "lanczos5"}, {"antialias", true}});
  return mapping;
}

KerasMapping resize_function() {
  KerasMapping mapping = as_resize_function(resizing());
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("size", Json::array(a.integers("size")));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

KerasMapping center_crop() {
  KerasMapping mapping = fitting("CenterCrop");
  mapping.samples = {
      {"smaller", {{"height", 4}, {"width", 5}}, {{2, 9, 8, 3}}},
      {"larger", {{"height", 12}, {"width", 5}}, {{2, 9, 8, 3}}},
      {"channels_first", {{"height", 4}, {"width", 5}, {"data_format", "channels_first"}}, {{2, 3, 9, 8}}}};
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {resizing(), resize_function(), center_crop()}; }

}  // namespace h5bridge::image_fitting
