#include "h5bridge/error.h"
#include "layers/layer_normalization/function.h"

namespace h5bridge::layer_normalization {
namespace {

bool differ(const Size& a, const Size& b) { return a.value() && b.value() && a != b; }

void check_last(const SymbolicShape& wanted, const SymbolicShape& found, const std::string& what) {
  const auto misfit = [&] {
    return MalformedFile("its " + what + " has shape " + to_string(found) + ", expected the last sizes " +
                         to_string(wanted));
  };
  if (found.size() < wanted.size()) throw misfit();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (differ(wanted[wanted.size() - 1 - i], found[found.size() - 1 - i])) throw misfit();
}

LayerType function(const Functional& row, const std::string& module, AttributeSpec eps) {
  LayerType type;
  type.name = row.name;
  type.summary = "what " + module + " does over the last axes, with its parameters as inputs, if it has any";
  type.source = "torch/nn/functional.py; as " + module;
  type.attributes = {required_sizes("normalized_shape", "sizes of the normalised axes"), std::move(eps)};
  type.operands = operands_of(row);
  if (row.name == rms_norm_function().name) type.dtypes = keeps();
  type.check = [](const Attributes& a) {
    if (a.sizes("normalized_shape").empty()) throw MalformedFile("\"normalized_shape\" is empty");
  };
  type.shapes = [row](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    check_last(a.sizes("normalized_shape"), inputs.at(0), "input");
    for (std::size_t i = 1; i < inputs.size(); ++i)
      check_last(a.sizes("normalized_shape"), inputs[i], row.operands[i - 1]);
    return {inputs[0]};
  };
  const auto sample = [&](const std::string& what, const Json& sizes, Json::Object more, std::vector<Shape> inputs) {
    more.set("normalized_shape", sizes);
    Sample made{.what = what, .attributes = std::move(more), .inputs = std::move(inputs)};
    made.batch_axes.assign(made.inputs.size(), Sample::kNoBatch);
    made.batch_axes[0] = 0;
    type.samples.push_back(std::move(made));
  };
  sample("last axis", Json::Array{5}, {}, {{3, 4, 5}, {5}});
  sample("several axes", Json::Array{4, 5}, {{"eps", 0.01}}, {{2, 3, 4, 5}, {4, 5}});
  sample("open sizes, without parameters", Json::Array{"batch", 5}, {}, {{3, 5}});
  if (row.operands.size() > 1) sample("with a bias", Json::Array{4, 5}, {}, {{2, 3, 4, 5}, {4, 5}, {4, 5}});
  return type;
}

}  // namespace

Functional layer_norm_function() { return {.name = "layer_norm", .arguments = {}, .derive = {}, .required = 0}; }
Functional rms_norm_function() {
  return {.name = "rms_norm", .arguments = {}, .derive = {}, .operands = {"weight"}, .required = 0};
}

std::vector<LayerType> function_types() {
  return {function(layer_norm_function(), "LayerNorm", number("eps", 1e-5, "added to the variance")),
          function(rms_norm_function(), "RMSNorm",
                   or_none(number("eps", 0, "added to the mean square; None: the type's epsilon")))};
}

}  // namespace h5bridge::layer_normalization
