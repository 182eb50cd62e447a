#include <algorithm>

#include "facets/spec/affine.h"
#include "facets/spec/attributes/epsilon.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/named_axis.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/batch_normalization/function.h"

namespace h5bridge::batch_normalization {
namespace {

std::vector<ParameterSpec> parameters(const Attributes& a) {
  const Shape shape{a.integer("num_features")};
  std::vector<ParameterSpec> result = affine_parameters(a, shape);
  if (a.boolean("track_running_stats")) {
    result.push_back({"running_mean", shape, Role::Buffer});
    result.push_back({"running_var", shape, Role::Buffer});
    result.push_back({"num_batches_tracked", {}, Role::Buffer, DType::Int64});
  }
  if (a.contains("renorm") && a.boolean("renorm"))
    for (const char* name : {"moving_stddev", "renorm_mean", "renorm_stddev"})
      result.push_back({name, shape, Role::Buffer});
  return result;
}

// Wants images as the data format says; features, and an axis that Keras names, in any order.
void layout(LayoutCall& call) {
  const Arrangement input = call.input(0);
  const std::size_t rank = input.axes.size();
  if (has_axis(call.attributes()))
    return input.flattened ? call.require(0, Arrangement::original(rank)) : keep_axis(call);
  if (rank > 2) return follows_data_format().apply(call);
  if (input.flattened)
    for (const ParameterSpec& parameter : parameters(call.attributes()))
      if (!parameter.shape.empty()) call.reorder_parameter(parameter.name, 0, *input.flattened);
  call.set_output(0, input);
}

// What batch and instance normalisation share. `ranks` are the numbers of axes that an input may have, with the batch.
LayerType statistics(const std::string& name, const std::vector<std::size_t>& ranks) {
  LayerType type;
  type.name = name;
  type.integers = Integers::BecomeFloats;
  type.keeps_rows_apart = [](const Attributes& a) { return a.boolean("track_running_stats"); };
  type.mask = passes_mask();
  type.attributes = {
      required_integer("num_features", "channels"),
      epsilon("eps", 1e-5, "added to the variance"),
      deciding(Decides::Training, or_none(number("momentum", 0.1,
                                                 "weight of a new batch in the running statistics; None: cumulative "
                                                 "average"))),
      boolean("affine", true, "whether there are a weight and a bias"),
      boolean("bias", true, "of an affine one, whether there is a bias"),
      boolean("track_running_stats", true, "whether there are running statistics"),
      data_format(),
  };
  type.attributes[2].fallback = 0.1;
  type.parameters = parameters;
  type.shapes = [ranks](const Attributes& a, const std::vector<SymbolicShape>& shapes) {
    const SymbolicShape& input = shapes.at(0);
    if (std::find(ranks.begin(), ranks.end(), input.size()) == ranks.end())
      throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(ranks.back()) +
                          " axes");
    const Size& channels = input[normalised_axis(a, static_cast<std::int64_t>(input.size()))];
    if (channels != Size(a.integer("num_features")))
      throw MalformedFile("its input has " + channels.str() + " channels (shape " + to_string(input) + "), expected " +
                          std::to_string(a.integer("num_features")));
    return shapes;
  };
  type.check = [](const Attributes& a) {
    if (a.integer("num_features") < 1)
      throw MalformedFile("\"num_features\" is " + std::to_string(a.integer("num_features")) + ", expected at least 1");
  };
  type.layout = {LayoutWish::ChannelsLast, layout};
  return type;
}

// A sample for each set of switches, of the first input; the defaults are tried with every input.
void add_samples(LayerType& type, const std::vector<Shape>& inputs,
                 const std::vector<std::pair<std::string, Json::Object>>& switches) {
  const Json features(inputs[0][1]);
  for (const Shape& input : inputs)
    type.samples.push_back(
        {"input of " + std::to_string(input.size()) + " axes", {{"num_features", features}}, {input}});
  for (auto [what, attributes] : switches) {
    attributes.set("num_features", features);
    type.samples.push_back({what, attributes, {inputs.back()}});
  }
}

LayerType batch_normalization(const std::string& name, const std::vector<std::size_t>& ranks,
                              const std::vector<Shape>& inputs) {
  LayerType type = statistics(name, ranks);
  type.summary = "normalises each channel by the mean and variance of the batch, or by running ones";
  type.source =
      "Ioffe and Szegedy 2015; torch/nn/modules/batchnorm.py; "
      "keras/src/layers/normalization/batch_normalization.py";
  type.attributes.push_back(boolean("scale", true, "Keras's: of an affine one, whether there is a weight"));
  type.attributes.push_back(axis_of_channels());
  type.attributes.push_back(training());
  type.operands = {required("input"), mask_of("input")};  // counts in training alone
  type.attributes.push_back(boolean(
      "renorm", false, "Keras's: batch renormalisation, which differs in training alone; has statistics of its own"));
  add_samples(type, inputs,
              {{"not affine", {{"affine", false}}},
               {"other eps and momentum", {{"eps", 0.01}, {"momentum", 0.3}}},
               {"cumulative average", {{"momentum", nullptr}}},
               {"statistics of the batch", {{"track_running_stats", false}, {"eps", 0.01}}},
               {"statistics of the batch, weight alone", {{"track_running_stats", false}, {"bias", false}}},
               {"statistics of the batch, not affine", {{"track_running_stats", false}, {"affine", false}}},
               {"weight alone", {{"bias", false}}},
               {"bias alone", {{"scale", false}}}});
  if (ranks.back() > 3)
    type.samples.push_back({"an axis amid the others", {{"num_features", 4}, {"axis", 2}}, {inputs.back()}});
  return type;
}

LayerType instance_normalization(const std::string& name, const Shape& input) {
  LayerType type = statistics(name, {input.size()});
  type.summary = "normalises each channel of each example by its own mean and variance, or by running ones";
  type.source = "Ulyanov et al. 2016; torch/nn/modules/instancenorm.py";
  for (AttributeSpec& spec : type.attributes)
    if (spec.name == "affine" || spec.name == "track_running_stats") spec.fallback = false;
  add_samples(type, {input},
              {{"affine", {{"affine", true}}},
               {"weight alone", {{"affine", true}, {"bias", false}}},
               {"other eps", {{"eps", 0.01}}},
               {"running statistics", {{"track_running_stats", true}, {"momentum", 0.3}}},
               {"running statistics, affine, cumulative average",
                {{"track_running_stats", true}, {"affine", true}, {"momentum", nullptr}}}});
  return type;
}

// Any number of axes; the module is only what the function is made of.
LayerType function_type(const std::string& name, LayerType module) {
  LayerType type = function_of(module, function(name));
  const Shape image{3, 5, 4, 6};
  const Shape channels{5};
  type.samples.push_back({.what = "without parameters", .attributes = {}, .inputs = {image}});
  type.samples.push_back({.what = "a sequence",
                          .attributes = {{"eps", 0.01}, {"momentum", 0.3}},
                          .inputs = {{3, 5, 4}, channels, channels, channels, channels}});
  for (Sample& sample : type.samples) {
    sample.batch_axes.assign(sample.inputs.size(), Sample::kNoBatch);
    sample.batch_axes[0] = 0;
    sample.between = {0.1, 2.0};  // a variance is positive
  }
  return type;
}

}  // namespace

Functional function(const std::string& name) {
  return {.name = name,
          .arguments = {"eps", "momentum", "data_format"},
          .derive =
              [](Attributes& settings, const std::vector<SymbolicShape>& inputs) {
                if (inputs.size() == 2) throw MalformedFile("it has a running mean, and no running variance");
                settings.set("num_features", channels_of(settings, inputs.at(0)));
                settings.set("track_running_stats", inputs.size() > 2);
                settings.set("affine", inputs.size() > 3);
              },
          .operands = {"running_mean", "running_var", "weight", "bias"},
          .required = 0,
          .own = {deciding(Decides::Training,
                           number("momentum", 0.1, "weight of a new batch in the running statistics, in training"))}};
}

std::string module_of(const std::string& function, std::size_t rank) {
  const std::string kind = function == "batch_norm" ? "BatchNorm" : "InstanceNorm";
  return kind + torch_suffix(std::max<std::size_t>(rank, 3) - 2);
}

std::vector<LayerType> layer_types() {
  return {
      function_type("batch_norm", batch_normalization("BatchNorm", {2, 3, 4, 5}, {{3, 5}, {3, 5, 4, 6}})),
      function_type("instance_norm", statistics("InstanceNorm", {3, 4, 5})),
      batch_normalization("BatchNorm1d", {2, 3}, {{3, 5}, {3, 5, 4}}),
      batch_normalization("BatchNorm2d", {4}, {{3, 5, 4, 6}}),
      batch_normalization("BatchNorm3d", {5}, {{3, 5, 4, 6, 2}}),
      batch_normalization("SyncBatchNorm", {2, 3, 4, 5}, {{3, 5}, {3, 5, 4, 6}}),
      instance_normalization("InstanceNorm1d", {3, 5, 8}),
      instance_normalization("InstanceNorm2d", {3, 5, 4, 6}),
      instance_normalization("InstanceNorm3d", {3, 5, 4, 6, 2}),
  };
}

}  // namespace h5bridge::batch_normalization
