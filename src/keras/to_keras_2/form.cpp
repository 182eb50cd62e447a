#include "keras/to_keras_2/form.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "h5bridge/error.h"
#include "keras/dialects/table.h"
#include "keras/inner_layers.h"
#include "keras/to_keras_2/calls.h"
#include "keras/to_keras_2/hard_sigmoid.h"
#include "keras/to_keras_2/in_parts.h"
#include "keras/to_keras_2/needs.h"
#include "keras/to_keras_2/operations.h"
#include "keras/to_keras_2/order.h"
#include "keras/to_keras_2/since.h"
#include "keras/to_keras_2/training.h"
#include "model/quoted.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

constexpr int kPromised = 20000;  // TensorFlow 2.0 is what was asked for
constexpr int kNested = 20000;    // inputs and outputs in dicts and lists of lists
constexpr int kShapesOfAttention = 20500;
constexpr int kNamedModel = 11200;  // a Sequential's configuration is an object with its name
constexpr int kPolicies = 20400;
constexpr double kLeastEpsilon = 1.001e-5;
constexpr const char* kRandomCrop = "RandomCrop";
constexpr const char* kSpectralNormalization = "SpectralNormalization";
constexpr std::string_view kNormVector = "vector_u";  // which it has beside its layer's weights

// Classes that Keras 2.0 had as special cases of another.
struct SpecialCase {
  std::string_view class_name;
  std::string_view of;
  std::string_view settings;  // JSON, before its own
};
constexpr std::array<SpecialCase, 8> kSpecialCases{{
    {"initializers.GlorotNormal", "VarianceScaling", R"({"scale": 1.0, "mode": "fan_avg", "distribution": "normal"})"},
    {"initializers.GlorotUniform", "VarianceScaling",
     R"({"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"})"},
    {"initializers.HeNormal", "VarianceScaling", R"({"scale": 2.0, "mode": "fan_in", "distribution": "normal"})"},
    {"initializers.HeUniform", "VarianceScaling", R"({"scale": 2.0, "mode": "fan_in", "distribution": "uniform"})"},
    {"initializers.LecunNormal", "VarianceScaling", R"({"scale": 1.0, "mode": "fan_in", "distribution": "normal"})"},
    {"initializers.LecunUniform", "VarianceScaling", R"({"scale": 1.0, "mode": "fan_in", "distribution": "uniform"})"},
    {"regularizers.L1", "L1L2", R"({"l2": 0.0})"},
    {"regularizers.L2", "L1L2", R"({"l1": 0.0})"},
}};

// What Keras 2 takes and computes without, or refuses.
struct Ignored {
  std::string_view class_name;
  std::string_view key, value;  // JSON: the one that it computes with
  std::string_view beside;      // where this key is other than `value`, too; "": always
};
constexpr auto kIgnored = std::to_array<Ignored>({
    {"Conv3DTranspose", "dilation_rate", "[1, 1, 1]", ""},
    {"DepthwiseConv1D", "dilation_rate", "[1]", "strides"},
    {"DepthwiseConv2D", "dilation_rate", "[1, 1]", "strides"},
    {"SeparableConv1D", "dilation_rate", "[1]", "strides"},
    {"SeparableConv2D", "dilation_rate", "[1, 1]", "strides"},
    {"ConvLSTM1D", "unroll", "false", ""},
    {"ConvLSTM2D", "unroll", "false", ""},
    {"ConvLSTM3D", "unroll", "false", ""},
});

// What Keras writes of a layer in any case, and a layer that h5bridge has put together may leave unsaid.
struct Stated {
  std::string_view class_name;
  std::string_view key, value;  // JSON
};
constexpr auto kStated = std::to_array<Stated>({
    {"EinsumDense", "activation", R"("linear")"},
    {"GRU", "go_backwards", "false"},
    {"GRU", "return_sequences", "false"},
    {"GRU", "stateful", "false"},
    {"GRU", "unroll", "false"},
    {"LSTM", "go_backwards", "false"},
    {"LSTM", "return_sequences", "false"},
    {"LSTM", "stateful", "false"},
    {"LSTM", "unroll", "false"},
    {"SimpleRNN", "go_backwards", "false"},
    {"SimpleRNN", "return_sequences", "false"},
    {"SimpleRNN", "stateful", "false"},
    {"SimpleRNN", "unroll", "false"},
});

Json::Object with_all_stated(const std::string& class_name, Json::Object config) {
  for (const Stated& row : kStated)
    if (row.class_name == class_name && !config.contains(row.key)) config.set(row.key, Json::parse(row.value));
  return config;
}

constexpr std::array<std::string_view, 2> kEvenStrides{"DepthwiseConv2D", "SeparableConv2D"};

void refuse_ignored(const std::string& class_name, const Json::Object& config) {
  for (const Ignored& row : kIgnored) {
    if (row.class_name != class_name) continue;
    const auto is_other = [&](std::string_view key) {
      const Json* value = config.find(key);
      return value && *value != Json::parse(row.value);
    };
    if (is_other(row.key) && (row.beside.empty() || is_other(row.beside)))
      throw Unsupported("its " + std::string(row.key) + " is " + quoted(config.at(row.key)) +
                        ", with which Keras 2's does not compute");
  }
}

void refuse_strides(const std::string& class_name, const Json::Object& config) {
  const Json* strides = config.find("strides");
  if (std::ranges::find(kEvenStrides, class_name) == kEvenStrides.end() || !strides || !strides->is_array()) return;
  for (const Json& one : strides->as_array())
    if (one != strides->as_array()[0])
      throw Unsupported("its strides are " + quoted(*strides) + ", where TensorFlow computes with equal ones alone");
}

// The tensors of its first call's first argument.
std::vector<const Json*> first_tensors(const Json& entry) {
  std::vector<const Json*> tensors;
  const Json* nodes = entry.find("inbound_nodes");
  if (!nodes || nodes->as_array().empty() || nodes->as_array()[0].at("args").as_array().empty()) return tensors;
  const Json& first = nodes->as_array()[0].at("args").as_array()[0];
  if (is_keras_tensor(first)) tensors.push_back(&first.at("config"));
  if (first.is_array())
    for (const Json& one : first.as_array())
      if (is_keras_tensor(one)) tensors.push_back(&one.at("config"));
  return tensors;
}

// What depends on the tensors that a layer is called with.
void refuse_tensors(const std::string& class_name, const Json& entry) {
  const std::vector<const Json*> tensors = first_tensors(entry);
  const auto dtype = [&] { return tensors[0]->at("dtype").as_string(); };
  if (class_name == "Masking" && !tensors.empty() && dtype().find("float") == std::string::npos)
    throw Unsupported("it is of tensors of " + dtype() + ", where Keras 2's is of floating-point numbers");
  if (class_name == "AdditiveAttention" && tensors.size() == 3 &&
      tensors[1]->at("shape").as_array().back() != tensors[2]->at("shape").as_array().back())
    throw Unsupported("its keys are of another size than its values, whose size Keras 2's scale has");
}

bool is_false(const Json::Object& config, std::string_view key) {
  const Json* value = config.find(key);
  return value && *value == Json(false);
}

// "sequential", "sequential_3": what Keras calls a model that nobody named.
bool is_automatic(const Json& name) {
  constexpr std::string_view kName = "sequential";
  if (!name.is_string() || !name.as_string().starts_with(kName)) return false;
  const std::string_view rest = std::string_view(name.as_string()).substr(kName.size());
  return rest.empty() || (rest.size() > 1 && rest[0] == '_' &&
                          std::ranges::all_of(rest.substr(1), [](unsigned char c) { return std::isdigit(c) != 0; }));
}

class Form {
 public:
  Json model(const Json& entry, bool is_outermost) {
    Json::Object config = entry.at("config").as_object();
    const bool is_sequential = entry.at("class_name") == Json("Sequential");
    const std::string* known = std::exchange(owner_, nullptr);
    const bool was_frozen = std::exchange(is_frozen_, is_frozen_ || is_false(config, "trainable"));
    const Json::Array& layers = config.at("layers").as_array();
    const InnerModels inner = inner_models(layers);
    Json::Array translated;
    for (const Json& layer : layers) translated.push_back(this->layer(layer, inner));
    Json settings;
    if (!is_sequential && !(are_listed(config.at("input_layers")) && are_listed(config.at("output_layers"))))
      needs_.need(kNested, "inputs or outputs by names");
    if (!is_sequential)
      settings = Json::Object{{"name", config.at("name")},
                              {"layers", std::move(translated)},
                              {"input_layers", places_in_keras_2(config.at("input_layers"), {})},
                              {"output_layers", places_in_keras_2(config.at("output_layers"), inner.in_outputs)}};
    else if (is_outermost && is_automatic(config.at("name")))
      settings = std::move(translated);
    else
      settings = Json::Object{{"name", config.at("name")}, {"layers", std::move(translated)}};
    is_frozen_ = was_frozen;
    owner_ = known;
    if (settings.is_object() && is_sequential) needs_.need(kNamedModel, "the model's name");
    return Json::Object{{"class_name", is_sequential ? "Sequential" : "Model"}, {"config", std::move(settings)}};
  }

  KerasNeeds& needs() { return needs_; }

 private:
  // An entry in a model's list of layers, or a layer that another one wraps. All that Keras 2 lacks is collected.
  Json layer(const Json& entry, const InnerModels& inner) {
    const std::string& class_name = entry.at("class_name").as_string();
    const Json* name = entry.at("config").find("name");
    const std::string described = (name ? quoted(*name) : std::string("without a name")) + " (" + class_name + ")";
    try {
      if (is_model_class(class_name)) return with_calls(model(entry, false).as_object(), entry, inner);
      const std::string& module = entry.at("module").as_string();
      if (!module.starts_with("keras.layers")) {
        needs_.need(kFunctionsSince, described);
        return operation_in_keras_2(entry, inner);
      }
      if (class_name == kSpectralNormalization) return layer(called_alone(entry, described), inner);
      const std::string* outer = std::exchange(owner_, &described);
      const auto since = class_since("", class_name);
      if (!since) throw Unsupported("Keras 2 has no such layer");
      if (class_name == kRandomCrop)  // tf_keras 2.21, layers/preprocessing/image_preprocessing.py
        throw Unsupported("Keras 2's fits pictures into its size in evaluation, too, where Keras 3's hands them on");
      needs_.need(*since, described);
      note_epsilon(entry);
      refuse_ignored(class_name, entry.at("config").as_object());
      refuse_strides(class_name, entry.at("config").as_object());
      refuse_tensors(class_name, entry);
      Json::Object config = with_all_stated(class_name, entry.at("config").as_object());
      if (class_name == "GroupNormalization") fit_axis(config, entry);
      if (class_name == "Conv1DTranspose") note_dilation(config);
      Json::Object result{{"class_name", class_name}, {"config", settings("", class_name, config)}};
      note_arguments(entry);
      if (class_name == "MultiHeadAttention") add_shapes(result.find("config")->as_object(), entry);
      owner_ = outer;
      return with_calls(std::move(result), entry, inner);
    } catch (const Unsupported& error) {
      owner_ = nullptr;
      needs_.missing.push_back("layer " + described + ": " + error.what());
      return {};
    }
  }

  // tf_keras has the class, and no reader of its .h5 finds it: the module is not among those that layers are looked for
  // in (tf_keras 2.21.0, layers/serialization.py, ALL_MODULES). In evaluation it calls its layer and does nothing else.
  Json called_alone(const Json& entry, const std::string& described) {
    const Json::Object& config = entry.at("config").as_object();
    Json::Object result = entry.as_object();
    Json::Object settings = config.at("layer").at("config").as_object();
    const Json& class_name = config.at("layer").at("class_name");
    settings.set("name", config.at("name"));
    if (is_false(config, "trainable")) settings.set("trainable", false);
    result.set("module", config.at("layer").at("module"));
    result.set("class_name", class_name);
    result.set("config", std::move(settings));
    needs_.notes.push_back("layer " + described + ": is the " + class_name.as_string() +
                           " within, as tf.keras does not load this wrapper from a .h5; training there does not divide "
                           "the kernel by its norm");
    return result;
  }

  // Before 2.13 it loads others, and fails as it computes.
  void fit_axis(Json::Object& config, const Json& entry) {
    constexpr int kAnyAxis = 21301;
    const std::vector<const Json*> tensors = first_tensors(entry);
    const std::int64_t axis = config.at("axis").as_integer();
    if (axis == -1) return;
    if (!tensors.empty() && axis + 1 == static_cast<std::int64_t>(tensors[0]->at("shape").as_array().size()))
      config.set("axis", -1);
    else
      needs_.need(kAnyAxis, described() + " with an axis that is not the last");
  }

  void note_dilation(const Json::Object& config) {
    const Json* dilation = config.find("dilation_rate");
    const Json& rate = dilation && dilation->is_array() ? dilation->as_array().at(0) : dilation ? *dilation : Json(1);
    if (rate != Json(1))
      needs_.notes.push_back("layer " + described() + ": TensorFlow computes its dilation on GPUs alone");
  }

  // Keras 2 subtracts 1e9 from what is masked, where Keras 3 replaces it; predict() of Keras 3 trains no layer.
  void note_arguments(const Json& entry) {
    const std::string& class_name = entry.at("class_name").as_string();
    const char* mask = class_name == "Softmax" ? "mask" : class_name == "MultiHeadAttention" ? "attention_mask" : "";
    const Json* nodes = entry.find("inbound_nodes");
    if (!nodes) return;
    for (const Json& node : nodes->as_array()) {
      if (const Json* given = node.at("kwargs").find(mask); given && !given->is_null())
        needs_.notes.push_back("layer " + described() + ": where all is masked, Keras 2 weighs values in another way");
      if (const Json* training = node.at("kwargs").find("training"); training && *training == Json(true))
        needs_.notes.push_back("layer " + described() + ": Keras 2 heeds training=True of its call in predict(), too");
    }
  }

  // Its reader asks for them (keras 2.6, layers/multi_head_attention.py, from_config).
  void add_shapes(Json::Object& config, const Json& entry) {
    needs_.need(kShapesOfAttention, described());
    const Json* nodes = entry.find("inbound_nodes");
    const Json::Object node = nodes && !nodes->as_array().empty() ? nodes->as_array()[0].as_object() : Json::Object();
    const auto shape_of = [&](std::size_t place, const char* name) -> const Json* {
      const Json* args = node.find("args");
      const Json* keywords = node.find("kwargs");
      const Json* given = keywords ? keywords->find(name) : nullptr;
      if (!given && args && place < args->as_array().size()) given = &args->as_array()[place];
      return given && is_keras_tensor(*given) ? given->at("config").find("shape") : nullptr;
    };
    const Json* value = shape_of(1, "value");
    const Json* key = shape_of(2, "key");
    for (const auto& [name, shape] : {std::pair("query_shape", shape_of(0, "query")), std::pair("value_shape", value),
                                      std::pair("key_shape", key ? key : value)})
      config.set(name, shape ? *shape : Json());
  }

  static Json with_calls(Json::Object layer, const Json& entry, const InnerModels& inner) {
    const Json* nodes = entry.find("inbound_nodes");
    if (!nodes) return layer;
    layer.set("name", entry.at("name"));
    Json::Array calls;
    for (const Json& node : nodes->as_array())
      calls.push_back(call_in_keras_2(node, entry.at("class_name").as_string(), inner));
    layer.set("inbound_nodes", std::move(calls));
    return layer;
  }

  Json::Object settings(const std::string& kind, const std::string& class_name, const Json::Object& config) {
    Json::Object result;
    for (const auto& [key, value] : class_name == "Bidirectional" ? without_mirror(config) : config) {
      if (kind.empty() && key == "dtype" && class_name != "InputLayer") {
        add_dtype(result, value);
        continue;
      }
      const auto since = key_since(kind, class_name, key);
      const bool is_absent = since && since->absent && same_value(*since->absent, value);
      if (is_absent || (since && since->first == 0 && value.is_null())) continue;
      if (since && since->first == 0) {
        leave_out(key, value);
        continue;
      }
      if (since) needs_.need(since->first, described() + " with " + key);
      result.set(key_in_keras_2(kind, class_name, key), setting(class_name, key, value));
    }
    if (kind.empty() && is_frozen_ && result.contains("trainable")) result.set("trainable", false);
    return result;
  }

  std::string described() const { return owner_ ? *owner_ : "the model"; }

  // The seed of what is random in training is no part of what a model computes.
  void leave_out(const std::string& key, const Json& value) {
    if (key != "seed") throw Unsupported("its " + key + " is " + quoted(value) + ", which Keras 2's does not have");
    needs_.notes.push_back("layer " + described() + ": its seed is left out, which Keras 2's does not have");
  }

  Json setting(const std::string& class_name, const std::string& key, const Json& value) {
    if (is_layer_member(key) && value.is_object() && value.find("class_name")) return layer(value, {});
    if (class_name == "RandomContrast" && key == "factor") return contrasts(value);
    if (key == "cells") return each(value, [&](const Json& cell) { return layer(cell, {}); });
    if (key.ends_with("_initializer")) return object("initializers", value);
    if (key.ends_with("_regularizer")) return object("regularizers", value);
    if (key.ends_with("_constraint")) return object("constraints", value);
    if (key == "activation" || key == "recurrent_activation") return activation(value);
    if (value.is_object() && value.find("module"))
      throw Unsupported("its " + key + " is an object of Keras 3's, which h5bridge has no form of Keras 2 for");
    return class_name.empty() ? Json() : value;
  }

  // A range without extent fails as Keras 2 loads it.
  static Json contrasts(const Json& value) {
    const bool is_none =
        value.is_array() ? std::ranges::all_of(value.as_array(), [](const Json& one) { return one.as_float() == 0; })
                         : value.as_float() == 0;
    if (is_none) throw Unsupported("its factor is " + quoted(value) + ", which Keras 2's does not take");
    return value;
  }

  template <typename Change>
  static Json each(const Json& list, Change&& change) {
    Json::Array result;
    for (const Json& element : list.as_array()) result.push_back(change(element));
    return result;
  }

  Json activation(const Json& value) {
    if (value.is_null()) return value;
    if (value == Json("silu")) return activation("swish");  // as Keras 2 calls it
    if (!value.is_string()) throw Unsupported("its activation is a layer, which Keras 2 does not keep in a file");
    const std::string& name = value.as_string();
    const auto since = class_since("activations.", name);
    if (!since) throw Unsupported("its activation is " + quoted(value) + ", which Keras 2 does not have");
    needs_.need(*since, described() + " with " + name);
    return value;
  }

  // An initialiser, a regulariser, a constraint; None and functions by their name stay.
  Json object(const std::string& kind, const Json& value) {
    if (!value.is_object()) return value;
    const std::string& class_name = value.at("class_name").as_string();
    const auto found = std::ranges::find(kSpecialCases, kind + "." + class_name, &SpecialCase::class_name);
    const auto since = class_since(kind + ".", class_name);
    if (found == kSpecialCases.end() && !since)
      throw Unsupported("its " + quoted(class_name) + " of " + kind + " is none of Keras 2's");
    if (found == kSpecialCases.end()) needs_.need(*since, described() + " with " + class_name);
    Json::Object config = settings(kind + ".", class_name, value.at("config").as_object());
    if (found == kSpecialCases.end()) return Json::Object{{"class_name", class_name}, {"config", std::move(config)}};
    Json::Object whole = Json::parse(found->settings).as_object();
    for (const auto& [key, own] : config) whole.set(key, own);
    return Json::Object{{"class_name", std::string(found->of)}, {"config", std::move(whole)}};
  }

  // Each layer of tf.keras takes one; that of Keras 2.0 stands where a shape does, and is float32 elsewhere.
  void add_dtype(Json::Object& result, const Json& policy) {
    const Json* class_name = policy.is_object() ? policy.find("class_name") : nullptr;
    if (class_name && *class_name != Json("DTypePolicy"))
      throw Unsupported("its dtype is a " + class_name->as_string() + ", which Keras 2 does not have");
    const Json& name = class_name ? policy.at("config").at("name") : policy;
    if (name == Json("float32") || name.is_null()) return;
    if (!name.is_string() || !name.as_string().starts_with("mixed_")) {
      result.set("dtype", name);
      return;
    }
    needs_.need(kPolicies, described() + " with " + name.as_string());
    result.set("dtype", Json::Object{{"class_name", "Policy"}, {"config", Json::Object{{"name", name}}}});
  }

  // Keras 2.0 makes the backward layer of the forward one, and names both after the latter.
  static Json::Object without_mirror(Json::Object config) {
    const Json* backward = config.find("backward_layer");
    Json* forward = config.find("layer");
    if (!backward || !backward->is_object() || !forward || !forward->is_object()) return config;
    Json::Object settings = forward->at("config").as_object(), mirrored = backward->at("config").as_object();
    const auto turned = [](Json::Object layer) {
      layer.set("go_backwards", !is_true(layer, "go_backwards"));
      layer.erase("name");
      return layer;
    };
    mirrored.erase("name");
    // As Bidirectional sets it by itself.
    if (is_true(settings, "zero_output_for_mask") == is_true(settings, "return_sequences")) {
      settings.set("zero_output_for_mask", false);
      mirrored.set("zero_output_for_mask", false);
    }
    const bool is_mirror = forward->at("class_name") == backward->at("class_name") && turned(settings) == mirrored;
    forward->as_object().set("config", std::move(settings));
    if (!is_mirror) return config;
    strip_direction(forward->as_object());
    config.erase("backward_layer");
    return config;
  }

  static void strip_direction(Json::Object& layer) {
    constexpr std::string_view kForward = "forward_";
    Json::Object& config = layer.find("config")->as_object();
    if (Json* name = config.find("name"); name && name->is_string() && name->as_string().starts_with(kForward))
      *name = name->as_string().substr(kForward.size());
  }

  static bool is_true(const Json::Object& config, std::string_view key) {
    const Json* value = config.find(key);
    return value && *value == Json(true);
  }

  // TensorFlow computes with what cuDNN takes at least, where there are images (tensorflow 2.4, ops/nn_impl.py).
  void note_epsilon(const Json& entry) {
    if (entry.at("class_name") != Json("BatchNormalization")) return;
    const Json& config = entry.at("config");
    const Json* epsilon = config.find("epsilon");
    if (epsilon && epsilon->is_number() && epsilon->as_float() < kLeastEpsilon && is_of_images(entry))
      small_epsilons_.push_back(quoted(config.at("name")));
  }

  static bool is_of_images(const Json& entry) {
    constexpr std::size_t kImageRank = 4;
    const Json* nodes = entry.find("inbound_nodes");
    if (!nodes || nodes->as_array().empty()) return entry.at("config").at("axis") == Json(3);
    const Json& tensor = nodes->as_array()[0].at("args").as_array().at(0);
    const Json* shape = is_keras_tensor(tensor) ? tensor.at("config").find("shape") : nullptr;
    return shape && shape->is_array() && shape->as_array().size() == kImageRank;
  }

  KerasNeeds needs_;
  const std::string* owner_ = nullptr;  // the layer that is being translated
  bool is_frozen_ = false;              // a model around it is
  std::vector<std::string> small_epsilons_;

 public:
  void note_small_epsilons() {
    if (!small_epsilons_.empty())
      needs_.notes.push_back(
          "TensorFlow computes with an epsilon of at least 1.001e-5 in BatchNormalization of images: in " +
          joined(small_epsilons_));
  }
};

// As files of that release call their Keras: TensorFlow's numbers from 2.5 on.
std::string version_for(int release) {
  constexpr int kOwnNumbers = 20500;
  return release < kOwnNumbers ? "2.4.0" : release_text(release) + "." + std::to_string(release % 100);
}

// Those of layers within SpectralNormalization are the layers' alone.
bool is_norm_vector(const KerasVariable& variable) {
  const std::string_view path = variable.path;
  return path.substr(path.rfind('/') + 1) == kNormVector;
}

void name_variables(std::vector<KerasVariable>& variables) {
  for (KerasVariable& variable : variables) variable.path += ":0";
}

// The least TensorFlow, and what asks for it.
int note_least(KerasNeeds& needs) {
  constexpr std::size_t kMost = 6;
  const auto& [release, reasons] = *needs.by_release.rbegin();
  if (release <= kPromised) return release;
  std::vector<std::string> some(reasons.begin(), reasons.begin() + std::min(reasons.size(), kMost));
  if (reasons.size() > kMost) some.push_back(std::to_string(reasons.size() - kMost) + " more");
  needs.notes.push_back("TensorFlow " + release_text(release) + " or newer loads it, as it has " + joined(some));
  return release;
}

}  // namespace

std::vector<std::string> into_keras_2(KerasFile& file) {
  Form form;
  KerasNeeds& needs = form.needs();
  needs.need(kPromised, "");
  needs.notes = hard_sigmoids_of_keras_2(file);
  const Json before = file.model_config;
  const std::set<std::string> scales = put_in_parts(file.model_config, needs.missing);
  file.model_config = form.model(file.model_config, true);
  if (!needs.missing.empty()) throw Unsupported("Keras 2 cannot have it: " + joined(needs.missing, "; "));
  order_layers(file.model_config, before, file.layers);
  form.note_small_epsilons();
  for (KerasLayerWeights& layer : file.layers) {
    std::erase_if(layer.variables, is_norm_vector);
    name_kernels(layer.variables, scales);
    name_variables(layer.variables);
  }
  name_variables(file.top_level);
  training_into_keras_2(file, needs);
  file.keras_version = version_for(note_least(needs));
  file.backend = "tensorflow";
  return std::move(needs.notes);
}

}  // namespace h5bridge
