#include "keras/dialects/configuration.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "h5bridge/error.h"
#include "keras/dialects/cudnn.h"
#include "keras/dialects/hard_sigmoid.h"
#include "keras/dialects/meanings.h"
#include "keras/dialects/nodes.h"
#include "keras/dialects/table.h"
#include "keras/dialects/tensorflow_operations.h"
#include "keras/dialects/theano_padding.h"
#include "keras/dialects/users_classes.h"
#include "keras/inner_layers.h"
#include "keras/object_paths.h"
#include "keras/wrappers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// From this version on nothing differs from the form that the rest of the program reads.
constexpr int kTarget = 31501;
constexpr double kLeastEpsilon = 1.001e-5;
// What a file is taken for that states no version: the last before Keras 3, if its form is not that of Keras 3.
constexpr KerasVersion kLastBefore3{KerasLine::TensorFlow, 21500};
constexpr KerasVersion kNewest{KerasLine::Keras3, kTarget};
// The form that files of Keras 0 and 1 are brought into first.
constexpr KerasVersion kFirst2{KerasLine::Standalone, 20000};

// Layers that Keras 3 has no more, and that hand on what they are given when they do not train (tensorflow 2.12
// keras/layers/preprocessing/image_preprocessing.py).
constexpr std::array<std::string_view, 2> kActInTrainingAlone{"RandomHeight", "RandomWidth"};
// What tf.keras crops at random in training, and fits into the size elsewhere; Keras 3's hands on what it is given.
constexpr const char* kRandomCrop = "RandomCrop";
constexpr const char* kThresholdedReLU = "ThresholdedReLU";

// Keras 3 names the module of every object, Keras 2 that of none (of initialisers alone, from 2.12 on).
bool has_form_of_keras_3(const Json& model) {
  if (model.find("module")) return true;
  const Json* config = model.find("config");
  const Json* layers = config && config->is_object() ? config->find("layers") : nullptr;
  return layers && layers->is_array() &&
         std::ranges::any_of(layers->as_array(), [](const Json& layer) { return layer.find("module") != nullptr; });
}

// Keras 2 has a list around one input, or output, whether or not the model has.
void take_out_of_list(Json& ports) {
  if (ports.is_array() && ports.as_array().size() == 1 && ports.as_array()[0].is_array())
    ports = Json(ports.as_array()[0]);
}

class Translator {
 public:
  Translator(KerasVersion version, bool is_theano, const std::vector<KerasLayerWeights>* weights)
      : version_(version), is_theano_(is_theano && version.is_before_3()), weights_(weights) {}

  KerasConfiguration run(const Json& model) {
    KerasConfiguration result;
    has_integers_ = takes_integers(model);
    result.model = this->model(model);
    if (version_.is_before_3()) {
      note_factors();
      heed_outer_flags(result.model);
    }
    result.factors = std::move(factors_);
    result.cudnn = std::move(cudnn_);
    result.local = std::move(local_);
    result.notes = std::move(notes_);
    return result;
  }

 private:
  // A layer that is frozen had nothing that trained (keras 2.15, engine/base_layer.py, trainable_weights); in Keras 3
  // what is within has to say so itself.
  static void heed_outer_flags(Json& layer) {
    Json* own = layer.is_object() ? layer.as_object().find("config") : nullptr;
    if (!own || !own->is_object()) return;
    Json::Object& config = own->as_object();
    if (const Json* trainable = config.find("trainable"); trainable && *trainable == Json(false))
      return freeze_within(config);
    for (const char* member : {"layer", "backward_layer"})
      if (Json* wrapped = config.find(member)) heed_outer_flags(*wrapped);
    if (Json* layers = config.find("layers"); layers && layers->is_array())
      for (Json& inner : layers->as_array()) heed_outer_flags(inner);
  }

  // Whether an input is stated to be of another type than floats.
  static bool takes_integers(const Json& model) {
    const Json& config = model.at("config");
    const Json* layers = config.is_array() ? &config : config.find("layers");
    return layers && layers->is_array() && std::ranges::any_of(layers->as_array(), [](const Json& layer) {
             const Json* own = layer.find("config");
             const Json* dtype = own && own->is_object() ? own->find("dtype") : nullptr;
             return layer.at("class_name") == Json("InputLayer") && dtype && dtype->is_string() &&
                    dtype->as_string().find("float") == std::string::npos;
           });
  }

  Json model(const Json& model) {
    Json::Object result = model.as_object();
    const std::string class_name = class_in_keras_3(version_, "", model.at("class_name").as_string());
    result.set("class_name", class_name);
    const Json& config = model.at("config");
    // Up to 2.2.2 the configuration of a Sequential model is the list of its layers.
    Json::Object settings =
        config.is_array() ? Json::Object{{"name", "sequential"}, {"layers", config}} : config.as_object();
    Json::Array layers;
    for (const Json& layer : settings.at("layers").as_array()) layers.push_back(this->layer(layer));
    if (class_name == "Sequential") add_input(layers, settings);
    Json none;
    if (version_.is_before_3() && std::ranges::any_of(layers, is_locally_connected))
      take_local(result, layers, settings);
    Json* outputs = settings.find("output_layers");
    if (is_theano_) mend_theano_padding(layers);
    if (version_.is_before_3()) {
      std::ranges::move(changed_meanings(version_, layers), std::back_inserter(notes_));
      mend_hard_sigmoids(layers, outputs ? *outputs : none, factors_);
    }
    if (version_.is_before_3())
      for (const char* key : {"input_layers", "output_layers"})
        if (Json* ports = settings.find(key)) take_out_of_list(*ports);
    settings.set("layers", std::move(layers));
    result.set("config", std::move(settings));
    return result;
  }

  // A Sequential model with one becomes a graph.
  void take_local(Json::Object& model, Json::Array& layers, Json::Object& settings) {
    const bool is_chain = model.at("class_name") == Json("Sequential");
    take_local_layers(layers, is_chain, weights_, group_, local_);
    if (!is_chain) return;
    const auto port = [&](const Json& layer) { return Json::Array{layer.at("config").at("name"), 0, 0}; };
    model.set("class_name", "Functional");
    settings.set("input_layers", Json::Array{port(layers.front())});
    settings.set("output_layers", Json::Array{port(layers.back())});
    settings.erase("build_input_shape");
  }

  // An entry in a model's list of layers, or a layer that another one wraps.
  Json layer(const Json& entry) {
    const std::string& old_class = entry.at("class_name").as_string();
    if (is_model_class(old_class)) {
      const std::size_t known = factors_.size(), known_cudnn = cudnn_.size();
      const std::string outer = std::exchange(outer_, "");
      const std::string name = outer.empty() ? name_of_model(entry) : outer;
      const std::string group = group_;
      if (group_.empty()) group_ = name;
      Json inner = model(entry);
      outer_ = outer;
      group_ = group;
      for (std::size_t i = known; i < factors_.size(); ++i) put_within(name, factors_[i]);
      for (std::size_t i = known_cudnn; i < cudnn_.size(); ++i) put_within(name, cudnn_[i]);
      return with_calls(std::move(inner.as_object()), old_class);
    }
    const Json* module = entry.find("module");
    if (module && module->is_string() && !is_layer(module->as_string()) && !is_tensorflow_operation(entry))
      return entry;
    if (is_cudnn(old_class)) return layer_of_cudnn(entry);
    if (std::ranges::find(kActInTrainingAlone, old_class) != kActInTrainingAlone.end()) return layer_of_training(entry);
    if (old_class == kRandomCrop && version_.is_before_3()) return layer_of_crop(entry);
    if (old_class == kThresholdedReLU && version_.is_before_3()) return layer_of_threshold(entry);
    if (is_tensorflow_operation(entry)) {
      try {
        return operation_in_keras_3(entry);
      } catch (const Error& error) {
        rethrow_in_file(error, "layer " + quoted(entry.at("config").at("name")) + " (" + old_class + ")");
      }
    }
    Json::Object result = entry.as_object();
    const std::string class_name = class_in_keras_3(version_, "", old_class);
    const Json::Object& config = entry.at("config").as_object();
    // A wrapper is the layer whose group has the weights.
    const bool is_outer = outer_.empty();
    if (const Json* name = config.find("name"); is_outer && name && name->is_string()) outer_ = name->as_string();
    try {
      result.set("class_name", class_name);
      result.set("config", settings(class_name, config));
    } catch (const Error& error) {
      const Json* name = config.find("name");
      rethrow_in_file(error, "layer " + (name ? name->dump() : std::string("without a name")) + " (" + old_class + ")");
    }
    if (is_outer) outer_.clear();
    return with_calls(std::move(result), class_name);
  }

  // The name of a model within the model, which a Sequential one that is a list has beside its configuration.
  static std::string name_of_model(const Json& entry) {
    const Json* own = entry.at("config").is_object() ? entry.at("config").find("name") : nullptr;
    const Json* name = own ? own : entry.find("name");
    return name && name->is_string() ? name->as_string() : "sequential";
  }

  Json layer_of_training(const Json& entry) {
    const Json::Object& given = entry.at("config").as_object();
    Json::Object config;
    for (const char* key : {"name", "trainable", "dtype", "batch_input_shape"})
      if (const Json* value = given.find(key)) config.set(key, *value);
    notes_.push_back("layer " + quoted(given.at("name")) + " (" + entry.at("class_name").as_string() +
                     "): acts in training alone, and Keras 3 has no such layer: it is an Identity there");
    Json::Object result = entry.as_object();
    result.set("class_name", "Identity");
    result.set("config", std::move(config));
    return layer(result);
  }

  // What is not above theta is 0 (keras 2.3.1, layers/advanced_activations.py), as of a ReLU with a threshold.
  Json layer_of_threshold(const Json& entry) {
    Json::Object result = entry.as_object(), config = entry.at("config").as_object();
    const Json theta = config.at("theta");
    config.erase("theta");
    config.set("max_value", nullptr);
    config.set("negative_slope", 0.0);
    config.set("threshold", theta);
    result.set("class_name", "ReLU");
    result.set("config", std::move(config));
    return layer(result);
  }

  // It makes floats of integers first, which Resizing does not.
  Json layer_of_crop(const Json& entry) {
    const Json::Object& given = entry.at("config").as_object();
    const std::string described = "layer " + quoted(given.at("name")) + " (RandomCrop)";
    if (has_integers_)
      throw Unsupported(described + ": fits pictures into a size as floats, and the model takes integers");
    Json::Object config = given;
    config.erase("seed");
    config.set("interpolation", "bilinear");
    config.set("crop_to_aspect_ratio", true);
    notes_.push_back(described +
                     ": crops at random in training alone, and fits pictures into its size elsewhere, which "
                     "Keras 3's does not: it is a Resizing there");
    Json::Object result = entry.as_object();
    result.set("class_name", "Resizing");
    result.set("config", std::move(config));
    return layer(result);
  }

  Json layer_of_cudnn(const Json& entry) {
    const std::string& name = entry.at("config").at("name").as_string();
    cudnn_.push_back({outer_.empty() ? name : outer_, entry.at("class_name") == Json("CuDNNLSTM")});
    return layer(without_cudnn(entry.as_object()));
  }

  static bool is_layer(const std::string& module) { return module.starts_with("keras.layers"); }

  // An activation that is a layer; a function has its name for a configuration.
  static bool is_layer_object(const Json& value) {
    const Json* class_name = value.is_object() ? value.find("class_name") : nullptr;
    const Json* config = class_name ? value.find("config") : nullptr;
    return config && config->is_object() && class_name->is_string();
  }

  static Json with_calls(Json::Object layer, const std::string& class_name) {
    if (const Json* nodes = layer.find("inbound_nodes"); nodes && nodes->is_array())
      layer.set("inbound_nodes", nodes_in_keras_3(*nodes, class_name));
    return layer;
  }

  Json::Object settings(const std::string& class_name, const Json::Object& config) {
    Json::Object given = config;
    if (version_.is_before_3()) take_input_shape(class_name, given);
    Json::Object result = settings_in_keras_3(version_, "", class_name, given);
    for (auto& [key, value] : result) value = setting(class_name, key, value);
    if (class_name == "BatchNormalization") take_least_epsilon(result);
    if (class_name == "Bidirectional" && version_.is_before_3()) add_backward_cells(result);
    if (class_name == "SpectralNormalization" && version_.is_before_3()) result.set(kGivesFloats, true);
    return result;
  }

  // Keras 2 tells of the second direction only where it is another layer. As Keras 3 makes it
  // (keras/src/layers/rnn/bidirectional.py), where cells have to be told for each of them.
  static void add_backward_cells(Json::Object& settings) {
    const Json* layer = settings.find("layer");
    const Json* backward = settings.find("backward_layer");
    if ((backward && !backward->is_null()) || !layer || !is_layer_object(*layer) ||
        layer->at("class_name") != Json("RNN"))
      return;
    const Json::Object described = layer->as_object(), config = layer->at("config").as_object();
    const Json* turned = config.find("go_backwards");
    const bool is_turned = turned && *turned == Json(true);
    const auto half = [&](const std::string& direction, bool go_backwards) {
      Json::Object own = config, result = described;
      own.set("name", direction + "_" + config.at("name").as_string());
      own.set("go_backwards", go_backwards);
      result.set("config", std::move(own));
      return result;
    };
    settings.set("layer", half("forward", is_turned));
    settings.set("backward_layer", half("backward", !is_turned));
  }

  // For images, tf.keras computed with what cuDNN takes at least, whatever was asked for (tensorflow 2.4,
  // ops/nn_impl.py, fused_batch_norm). That there are images an axis 3 tells.
  void take_least_epsilon(Json::Object& settings) {
    const Json* axis = settings.find("axis");
    const Json* epsilon = settings.find("epsilon");
    const bool is_small = epsilon && epsilon->is_number() && epsilon->as_float() < kLeastEpsilon;
    if (version_.line != KerasLine::TensorFlow || !axis || *axis != Json(3) || !is_small) return;
    notes_.push_back("layer " + quoted(settings.at("name")) + " (BatchNormalization): its epsilon " + epsilon->dump() +
                     " is less than the least with which TensorFlow computed, 1.001e-5, which is taken");
    settings.set("epsilon", kLeastEpsilon);
  }

  // What only a first layer means is remembered for add_input, and is no setting of the layer.
  void take_input_shape(const std::string& class_name, Json::Object& config) {
    if (class_name == "InputLayer") return;
    if (const Json* shape = config.find("batch_input_shape")) {
      const Json* dtype = config.find("dtype");
      if (!first_) first_ = {*shape, dtype ? *dtype : Json()};
      config.erase("batch_input_shape");
    }
  }

  Json setting(const std::string& class_name, const std::string& key, const Json& value) {
    if (is_layer_member(key)) return value.is_object() && value.find("class_name") ? layer(value) : value;
    if (key.ends_with("activation") && is_layer_object(value)) return layer(value);
    if (key == "cells") return each(value, [&](const Json& cell) { return layer(cell); });
    if (!version_.is_before_3()) return value;
    if (key.ends_with("_initializer")) return object("initializers", value);
    if (key.ends_with("_regularizer")) return object("regularizers", value);
    if (key.ends_with("_constraint")) return object("constraints", value);
    if (key == "dtype" && class_name != "InputLayer") return policy(value);
    // A list of one axis means that axis (tensorflow 2.4, normalization.py).
    if (key == "axis" && class_name == "BatchNormalization" && value.is_array() && value.as_array().size() == 1)
      return value.as_array()[0];
    return value;
  }

  template <typename Change>
  static Json each(const Json& list, Change&& change) {
    if (!list.is_array()) return list;
    Json::Array result;
    for (const Json& element : list.as_array()) result.push_back(change(element));
    return result;
  }

  // {"class_name": "Zeros", "config": {}} with what Keras 3 says besides; None and functions by their name stay.
  Json object(const std::string& kind, const Json& value) {
    const Json* old_class = value.is_object() ? value.find("class_name") : nullptr;
    const Json* config = value.is_object() ? value.find("config") : nullptr;
    if (!old_class || !old_class->is_string() || !config || !config->is_object()) return value;
    const std::string class_name = class_in_keras_3(version_, kind + ".", old_class->as_string());
    return Json::Object{{"module", "keras." + kind},
                        {"class_name", class_name},
                        {"config", settings_in_keras_3(version_, kind + ".", class_name, config->as_object())},
                        {"registered_name", nullptr}};
  }

  // "float32", or {"class_name": "Policy", "config": {"name": "mixed_float16"}}.
  static Json policy(const Json& value) {
    const Json* config = value.is_object() ? value.find("config") : nullptr;
    const Json* name = config ? config->find("name") : value.is_string() ? &value : nullptr;
    if (!name || !name->is_string()) return value;
    return Json::Object{{"module", "keras"},
                        {"class_name", "DTypePolicy"},
                        {"config", Json::Object{{"name", *name}}},
                        {"registered_name", nullptr}};
  }

  // Any first layer could say the shape of its input; Keras 3 has an InputLayer for it.
  void add_input(Json::Array& layers, const Json::Object& model) {
    const std::optional<FirstLayer> first = std::exchange(first_, std::nullopt);
    if (!version_.is_before_3() || layers.empty() || layers[0].at("class_name") == Json("InputLayer")) return;
    const Json* built = model.find("build_input_shape");
    const Json shape = first ? first->shape : built ? *built : Json();
    if (!shape.is_array()) return;
    const Json* own_name = layers[0].at("config").find("name");
    const std::string name = (own_name && own_name->is_string() ? own_name->as_string() : "sequential") + "_input";
    const Json dtype = first && first->dtype.is_string() ? first->dtype : Json("float32");
    layers.insert(layers.begin(), Json::Object{{"module", "keras.layers"},
                                               {"class_name", "InputLayer"},
                                               {"config", Json::Object{{"batch_shape", shape},
                                                                       {"dtype", dtype},
                                                                       {"sparse", false},
                                                                       {"ragged", false},
                                                                       {"name", name},
                                                                       {"optional", false}}},
                                               {"registered_name", nullptr}});
  }

  void note_factors() {
    if (factors_.empty()) return;
    std::string layers;
    for (const GateFactors& factor : factors_)
      layers += (layers.empty() ? "" : ", ") + factor.layer + (factor.inner.empty() ? "" : "/" + factor.inner);
    notes_.push_back(
        "hard_sigmoid was 0.2 x + 0.5 before Keras 3, and is x / 6 + 0.5 there and in PyTorch: the weights of "
        "the gates in " +
        layers + " are multiplied by 1.2, which computes the same; an .h5 keeps the original ones beside them");
  }

  struct FirstLayer {
    Json shape;
    Json dtype;
  };

  KerasVersion version_;
  bool is_theano_;
  bool has_integers_ = false;
  std::optional<FirstLayer> first_;
  const std::vector<KerasLayerWeights>* weights_;  // of the same file, where they are there
  std::string outer_;                              // the layer of the model that is being translated
  std::string group_;                              // the model within the model that is
  std::vector<GateFactors> factors_;
  std::vector<CudnnLayer> cudnn_;
  std::vector<LocalLayer> local_;
  std::vector<std::string> notes_;
};

}  // namespace

KerasConfiguration keras_3_configuration(const Json& model_config, const std::string& stated_version,
                                         const Beside& beside) {
  if (is_before_keras_2(model_config, stated_version)) {
    Keras1Model old = keras_2_form(model_config, stated_version, beside);
    std::vector<NamedTensor> unused;
    const std::vector<KerasLayerWeights> weights =
        beside.weights ? weights_of_keras_2_form(old.layers, old.ordering, unused) : std::vector<KerasLayerWeights>{};
    KerasConfiguration result = Translator(kFirst2, false, &weights).run(old.model);
    result.notes.insert(result.notes.begin(), old.notes.begin(), old.notes.end());
    result.old_layers = std::move(old.layers);
    result.ordering = std::move(old.ordering);
    return result;
  }
  if (!model_config.is_object() || !model_config.find("class_name") || !model_config.find("config"))
    throw MalformedFile("the model's configuration has no \"class_name\" and \"config\"");
  const KerasVersion version = !stated_version.empty()             ? keras_version_of(stated_version)
                               : has_form_of_keras_3(model_config) ? kNewest
                                                                   : kLastBefore3;
  const Json named = with_users_classes(model_config);
  if (version.number >= kTarget || !is_model_class(named.at("class_name").as_string())) return {named, {}, {}};
  return Translator(version, beside.backend == "theano", beside.weights).run(named);
}

}  // namespace h5bridge
