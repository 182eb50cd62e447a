#include "keras/from_keras_1/model.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "keras/dialects/version.h"
#include "keras/from_keras_1/keras_0.h"
#include "keras/inner_layers.h"
#include "keras/match_layers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Words that only Keras 1 had, among a layer's keys; and its classes.
constexpr std::array<std::string_view, 14> kKeys{
    "W_regularizer", "border_mode", "consume_less", "dim_ordering", "init",      "inner_init", "input_dtype",
    "mode_type",     "nb_feature",  "nb_filter",    "pool_length",  "subsample", "alpha_init", "inner_activation"};
constexpr std::array<std::string_view, 4> kClasses{"Merge", "TimeDistributedDense", "Highway", "MaxoutDense"};
// Layers behind which as many features are as before.
constexpr std::array<std::string_view, 12> kKeepFeatures{
    "Activation", "BatchNormalization", "Dropout", "ELU",   "GaussianDropout",    "GaussianNoise",
    "Highway",    "LeakyReLU",          "Masking", "PReLU", "ParametricSoftplus", "ThresholdedReLU"};
// Layers whose kernels Theano applied flipped, or that it padded otherwise.
constexpr std::array<std::string_view, 7> kConvolutions{"AtrousConvolution1D", "AtrousConvolution2D", "ConvLSTM2D",
                                                        "Convolution1D",       "Convolution2D",       "Convolution3D",
                                                        "Deconvolution2D"};
// Up to 1.0.6 the fourth array of a BatchNormalization is a deviation (keras 1.0.6 and 1.0.8,
// backend/theano_backend.py, batch_normalization); 1.0.8 has another epsilon as its default.
constexpr int kFirstVariance = 10007;
constexpr double kEpsilonOfDeviations = 1e-6;
// The first version whose default is not Theano's ordering.
constexpr int kFirstTensorFlowOrdering = 10200;

// The entries of a model: a Sequential's configuration is their list.
const Json::Array& entries_of(const Json& model) {
  const Json& config = model.at("config");
  return config.is_array() ? config.as_array() : config.at("layers").as_array();
}

template <typename Visit>
bool any_layer(const Json& model, const Visit& visit) {
  const Json* config = model.find("config");
  if (!config) return false;
  const Json* layers = config->is_array() ? config : config->find("layers");
  if (layers && layers->is_array())
    for (const Json& layer : layers->as_array())
      if (visit(layer) || any_layer(layer, visit)) return true;
  if (const Json* inner = config->find("layer"); inner && inner->is_object())
    return visit(*inner) || any_layer(*inner, visit);
  return false;
}

bool has_words_of_keras_1(const Json& layer) {
  const Json* class_name = layer.find("class_name");
  if (class_name && class_name->is_string() &&
      std::ranges::find(kClasses, std::string_view(class_name->as_string())) != kClasses.end())
    return true;
  const Json* config = layer.find("config");
  return config && config->is_object() &&
         std::ranges::any_of(kKeys, [&](std::string_view key) { return config->find(key) != nullptr; });
}

// The first that a layer says.
std::string stated_ordering(const Json& model) {
  std::string result;
  any_layer(model, [&](const Json& layer) {
    const Json* config = layer.find("config");
    const Json* said = config ? config->find("dim_ordering") : nullptr;
    if (said && (*said == Json("th") || *said == Json("tf"))) result = said->as_string();
    return !result.empty();
  });
  return result;
}

Json tensor_port(const std::string& layer, std::int64_t call = 0, std::int64_t tensor = 0) {
  return Json::Array{layer, call, tensor};
}

class Translator1 {
 public:
  Translator1(const Json& model, const std::string& stated_version, const Beside& beside)
      : model_(is_keras_0(model) ? keras_1_form(model) : model), is_0_(is_keras_0(model)), beside_(beside) {
    if (!stated_version.empty()) version_ = keras_version_of(stated_version).number;
  }

  Keras1Model run() {
    collect(model_, "", "");
    if (beside_.weights) assign_in_file();
    find_writer();
    find_deviations();
    Keras1Model result;
    result.model = this->model(model_, name_of_model(model_));
    for (const std::string& name : order_) {
      OldLayer& layer = layers_.at(name);
      if (!layer.arrays.empty()) result.layers.push_back(std::move(layer));
    }
    result.ordering = ordering_;
    result.notes = std::move(notes_);
    return result;
  }

 private:
  static std::string name_of_model(const Json& model) {
    const Json* own = model.find("name");
    if (own && own->is_string()) return own->as_string();
    const Json* name = model.at("config").find("name");
    return name && name->is_string() ? name->as_string() : "sequential";
  }

  static std::string class_of(const Json& entry) { return entry.at("class_name").as_string(); }

  static OldLayer layer_of(const Json& entry) {
    OldLayer layer;
    layer.class_name = class_of(entry);
    layer.config = entry.at("config").as_object();
    layer.name = layer.config.at("name").as_string();
    return layer;
  }

  // --- Which arrays are whose.

  // Layers in the order in which Keras 1 stores them. A Sequential's file has those of inner models by themselves;
  // a graph's has an inner model as one.
  void collect(const Json& model, const std::string& inner_model, const std::string& group) {
    const bool is_chain = class_of(model) == "Sequential";
    for (const Json& entry : entries_of(model)) {
      const std::string class_name = class_of(entry);
      if (class_name == "Merge" && entry.at("config").find("layers"))
        for (const Json& branch : entry.at("config").at("layers").as_array())
          collect_branch(branch, inner_model, group);
      if (!is_model_class(class_name)) {
        add(layer_of(entry), inner_model, group);
      } else if (is_chain && class_name == "Sequential") {
        collect(entry, inner_model, group);
      } else {
        const std::string name = name_of_model(entry);
        collect(entry, inner_model.empty() ? name : inner_model, is_chain || !group.empty() ? group : name);
      }
    }
  }

  void collect_branch(const Json& branch, const std::string& inner_model, const std::string& group) {
    if (class_of(branch) == "Model")
      throw Unsupported("a Merge of a Model in a Sequential model is nothing that h5bridge reads");
    if (is_model_class(class_of(branch)))
      collect(branch, inner_model, group);
    else
      add(layer_of(branch), inner_model, group);
  }

  void add(OldLayer layer, const std::string& inner_model, const std::string& group) {
    layer.model = inner_model;
    layer.file_group = group.empty() ? layer.name : group;
    const auto [place, is_new] = layers_.try_emplace(layer.name, layer);
    if (!is_new)
      throw Unsupported("layer \"" + layer.name + "\" stands in the model twice, which h5bridge does not read");
    order_.push_back(layer.name);
  }

  static ArrayCount count_of(const OldLayer& layer) {
    if (const std::optional<OldLayer> inner = wrapped(layer)) {
      ArrayCount count = count_of(*inner);
      if (layer.class_name == "Bidirectional") count = {2 * count.trained, 2 * count.other};
      return count;
    }
    ArrayCount count = array_count(layer.class_name, layer.config).value_or(ArrayCount());
    const Json* trained = layer.config.find("trainable");
    if (trained && *trained == Json(false)) count = {0, count.all()};
    return count;
  }

  // The layers of the group, and how many arrays they have.
  struct Group {
    std::string name;
    std::vector<OldLayer*> layers;
    std::size_t arrays = 0;
  };

  std::vector<Group> groups() {
    std::vector<Group> result;
    for (const std::string& name : order_) {
      OldLayer& layer = layers_.at(name);
      const std::size_t arrays = count_of(layer).all();
      if (arrays == 0) continue;
      auto group = std::ranges::find(result, layer.file_group, &Group::name);
      if (group == result.end()) group = result.insert(result.end(), {layer.file_group, {}, 0});
      group->layers.push_back(&layer);
      group->arrays += arrays;
    }
    return result;
  }

  // Whether a group of that file may be that one, as far as the configuration says what its arrays are like.
  static bool fits(const Group& group, const KerasLayerWeights& weights) {
    if (group.arrays != weights.variables.size()) return false;
    if (group.layers.size() != 1) return true;
    const Json::Object& config = group.layers[0]->config;
    const Json* units = config.find("nb_filter") ? config.find("nb_filter") : config.find("output_dim");
    if (!units || !units->is_integer()) return true;
    return std::ranges::any_of(weights.variables, [&](const KerasVariable& variable) {
      return std::ranges::find(variable.tensor.shape(), units->as_integer()) != variable.tensor.shape().end();
    });
  }

  void assign_in_file() {
    try {
      assign(*beside_.weights);
    } catch (const Error& error) {
      if (beside_.weights_file.empty()) throw;
      rethrow_in_file(error, beside_.weights_file);
    }
  }

  void assign(const std::vector<KerasLayerWeights>& weights) {
    std::vector<Group> expected = groups();
    std::vector<const KerasLayerWeights*> found;
    for (const KerasLayerWeights& layer : weights)
      if (!layer.variables.empty()) found.push_back(&layer);
    std::vector<std::string> expected_names, found_names;
    for (const Group& group : expected) expected_names.push_back(group.name);
    for (const KerasLayerWeights* layer : found) found_names.push_back(layer->layer);
    const auto places = match_layers(expected_names, found_names, beside_.match,
                                     [&](std::size_t e, std::size_t f) { return fits(expected[e], *found[f]); });
    std::set<std::size_t> taken;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!places[i])
        throw MalformedFile("holds no weights of layer \"" + expected[i].name + "\"" +
                            " (its layers with weights: " + shortened(joined(found_names)) + ")");
      taken.insert(*places[i]);
      distribute(expected[i], *found[*places[i]]);
    }
    for (std::size_t i = 0; i < found.size(); ++i)
      if (!taken.contains(i))
        throw MalformedFile("holds weights of \"" + found_names[i] + "\", a layer that the architecture does not have");
  }

  // An inner model's arrays are those that are trained, then the others.
  void distribute(const Group& group, const KerasLayerWeights& weights) {
    if (group.arrays != weights.variables.size())
      throw MalformedFile("/" + weights.layer + " holds " + std::to_string(weights.variables.size()) +
                          " arrays, expected " + std::to_string(group.arrays) + " of " + describe(*group.layers[0]) +
                          (group.layers.size() > 1 ? " and others" : ""));
    auto next = weights.variables.begin();
    for (const bool is_trained : {true, false})
      for (OldLayer* layer : group.layers) {
        const ArrayCount count = count_of(*layer);
        const auto end = next + static_cast<std::ptrdiff_t>(is_trained ? count.trained : count.other);
        layer->arrays.insert(layer->arrays.end(), next, end);
        next = end;
      }
  }

  static std::string describe(const OldLayer& layer) {
    return "layer \"" + layer.name + "\" (" + layer.class_name + ")";
  }

  // --- Theano or TensorFlow.

  void find_writer() {
    const std::string said = stated_ordering(model_);
    std::string reason;
    const bool is_theano = theano_wrote(said, reason);
    ordering_ = !said.empty()                                                             ? said
                : is_theano || is_0_ || (version_ && version_ < kFirstTensorFlowOrdering) ? "th"
                                                                                          : "tf";
    std::vector<std::string> convolutions;
    for (const std::string& name : order_) {
      OldLayer& layer = layers_.at(name);
      layer.is_theano = is_theano;
      const std::optional<OldLayer> inner = wrapped(layer);
      const std::string& class_name = inner ? inner->class_name : layer.class_name;
      if (std::ranges::find(kConvolutions, std::string_view(class_name)) != kConvolutions.end())
        convolutions.push_back(layer.name);
    }
    if (convolutions.empty() || reason.empty()) return;
    notes_.push_back((is_theano ? "Theano applies kernels flipped, and those of "
                                : "TensorFlow applies kernels as they are, and those of ") +
                     shortened(joined(convolutions)) + (is_theano ? " are turned round: " : " are left so: ") + reason +
                     " (LoadOptions::written_by says otherwise)");
  }

  // `reason` gets why, where the file does not state it and nobody said it.
  bool theano_wrote(const std::string& ordering, std::string& reason) const {
    if (!beside_.backend.empty()) return beside_.backend == "theano";
    if (beside_.written_by) return *beside_.written_by == KerasBackend::Theano;
    bool is_named = false, is_numbered = false;
    for (const auto& [name, layer] : layers_)
      for (const KerasVariable& array : layer.arrays) {
        is_named = is_named || (!array.path.starts_with("param_") && !array.path.starts_with("layer_"));
        is_numbered = is_numbered || array.path.ends_with(":0");
      }
    if (is_numbered) return false;  // TensorFlow's names end so, and no others
    if (is_named) {
      reason = "the names of its weights are Theano's";
      return true;
    }
    const bool is_theano = ordering == "th" || (ordering.empty() && is_0_);
    reason = ordering.empty() ? is_0_ ? "Keras 0 used Theano" : "nothing says who wrote it"
                              : "nothing but its dim_ordering \"" + ordering + "\" says who wrote it";
    return is_theano;
  }

  void find_deviations() {
    std::vector<std::string> unsure;
    for (auto& [name, layer] : layers_) {
      if (layer.class_name != "BatchNormalization") continue;
      const Json* epsilon = layer.config.find("epsilon");
      const bool has_old_default = epsilon && epsilon->is_number() && epsilon->as_float() <= kEpsilonOfDeviations;
      layer.is_deviation = is_0_ || (version_ ? version_ < kFirstVariance : has_old_default);
      if (!is_0_ && !version_) unsure.push_back(name);
    }
    if (unsure.empty()) return;
    const bool is_deviation = layers_.at(unsure[0]).is_deviation;
    notes_.push_back("running_std of " + shortened(joined(unsure)) + " is taken for a " +
                     (is_deviation ? "deviation, as up to Keras 1.0.6" : "variance, as from Keras 1.0.7 on") +
                     ", because of its epsilon: no version is stated");
  }

  // --- The configuration.

  Json model(const Json& old, const std::string& name) {
    return class_of(old) == "Sequential" ? chain(old, name) : graph(old, name);
  }

  // What a layer becomes, named.
  struct Expanded {
    std::vector<NewLayer> parts;
    std::vector<std::string> names;
    bool is_chain = true;
  };

  Expanded expanded(const std::string& name) {
    OldLayer layer = layers_.at(name);
    layer.config.erase("batch_input_shape");
    if (layer.class_name != "InputLayer") layer.config.erase("input_dtype");
    Expanded result;
    try {
      result.parts = layers_in_keras_2(layer, ordering_);
    } catch (const Error& error) {
      rethrow_in_file(error, describe(layer));
    }
    std::string before = kGiven;
    for (NewLayer& part : result.parts) {
      result.names.push_back(name + part.suffix);
      part.config.set("name", result.names.back());
      if (const Json* trainable = layer.config.find("trainable"); trainable && part.suffix != "_carry")
        part.config.set("trainable", *trainable);
      result.is_chain = result.is_chain && part.inputs == std::vector<std::string>{before};
      before = part.suffix;
    }
    return result;
  }

  // Layers of Sequential models within it are its own.
  static void flatten(const Json& chain, std::vector<Json>& entries) {
    for (const Json& entry : entries_of(chain))
      if (class_of(entry) == "Sequential")
        flatten(entry, entries);
      else
        entries.push_back(entry);
  }

  Json chain(const Json& old, const std::string& name) {
    std::vector<Json> entries;
    flatten(old, entries);
    if (entries.empty()) throw MalformedFile("a Sequential model has no layers");
    GraphMaker maker{*this, {}, {}, true};
    const std::string last = maker.chain(entries);
    if (!maker.is_chain) return maker.graph(name, {last});
    for (Json& layer : maker.layers) {
      layer.as_object().erase("inbound_nodes");
      layer.as_object().erase("name");
    }
    return Json::Object{{"class_name", "Sequential"},
                        {"config", Json::Object{{"name", name}, {"layers", std::move(maker.layers)}}}};
  }

  // A chain, or what begins with a Merge of chains, as a graph.
  struct GraphMaker {
    Translator1& outer;
    Json::Array layers;
    std::vector<std::string> inputs;
    bool is_chain;

    // Gives the layer that makes the result.
    std::string chain(const std::vector<Json>& entries) {
      std::string last;
      std::int64_t call = 0;
      std::optional<std::int64_t> features;
      for (const Json& entry : entries) {
        const std::string class_name = class_of(entry);
        const Json& config = entry.at("config");
        Json::Array given;
        if (!last.empty()) given.push_back(tensor_port(last, call));
        call = 0;
        if (class_name == "Merge" && config.find("layers")) {
          is_chain = false;
          given.clear();
          for (const Json& branch : config.at("layers").as_array()) given.push_back(tensor_port(this->branch(branch)));
        } else if (last.empty() && class_name != "InputLayer" && config.find("batch_input_shape")) {
          given.push_back(tensor_port(input(entry)));
          const Json::Array& shape = config.at("batch_input_shape").as_array();
          if (shape.size() == 2 && shape[1].is_integer()) features = shape[1].as_integer();
        }
        if (is_model_class(class_name)) {
          last = name_of_model(entry);
          Json layer = outer.model(entry, last);
          add(std::move(layer.as_object()), last, given);
          call = 1;  // its own making counts as call number 0
          features.reset();
          continue;
        }
        last = config.at("name").as_string();
        if (class_name == "InputLayer") {
          add(std::move(input_layer(entry).as_object()), last, {});
          inputs.push_back(last);
          continue;
        }
        outer.layers_.at(last).features = features;
        add(outer.expanded(last), {Json(given)});
        features = features_behind(class_name, config, features);
      }
      return last;
    }

    std::string branch(const Json& old) {
      std::vector<Json> entries;
      if (class_of(old) == "Sequential")
        flatten(old, entries);
      else
        entries.push_back(old);
      return chain(entries);
    }

    static std::optional<std::int64_t> features_behind(const std::string& class_name, const Json& config,
                                                       std::optional<std::int64_t> before) {
      if (std::ranges::find(kKeepFeatures, std::string_view(class_name)) != kKeepFeatures.end()) return before;
      const Json* units = config.find("output_dim");
      return units && units->is_integer() ? std::optional(units->as_integer()) : std::nullopt;
    }

    std::string input(const Json& first) {
      const Json& config = first.at("config");
      const Json* dtype = config.find("input_dtype");
      const std::string name = config.at("name").as_string() + "_input";
      add(Json::Object{{"class_name", "InputLayer"},
                       {"config", Json::Object{{"batch_input_shape", config.at("batch_input_shape")},
                                               {"dtype", dtype && dtype->is_string() ? *dtype : Json("float32")},
                                               {"sparse", false},
                                               {"name", name}}}},
          name, {});
      inputs.push_back(name);
      return name;
    }

    void add(Json::Object layer, const std::string& name, const Json::Array& given) {
      layer.set("name", name);
      layer.set("inbound_nodes", given.empty() ? Json::Array{} : Json::Array{given});
      layers.push_back(std::move(layer));
    }

    // `calls`: of the old layer, the tensors that each is given.
    void add(Expanded expanded, const std::vector<Json>& calls) {
      is_chain = is_chain && expanded.is_chain;
      for (std::size_t i = 0; i < expanded.parts.size(); ++i) {
        NewLayer& part = expanded.parts[i];
        Json::Array nodes;
        for (std::size_t call = 0; call < calls.size(); ++call) {
          Json::Array given;
          for (const std::string& from : part.inputs) {
            if (from == kGiven)
              std::ranges::copy(calls[call].as_array(), std::back_inserter(given));
            else
              given.push_back(tensor_port(expanded.names.back() + from, static_cast<std::int64_t>(call)));
          }
          if (!given.empty()) nodes.push_back(std::move(given));
        }
        layers.push_back(Json::Object{{"class_name", part.class_name},
                                      {"config", std::move(part.config)},
                                      {"name", expanded.names[i]},
                                      {"inbound_nodes", std::move(nodes)}});
      }
    }

    Json graph(const std::string& name, const std::vector<std::string>& outputs) {
      const auto ports = [](const std::vector<std::string>& names) {
        Json::Array result;
        for (const std::string& layer : names) result.push_back(tensor_port(layer));
        return result;
      };
      return Json::Object{{"class_name", "Model"},
                          {"config", Json::Object{{"name", name},
                                                  {"layers", std::move(layers)},
                                                  {"input_layers", ports(inputs)},
                                                  {"output_layers", ports(outputs)}}}};
    }
  };

  Json graph(const Json& old, const std::string& name) {
    GraphMaker maker{*this, {}, {}, false};
    for (const Json& entry : entries_of(old)) {
      const Json* nodes = entry.find("inbound_nodes");
      const std::vector<Json> calls = nodes ? nodes->as_array() : Json::Array{};
      if (is_model_class(class_of(entry))) {
        Json layer = model(entry, name_of_model(entry));
        layer.as_object().set("name", name_of_model(entry));
        layer.as_object().set("inbound_nodes", Json::Array(calls));
        maker.layers.push_back(std::move(layer));
      } else if (class_of(entry) == "InputLayer") {
        maker.layers.push_back(input_layer(entry));
      } else {
        maker.add(expanded(entry.at("config").at("name").as_string()), calls);
      }
    }
    Json::Object config = old.at("config").as_object();
    config.set("name", name);
    config.set("layers", std::move(maker.layers));
    return Json::Object{{"class_name", "Model"}, {"config", std::move(config)}};
  }

  static Json input_layer(const Json& entry) {
    Json::Object layer = entry.as_object();
    Json::Object config = entry.at("config").as_object();
    const Json* dtype = config.find("input_dtype");
    const Json given = dtype && dtype->is_string() ? *dtype : Json("float32");
    config.erase("input_dtype");
    config.set("dtype", given);
    layer.set("config", std::move(config));
    return layer;
  }

  Json model_;
  bool is_0_;
  std::optional<int> version_;
  const Beside& beside_;
  std::map<std::string, OldLayer> layers_;
  std::vector<std::string> order_;
  std::string ordering_;
  std::vector<std::string> notes_;
};

}  // namespace

bool is_before_keras_2(const Json& model_config, const std::string& stated_version) {
  if (is_keras_0(model_config)) return true;
  if (!stated_version.empty()) return keras_version_of(stated_version).is_before_2();
  return any_layer(model_config, has_words_of_keras_1);
}

Keras1Model keras_2_form(const Json& model_config, const std::string& stated_version, const Beside& beside) {
  return Translator1(model_config, stated_version, beside).run();
}

std::vector<KerasLayerWeights> weights_of_keras_2_form(const std::vector<OldLayer>& layers, const std::string& ordering,
                                                       std::vector<NamedTensor>& original) {
  std::vector<KerasLayerWeights> result;
  for (const OldLayer& layer : layers) {
    std::vector<KerasLayerWeights> parts;
    try {
      parts = weights_in_keras_2(layer, ordering);
    } catch (const Error& error) {
      rethrow_in_file(error, "layer \"" + layer.name + "\" (" + layer.class_name + ")");
    }
    if (layer.is_deviation)
      original.push_back({"unscaled/" + layer.name + "/" + layer.arrays[3].path, layer.arrays[3].tensor});
    for (KerasLayerWeights& part : parts) {
      part.layer = layer.name + part.layer;
      for (KerasVariable& variable : part.variables) variable.path = part.layer + "/" + variable.path;
      if (!layer.model.empty()) part.layer = layer.model;
      const auto same = std::ranges::find(result, part.layer, &KerasLayerWeights::layer);
      if (same == result.end())
        result.push_back(std::move(part));
      else
        std::ranges::move(part.variables, std::back_inserter(same->variables));
    }
  }
  return result;
}

}  // namespace h5bridge
