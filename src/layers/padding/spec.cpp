#include <limits>

#include "facets/spec/kernel.h"
#include "h5bridge/error.h"
#include "layers/padding/kinds.h"

namespace h5bridge::padding {
namespace {

// Adds to `size` what the mode allows. A negative margin takes elements away.
Size padded(const Size& size, const Size& before, const Size& after, const std::string& mode) {
  const Size result = size + before + after;
  if (result.value().value_or(1) < 1) throw MalformedFile("its padding leaves nothing of " + size.str() + " elements");
  const auto most = size.value();
  if (!most || mode == "constant" || mode == "replicate") return result;
  for (const auto& margin : {before.value(), after.value()})
    if (margin && *margin > (mode == "reflect" ? *most - 1 : *most))
      throw MalformedFile("its padding is " + std::to_string(*margin) + ", which is more than the elements that " +
                          size.str() + " have for mode \"" + mode + "\"");
  return result;
}

std::vector<SymbolicShape> module_shapes(const Attributes& a, const SymbolicShape& input, const std::string& mode) {
  const std::vector<Margins> margins = margins_from(a.integers("padding"));
  SymbolicShape spatial = spatial_sizes(a, input, margins.size());
  for (std::size_t i = 0; i < margins.size(); ++i)
    spatial[i] = padded(spatial[i], margins[i].before, margins[i].after, mode);
  return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))], spatial)};
}

LayerType module_of(const Kind& kind, std::size_t axes) {
  LayerType type;
  type.name = kind.name + torch_suffix(axes);
  type.summary = std::string(kind.what) + " around the spatial axes";
  type.source = "torch/nn/modules/padding.py" +
                std::string(type.name.starts_with("Zero") ? "; keras/src/layers/reshaping/zero_padding2d.py" : "");
  type.attributes = {required_tuple(
      "padding", 2 * axes, "elements before and after each spatial axis, the last axis first; negative: taken away")};
  if (kind.has_value) type.attributes.push_back(required_number("value", "the number"));
  type.attributes.push_back(data_format());
  type.check = [](const Attributes& a) { check_at_least(a, "padding", std::numeric_limits<std::int32_t>::min()); };
  type.shapes = [mode = std::string(kind.mode)](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    return module_shapes(a, inputs.at(0), mode);
  };
  type.layout = follows_data_format();

  Json::Array uneven;
  Json::Array negative;
  for (std::size_t i = 0; i < 2 * axes; ++i) {
    uneven.push_back(i);
    negative.push_back(i % 3 == 1 ? 2 : -1);
  }
  const auto sample = [&](const std::string& what, const Json& padding, std::int64_t batch, double value) {
    Json::Object attributes{{"padding", padding}};
    if (kind.has_value) attributes.set("value", value);
    type.samples.push_back({what, attributes, {sample_image(batch, 3, axes)}});
  };
  sample("uneven", uneven, 3, -1.5);
  sample("one for all", 2, 2, 0.25);
  sample("by one", 1, 1, 3.0);
  sample("negative", negative, 2, 0.0);
  return type;
}

// The margins of all axes of an input of `rank` axes; torch.nn.functional.pad names those of the last ones only.
std::vector<std::pair<Size, Size>> all_margins(const SymbolicShape& flat, std::size_t rank) {
  if (flat.size() % 2 != 0 || flat.size() > 2 * rank)
    throw MalformedFile("\"pad\" has " + std::to_string(flat.size()) + " elements, expected two for each of up to " +
                        std::to_string(rank) + " axes");
  std::vector<std::pair<Size, Size>> result(rank);
  for (std::size_t i = 0; i < flat.size(); i += 2) result[rank - 1 - i / 2] = {flat[i], flat[i + 1]};
  return result;
}

// Works along each axis by itself, so that any arrangement will do.
LayoutRule permutes_margins() {
  return {LayoutWish::PassesOn, [](LayoutCall& call) {
            any_layout().apply(call);
            const Arrangement common = call.input(0);
            if (common.is_original()) return;
            const std::size_t rank = common.axes.size();
            const auto margins = all_margins(call.attributes().sizes("pad"), rank);
            if (common.flattened && margins[rank - 1] != std::pair<Size, Size>{}) {
              call.require(0, Arrangement::original(rank));
              call.set_output(0, Arrangement::original(rank));
              return;
            }
            SymbolicShape flat;
            for (auto axis = common.axes.rbegin(); axis != common.axes.rend(); ++axis)
              flat.insert(flat.end(), {margins[*axis].first, margins[*axis].second});
            while (flat.size() > 2 && flat.back() == Size() && flat[flat.size() - 2] == Size())
              flat.resize(flat.size() - 2);
            call.attributes().set("pad", flat);
          }};
}

void add_samples(LayerType& type) {
  const auto sample = [&](const std::string& what, Json::Object attributes, Shape input) {
    type.samples.push_back({what, std::move(attributes), {std::move(input)}});
  };
  sample("one axis", {{"pad", Json::Array{1, 2}}}, {3, 4, 5, 6});
  sample("features", {{"pad", Json::Array{0, 2}}, {"value", 1.5}}, {2, 5});
  sample("three axes", {{"pad", Json::Array{1, 0, 0, 2, 3, 1}}, {"value", -0.5}}, {1, 4, 5, 6});
  sample("negative", {{"pad", Json::Array{-1, -2, 0, -1}}}, {2, 4, 5, 6});
  sample("negative and positive", {{"pad", Json::Array{-1, 2, 3, -2}}, {"value", 2.0}}, {2, 4, 5, 6});
  for (const char* mode : {"reflect", "replicate", "circular"}) {
    const std::string name = mode;
    sample(name + " over one axis", {{"pad", Json::Array{3, 1}}, {"mode", mode}}, {2, 4, 5});
    sample(name + " over two axes", {{"pad", Json::Array{2, 1, 0, 3}}, {"mode", mode}}, {2, 3, 5, 6});
    sample(name + " over three axes", {{"pad", Json::Array{1, 0, 2, 1, 3, 2}}, {"mode", mode}}, {2, 3, 4, 5, 6});
    sample(name + ", negative", {{"pad", Json::Array{-1, 2, 1, -2}}, {"mode", mode}}, {2, 3, 5, 6});
  }
  sample("symmetric", {{"pad", Json::Array{1, 0, 0, 1}}, {"mode", "symmetric"}}, {2, 3, 5, 6});
}

LayerType pad_function() {
  LayerType type;
  type.name = "pad";
  type.summary = "elements added at the ends of any axes, or taken away";
  type.source = "torch/nn/functional.py, pad; keras/src/ops/numpy.py, pad";
  type.attributes = {
      required_sizes("pad", "elements before and after each axis, the last axis first; negative: taken away"),
      text("mode", "constant", {"constant", "reflect", "replicate", "circular", "symmetric"},
           "what is added; \"symmetric\", Keras's, reflects the border, too"),
      or_none(number("value", 0, "the number that is added where the mode is \"constant\"; None: zero")),
  };
  type.check = [](const Attributes& a) {
    all_margins(a.sizes("pad"), a.sizes("pad").size());  // an even number
    if (a.text("mode") != "constant" && !a.is_none("value") && a.number("value") != 0)
      throw MalformedFile("\"value\" is given, but \"mode\" is \"" + a.text("mode") + "\"");
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape shape = inputs.at(0);
    const auto margins = all_margins(a.sizes("pad"), shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (margins[i] != std::pair<Size, Size>{})
        shape[i] = padded(shape[i], margins[i].first, margins[i].second, a.text("mode"));
    return {shape};
  };
  type.layout = permutes_margins();
  add_samples(type);
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> types;
  for (const Kind& kind : kinds)
    for (std::size_t axes = 1; axes <= 3; ++axes) types.push_back(module_of(kind, axes));
  types.push_back(pad_function());
  return types;
}

}  // namespace h5bridge::padding
