#include <algorithm>
#include <cmath>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "facets/keras/resize_function.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/resizing/interpolation.h"
#include "layers/resizing/open_resizing.h"
#include "model/quoted.h"

namespace h5bridge::resizing {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

std::size_t axes_of(const Shapes& inputs) { return inputs.at(0).size() - 2; }

// The scale of axis `i`, if it is a whole number; a size may be a multiple of the input's, even if that is open.
std::optional<std::int64_t> whole_scale(const Attributes& a, const SymbolicShape& spatial, std::size_t i) {
  if (a.is_none("scale_factor")) {
    const Size wanted = resized(a, spatial)[i];
    if (spatial[i] == Size(0)) return std::nullopt;
    const Size ratio = wanted.floor_divide(spatial[i]);
    return ratio * spatial[i] == wanted ? ratio.value() : std::nullopt;
  }
  const auto& scales = a.numbers("scale_factor");
  const double scale = scales[scales.size() == 1 ? 0 : i];
  if (scale != std::floor(scale) || scale > 1e6) return std::nullopt;
  return static_cast<std::int64_t>(scale);
}

// The scales where they are whole numbers, which place each element alike.
std::optional<std::vector<std::int64_t>> whole_scales(const Attributes& a, const Shapes& inputs) {
  const SymbolicShape spatial = spatial_sizes(a, inputs.at(0), axes_of(inputs));
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    const auto scale = whole_scale(a, spatial, i);
    // Of larger ones the floats that PyTorch reckons with may miss an element.
    if (!scale || *scale > 32) return std::nullopt;
    result.push_back(*scale);
  }
  return result;
}

bool has_mode(const Attributes& a, std::initializer_list<const char*> modes) {
  return std::any_of(modes.begin(), modes.end(), [&](const char* mode) { return a.text("mode") == mode; });
}

// Where Keras has modes: its bilinear is PyTorch's without aligned corners, its bicubic differs between its backends.
bool fits_up_sampling(const Attributes& a, const Shapes& inputs, std::size_t axes) {
  const bool mode =
      has_mode(a, {"nearest"}) || (axes == 2 && has_mode(a, {"bilinear"}) && !aligns_corners(a) && !is_antialiased(a));
  return mode && axes_of(inputs) == axes && whole_scales(a, inputs) &&
         (axes != 1 || a.text("data_format") == "channels_last");
}

void set_scales(Attributes& attributes, const Json& size) {
  std::vector<double> scales;
  for (const Json& scale : size.is_array() ? size.as_array() : Json::Array{size}) scales.push_back(scale.as_float());
  attributes.set("scale_factor", scales);
}

// Keras's words for modes, and ours.
struct Word {
  const char* keras;
  const char* ours;
};

template <std::size_t count>
Spelling words(const std::array<Word, count>& known) {
  return {[known](const AttributeValue& value) {
            for (const Word& word : known)
              if (std::get<std::string>(value) == word.ours) return Json(word.keras);
            throw Unsupported("mode \"" + std::get<std::string>(value) + "\" has no Keras layer");
          },
          [known](const Json& json) -> AttributeValue {
            for (const Word& word : known)
              if (json.as_string() == word.keras) return std::string(word.ours);
            throw Unsupported("interpolation " + quoted(json) + " is not in PyTorch");
          }};
}

// Repeating, and resizing by interpolation, do not agree about "nearest". What is read is the first of a word's
// meanings: Keras's bicubic is what TensorFlow and JAX compute, not what PyTorch does.
constexpr std::array kRepeating{Word{"nearest", "nearest"}, Word{"bilinear", "bilinear"}, Word{"bicubic", "cubic"},
                                Word{"bicubic", "bicubic"}};
constexpr std::array kInterpolating{Word{"nearest", "nearest-exact"}, Word{"bilinear", "bilinear"},
                                    Word{"bicubic", "cubic"}, Word{"bicubic", "bicubic"}};

// Between neighbours; and what of integers is the nearest stays what it is.
OfIntegers of_integers(const Attributes& a, DType dtype) {
  if (a.text("mode").starts_with("nearest")) return OfIntegers::AsFloats;
  return dtype == DType::Bool ? OfIntegers::NotKnown : OfIntegers::Rounded;
}

KerasMapping up_sampling(const std::string& type, std::size_t axes) {
  KerasMapping mapping{.type = type, .class_name = "UpSampling" + keras_suffix(axes)};
  if (type == "Upsample") mapping.of_integers = of_integers;
  if (axes > 1) mapping.attributes.push_back({"data_format", "data_format", spelling::text()});
  if (axes == 2) mapping.attributes.push_back({"mode", "interpolation", words(kRepeating), std::string("nearest")});
  mapping.fits = [axes](const Attributes& a, const Shapes& inputs) { return fits_up_sampling(a, inputs, axes); };
  mapping.lift = [axes](Json::Object& config, Attributes& attributes, const Shapes&) {
    set_scales(attributes, config.at("size"));
    if (axes == 1) attributes.set("data_format", std::string("channels_last"));
    config.erase("size");
  };
  mapping.lower = [axes](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto scales = whole_scales(a, emitter.input_shapes());
    if (!scales) throw Unsupported("its scales are no whole numbers");
    config.set("size", axes == 1 ? Json(scales->at(0)) : Json::array(*scales));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.written_only = type != "Upsample";
  const Shape input = axes == 1 ? Shape{2, 5, 3} : axes == 2 ? Shape{2, 5, 7, 3} : Shape{2, 4, 3, 5, 2};
  mapping.samples = {{"twice", {}, {input}}};
  if (axes == 1) mapping.samples.push_back({"size", {{"size", 3}}, {input}});
  if (axes > 1)
    mapping.samples.push_back({"channels_first", {{"size", 3}, {"data_format", "channels_first"}}, {input}});
  if (axes == 2)
    for (const char* interpolation : {"bilinear", "bicubic"})
      mapping.samples.push_back(
          {interpolation, {{"size", Json::Array{3, 2}}, {"interpolation", interpolation}}, {input}});
  return mapping;
}

// Keras's Resizing knows the output's sizes, whatever the input's.
KerasMapping resizing(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "Resizing", .of_integers = of_integers};
  mapping.attributes = {{"data_format", "data_format", spelling::text()},
                        {"mode", "interpolation", words(kInterpolating)}};
  mapping.fixed = {{"crop_to_aspect_ratio", false}, {"pad_to_aspect_ratio", false}};
  mapping.carried = {{"fill_mode", "constant"}, {"fill_value", 0.0}};
  mapping.fits = [](const Attributes& a, const Shapes& inputs) {
    if (axes_of(inputs) != 2 || !has_mode(a, {"bilinear", "nearest-exact"}) || aligns_corners(a) || is_antialiased(a))
      return false;
    return !stated_scale(a, 0) && fixed(resized(a, spatial_sizes(a, inputs.at(0), 2))).has_value();
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes&) {
    attributes.set("size", SymbolicShape{config.at("height").as_integer(), config.at("width").as_integer()});
    // Only these two pay attention to it.
    const std::string& interpolation = config.at("interpolation").as_string();
    if (const Json* antialias = config.find("antialias");
        antialias && antialias->as_bool() && interpolation != "nearest")
      attributes.set("antialias", true);
    for (const char* key : {"height", "width", "antialias", "training"}) config.erase(key);
  };
  mapping.call = {"data", "training"};  // Keras writes the latter, which makes no difference here
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto sizes = fixed(resized(a, spatial_sizes(a, emitter.input_shapes()[0], 2)));
    if (!sizes) throw Unsupported("the size of its output is open; LoadOptions::fix_sizes may help");
    config.set("height", sizes->at(0));
    config.set("width", sizes->at(1));
    config.set("antialias", is_antialiased(a));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.written_only = type != "Upsample";
  const Shape image{2, 9, 7, 3};
  const auto sample = [&](const std::string& what, Json::Object config) {
    config.set("height", 4);
    config.set("width", 11);
    mapping.samples.push_back({what, std::move(config), {image}});
  };
  sample("plain", {});
  sample("nearest", {{"interpolation", "nearest"}});
  sample("bicubic", {{"interpolation", "bicubic"}});
  sample("antialias", {{"antialias", true}});
  sample("bicubic, antialias", {{"interpolation", "bicubic"}, {"antialias", true}});
  sample("filling", {{"fill_value", 2.0}, {"fill_mode", "constant"}});
  sample("channels_first", {{"data_format", "channels_first"}});
  return mapping;
}

KerasMapping resize_function() {
  KerasMapping mapping = as_resize_function(resizing("Upsample"));
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto sizes = fixed(resized(a, spatial_sizes(a, emitter.input_shapes()[0], 2)));
    if (!sizes) throw Unsupported("the size of its output is open; LoadOptions::fix_sizes may help");
    config.set("size", Json::array(*sizes));
    config.set("antialias", is_antialiased(a));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

// One axis: the elements that each output takes, side by side on an axis of their own, and their weighted sum.
Handle along_axis(KerasEmitter& emitter, Handle x, std::int64_t axis, const Taps& taps, const std::string& suffix) {
  const auto count = static_cast<std::int64_t>(taps.count);
  const auto outputs = static_cast<std::int64_t>(taps.indices.size()) / count;
  SymbolicShape shape = emitter.shape(x);
  shape.at(axis) = outputs;
  const std::vector<std::int64_t> extents = count == 1 ? std::vector{outputs} : std::vector{outputs, count};
  SymbolicShape taken = shape;
  if (count > 1) taken.insert(taken.begin() + axis + 1, count);
  x = named(emitter, count == 1 ? suffix : "take")
          .with("indices", keras_ops::constant(extents, taps.indices))
          .apply("Take", {x}, taken, {{"axis", axis}});
  if (count == 1) return x;
  std::string letters;
  for (std::size_t i = 0; i < taken.size(); ++i) letters += static_cast<char>('a' + i);
  std::string result = letters;
  result.erase(axis + 1, 1);
  return named(emitter, suffix)
      .apply("Einsum", {x, keras_ops::constant(extents, taps.weights)}, shape,
             {{"subscripts", letters + "," + letters.substr(axis, 2) + "->" + result}});
}

// What no Keras layer does, one axis after the other.
KerasMapping by_axes(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "", .written_only = true};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape spatial = spatial_sizes(a, emitter.input_shapes()[0], axes_of(emitter.input_shapes()));
    const SymbolicShape output = resized(a, spatial);
    const std::int64_t first = a.text("data_format") == "channels_last" ? 1 : 2;
    const auto taps = [&](std::size_t i) { return taps_of(a, spatial, output, i); };
    const auto is_known = [&](std::size_t i) { return spatial[i].value() && output[i].value(); };
    std::vector<std::size_t> changed;
    for (std::size_t i = 0; i < spatial.size(); ++i)
      if (is_known(i) ? !taps(i).is_identity(*spatial[i].value())
                      : spatial[i] != output[i] || stated_scale(a, i).value_or(1) != 1)
        changed.push_back(i);

    Handle x = emitter.input(0);
    if (changed.empty()) return named(emitter, "").apply("Copy", {x}, emitter.shape(x));
    OpenSizes sizes(emitter, "place_");
    for (const std::size_t i : changed) {
      const std::int64_t axis = first + static_cast<std::int64_t>(i);
      const std::string suffix = i == changed.back() ? "" : "axis" + std::to_string(i);
      x = is_known(i) ? along_axis(emitter, x, axis, taps(i), suffix)
                      : emit_open_axis(a, emitter, sizes, x, axis, output, i, suffix);
    }
    return x;
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(up_sampling("Upsample", axes));
  result.push_back(resizing("Upsample"));
  result.push_back(resize_function());
  result.push_back(by_axes("Upsample"));
  for (const char* type : {"UpsamplingNearest2d", "UpsamplingBilinear2d"}) {
    if (type == std::string("UpsamplingNearest2d")) result.push_back(up_sampling(type, 2));
    result.push_back(by_axes(type));
  }
  return result;
}

}  // namespace h5bridge::resizing
