#include "keras/from_keras_1/layer.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "h5bridge/error.h"
#include "keras/dialects/theano_padding.h"
#include "keras/from_keras_1/settings.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Of classes whose count no setting changes (keras 1.2.2, layers/*.py).
struct Count {
  std::string_view class_name;
  ArrayCount arrays;
};
constexpr std::array<Count, 6> kCounts{{
    {"BatchNormalization", {2, 2}},
    {"ConvLSTM2D", {12, 0}},
    {"Embedding", {1, 0}},
    {"PReLU", {1, 0}},
    {"ParametricSoftplus", {2, 0}},
    {"SReLU", {4, 0}},
}};
// Of those that may be without a bias: with it.
constexpr std::array<Count, 13> kBiased{{
    {"AtrousConvolution1D", {2, 0}},
    {"AtrousConvolution2D", {2, 0}},
    {"Convolution1D", {2, 0}},
    {"Convolution2D", {2, 0}},
    {"Convolution3D", {2, 0}},
    {"Deconvolution2D", {2, 0}},
    {"Dense", {2, 0}},
    {"Highway", {4, 0}},
    {"LocallyConnected1D", {2, 0}},
    {"LocallyConnected2D", {2, 0}},
    {"MaxoutDense", {2, 0}},
    {"SeparableConvolution2D", {3, 0}},
    {"TimeDistributedDense", {2, 0}},
}};
// A gate's kernel, recurrent kernel and bias, for each gate; with consume_less "gpu" the gates are one.
constexpr std::array<std::pair<std::string_view, std::size_t>, 3> kGates{{{"GRU", 3}, {"LSTM", 4}, {"SimpleRNN", 1}}};

bool has_bias(const Json::Object& config) {
  const Json* bias = config.find("bias");
  return !bias || *bias != Json(false);
}

std::int64_t integer(const Json& value) { return value.as_integer(); }

std::vector<NewLayer> single(std::string class_name, Json::Object config) {
  std::vector<NewLayer> result;
  result.push_back({"", std::move(class_name), std::move(config), {kGiven}});
  return result;
}

std::vector<NewLayer> convolution(const OldLayer& layer, Json::Object settings) {
  std::optional<Json::Object> zeros;
  if (layer.is_theano && settings.at("padding") == Json("same")) zeros = zeros_of_theano(settings);
  if (!zeros) return single(class_in_keras_2(layer.class_name), std::move(settings));
  settings.set("padding", "valid");
  const std::string zeros_class = class_of_zeros(*zeros);
  std::vector<NewLayer> result;
  result.push_back({"_padding", zeros_class, std::move(*zeros), {kGiven}});
  result.push_back({"", class_in_keras_2(layer.class_name), std::move(settings), {"_padding"}});
  return result;
}

// Its output's shape is stated; Keras 3 infers it, and has output_padding for what strides leave open.
std::vector<NewLayer> deconvolution(const OldLayer& layer, Json::Object settings) {
  const Json shape = layer.config.at("output_shape");
  settings.erase("output_shape");
  const KernelWindow window = kernel_window(settings);
  const std::size_t first = settings.at("data_format") == Json("channels_first") ? 2 : 1;
  const bool is_same = settings.at("padding") == Json("same");
  const auto refuse = [&] {
    throw Unsupported("its output_shape " + quoted(shape) + " is none that Keras 3 gives with these strides");
  };
  Json::Array output_padding;
  bool is_needed = false;
  for (std::size_t axis = 0; axis < window.size.size(); ++axis) {
    const std::int64_t size = window.size[axis], stride = window.strides[axis];
    if (is_same && layer.is_theano && (stride > 1 || size % 2 == 0)) refuse();
    if (stride == 1) {
      output_padding.push_back(0);
      continue;
    }
    if (!shape.is_array() || shape.as_array().size() < first + 2 || !shape.as_array()[first + axis].is_integer())
      refuse();
    const std::int64_t extent = integer(shape.as_array()[first + axis]);
    if (is_same ? extent % stride != 0 : extent < size) refuse();
    output_padding.push_back(is_same ? 0 : (extent - size) % stride);
    is_needed = is_needed || (!is_same && (extent - std::max(size, stride)) % stride != 0);
  }
  if (is_needed) settings.set("output_padding", std::move(output_padding));
  return single("Conv2DTranspose", std::move(settings));
}

std::vector<NewLayer> pooling(const OldLayer& layer, Json::Object settings) {
  const Json* padding = settings.find("padding");
  if (layer.is_theano && padding && *padding == Json("same"))
    throw Unsupported("its border_mode is \"same\", for which Theano put the padding before the image, Keras 3 behind");
  return single(layer.class_name, std::move(settings));
}

std::int64_t features_of(const OldLayer& layer) {
  if (!layer.arrays.empty() && layer.arrays[0].tensor.rank() == 2) return layer.arrays[0].tensor.shape()[0];
  if (const Json* stated = layer.config.find("input_dim"); stated && stated->is_integer()) return integer(*stated);
  if (layer.features) return *layer.features;
  throw Unsupported("how many features it is given is not said; a file of weights beside it says it");
}

// y = t f(x W + b) + (1 - t) x, t = sigmoid(x W_carry + b_carry) (keras 1.2.2, layers/core.py).
std::vector<NewLayer> highway(const OldLayer& layer) {
  Json::Object common = settings_in_keras_2("Dense", layer.config, "tf");
  common.erase("transform_bias");
  common.set("units", features_of(layer));
  Json::Object transform = common;
  transform.set("activation", "sigmoid");
  for (const char* key :
       {"kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"})
    transform.set(key, nullptr);
  return {{"_dense", "Dense", common, {kGiven}},
          {"_transform", "Dense", std::move(transform), {kGiven}},
          {"_carry", "Rescaling", {{"scale", -1.0}, {"offset", 1.0}}, {"_transform"}},
          {"_new", "Multiply", {}, {"_dense", "_transform"}},
          {"_old", "Multiply", {}, {"_carry", kGiven}},
          {"", "Add", {}, {"_new", "_old"}}};
}

// The largest of nb_feature results (keras 1.2.2, layers/core.py): the kernel stays as it is, (nb_feature, in, out).
std::vector<NewLayer> maxout(const OldLayer& layer) {
  Json::Object config = settings_in_keras_2("Dense", layer.config, "tf");
  const bool bias = has_bias(layer.config);
  config.set("equation", "bi,fio->bfo");
  config.set("output_shape", Json::Array{layer.config.at("nb_feature"), layer.config.at("output_dim")});
  config.set("activation", "linear");
  config.set("bias_axes", bias ? Json("fo") : Json());
  for (const char* key : {"units", "nb_feature", "use_bias"}) config.erase(key);
  return {{"_features", "EinsumDense", std::move(config), {kGiven}},
          {"", "GlobalMaxPooling1D", {{"data_format", "channels_last"}, {"keepdims", false}}, {"_features"}}};
}

// alpha softplus(beta x), both of an element each (keras 1.2.2, layers/advanced_activations.py).
std::vector<NewLayer> parametric_softplus(const OldLayer& layer) {
  if (layer.arrays.empty())
    throw Unsupported("the shape of what it is given is not said; a file of weights beside it says it");
  const Shape& shape = layer.arrays[0].tensor.shape();
  constexpr std::string_view letters = "abcdefgh";
  if (shape.empty() || shape.size() >= letters.size())
    throw MalformedFile("its first array has shape " + to_string(shape));
  const std::string all(letters.substr(0, shape.size() + 1));
  std::string own;  // axes that share a number have 1
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (shape[axis] != 1) own += letters[axis + 1];
  if (own.empty()) own = letters[shape.size()];
  Json::Array output;
  for (const std::int64_t extent : shape) output.push_back(extent == 1 ? Json() : Json(extent));
  const Json::Object product{{"equation", all + "," + own + "->" + all},
                             {"output_shape", std::move(output)},
                             {"activation", "linear"},
                             {"bias_axes", nullptr}};
  return {{"_beta", "EinsumDense", product, {kGiven}},
          {"_softplus", "Activation", {{"activation", "softplus"}}, {"_beta"}},
          {"", "EinsumDense", product, {"_softplus"}}};
}

struct Mode {
  std::string_view name;
  const char* class_name;
};
constexpr std::array<Mode, 6> kModes{{{"ave", "Average"},
                                      {"concat", "Concatenate"},
                                      {"dot", "Dot"},
                                      {"max", "Maximum"},
                                      {"mul", "Multiply"},
                                      {"sum", "Add"}}};

// An axis of each, also as lists of one.
Json axes_of_dot(const Json& axes) {
  if (!axes.is_array()) return axes;
  Json::Array result;
  for (const Json& axis : axes.as_array())
    result.push_back(axis.is_array() && axis.as_array().size() == 1 ? axis.as_array()[0] : axis);
  return result;
}

std::vector<NewLayer> merge(const OldLayer& layer) {
  const Json* type = layer.config.find("mode_type");
  const Json& mode = layer.config.at("mode");
  if ((type && *type != Json("raw")) || !mode.is_string())
    throw Unsupported("its mode is a function of Python's, which h5bridge never runs");
  if (mode == Json("cos"))  // of vectors, with an axis more (keras 1.2.2, engine/topology.py, Merge.call)
    return {{"_cosine", "Dot", {{"axes", axes_of_dot(layer.config.at("dot_axes"))}, {"normalize", true}}, {kGiven}},
            {"", "Reshape", {{"target_shape", Json::Array{1, 1}}}, {"_cosine"}}};
  const auto found = std::ranges::find(kModes, std::string_view(mode.as_string()), &Mode::name);
  if (found == kModes.end()) throw Unsupported("its mode is " + quoted(mode) + ", which Keras 3 has no layer for");
  Json::Object config;
  if (mode == Json("concat")) config.set("axis", layer.config.at("concat_axis"));
  if (mode == Json("dot")) {
    config.set("axes", axes_of_dot(layer.config.at("dot_axes")));
    config.set("normalize", false);
  }
  if (const Json* trainable = layer.config.find("trainable")) config.set("trainable", *trainable);
  return single(found->class_name, std::move(config));
}

std::vector<NewLayer> merge_of_steps(const OldLayer& layer) {
  if (layer.config.at("mode") != Json("ave"))
    throw Unsupported("its mode is " + quoted(layer.config.at("mode")) + ", which Keras 3 has no layer for");
  return single("GlobalAveragePooling1D", {{"data_format", "channels_last"}, {"keepdims", false}});
}

std::vector<NewLayer> wrapper(const OldLayer& layer, const OldLayer& inner, const std::string& ordering) {
  std::vector<NewLayer> parts = layers_in_keras_2(inner, ordering);
  if (parts.size() != 1) throw Unsupported("it wraps a " + inner.class_name + ", which is several layers in Keras 3");
  parts[0].config.set("name", inner.name);
  Json::Object config = settings_in_keras_2(layer.class_name, layer.config, ordering);
  config.set("layer", Json::Object{{"class_name", parts[0].class_name}, {"config", std::move(parts[0].config)}});
  return single(layer.class_name, std::move(config));
}

}  // namespace

std::optional<OldLayer> wrapped(const OldLayer& layer) {
  const Json* inner = layer.config.find("layer");
  if ((layer.class_name != "TimeDistributed" && layer.class_name != "Bidirectional") || !inner) return std::nullopt;
  OldLayer result;
  result.class_name = inner->at("class_name").as_string();
  if (!inner->at("config").is_object())
    throw Unsupported("it wraps a " + result.class_name + ", a model, which h5bridge does not read in Keras 1");
  result.config = inner->at("config").as_object();
  const Json* name = result.config.find("name");
  result.name = name && name->is_string() ? name->as_string() : layer.name + "_layer";
  result.is_theano = layer.is_theano;
  result.is_deviation = layer.is_deviation;
  return result;
}

std::optional<ArrayCount> array_count(const std::string& class_name, const Json::Object& config) {
  if (const auto found = std::ranges::find(kCounts, std::string_view(class_name), &Count::class_name);
      found != kCounts.end())
    return found->arrays;
  if (const auto found = std::ranges::find(kBiased, std::string_view(class_name), &Count::class_name);
      found != kBiased.end()) {
    const std::size_t biases = has_bias(config) ? 0 : class_name == "Highway" ? 2 : 1;
    return ArrayCount{found->arrays.trained - biases, 0};
  }
  for (const auto& [name, gates] : kGates)
    if (name == class_name) {
      const Json* less = config.find("consume_less");
      return ArrayCount{less && *less == Json("gpu") ? 3 : 3 * gates, 0};
    }
  return std::nullopt;
}

std::vector<NewLayer> layers_in_keras_2(const OldLayer& layer, const std::string& ordering) {
  const std::string& name = layer.class_name;
  if (name == "Merge") return merge(layer);
  if (name == "Highway") return highway(layer);
  if (name == "MaxoutDense") return maxout(layer);
  if (name == "ParametricSoftplus") return parametric_softplus(layer);
  if (name == "TimeDistributedMerge") return merge_of_steps(layer);
  if (const std::optional<OldLayer> inner = wrapped(layer)) return wrapper(layer, *inner, ordering);
  Json::Object settings = settings_in_keras_2(name, layer.config, ordering);
  settings.erase("name");
  if (name == "Deconvolution2D") return deconvolution(layer, std::move(settings));
  if (settings.contains("kernel_size") && settings.contains("padding")) return convolution(layer, std::move(settings));
  if (settings.contains("pool_size")) return pooling(layer, std::move(settings));
  return single(class_in_keras_2(name), std::move(settings));
}

}  // namespace h5bridge
