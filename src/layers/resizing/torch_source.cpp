#include "facets/torch_source/integers.h"
#include "facets/torch_source/resampling.h"
#include "facets/torch_source/signature.h"
#include "layers/resizing/interpolation.h"

namespace h5bridge::resizing {
namespace {

// One size or scale is that of all axes: "(2.0,)" is "2.0".
std::string one_for_all(std::string text) {
  return text.starts_with('(') && text.ends_with(",)") ? text.substr(1, text.size() - 3) : text;
}

TorchSource by_function(const std::string& type, const std::vector<std::string>& settings) {
  return torch_code(
      type,
      [settings](const Layer& layer) { return unnamed_settings("F.interpolate(" + joined(settings) + ")", layer); },
      [settings](const SourceCall& call) -> Python {
        std::vector<std::string> arguments{call.input().text};
        // A function of its own in TorchScript, which older PyTorch need not know.
        const bool is_lanczos =
            call.place.is_script() && call.attributes().contains("mode") && call.attributes().text("mode") == "lanczos";
        for (const std::string& name : settings) {
          if (is_lanczos && (name == "mode" || name == "antialias" || name == "align_corners")) continue;
          const AttributeSpec& spec = *call.type.find_attribute(name);
          if (spec.fallback && call.attributes().at(name) == *spec.fallback) continue;
          const std::string text = python_value(call, name).text;
          arguments.push_back(name + "=" + (call.place.is_script() ? text : one_for_all(text)));
        }
        return (is_lanczos ? "F.lanczos(" : "F.interpolate(") + joined(arguments) + ")";
      });
}

TorchSource by_module(const std::string& signature, const TorchSource& function = {}) {
  TorchSource result = torch_module(signature);
  result.constructor = [inner = result.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    for (ConstructorArgument& argument : made.arguments) argument.text = one_for_all(argument.text);
    return made;
  };
  result.function = function.call;
  if (function.call) result.function_name = "interpolate";
  return result;
}

// Keras's own cubic filter is none of PyTorch's.
TorchSource of_torch(TorchSource source) {
  source.misfit = [inner = source.misfit](const Layer& layer) {
    return layer.attributes.text("mode") == "cubic" ? std::string("mode") : inner(layer);
  };
  return of_integers_too(std::move(source));
}

std::string cubic_alone(const Layer& layer) {
  return layer.attributes.text("mode") == "cubic" ? std::string() : std::string("mode");
}

Python cubic(const SourceCall& call) {
  const bool is_last = call.attributes().text("data_format") == "channels_last";
  SymbolicShape spatial = call.input_shape();
  if (is_last) throw Unsupported("with channels last it has no Python source");
  spatial.erase(spatial.begin(), spatial.begin() + 2);
  std::vector<std::string> sizes;
  for (const Size& size : resized(call.attributes(), spatial)) sizes.push_back(call.place.size(size).text);
  return resampled(call, call.input().text, python_tuple(sizes), "cubic");
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  const TorchSource function =
      by_function("Upsample", {"size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias"});
  return {
      of_torch(by_module("nn.Upsample(*, size, scale_factor, mode, align_corners, recompute_scale_factor)", function)),
      of_torch(function),
      torch_code("Upsample", cubic_alone, cubic),
      of_integers_too(by_module("nn.UpsamplingNearest2d(*, size, scale_factor)")),
      of_integers_too(by_function("UpsamplingNearest2d", {"size", "scale_factor"})),
      by_module("nn.UpsamplingBilinear2d(*, size, scale_factor)")};
}

}  // namespace h5bridge::resizing
