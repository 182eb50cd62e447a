#include "convert/load.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "convert/architecture_beside_file.h"
#include "convert/configuration_note.h"
#include "convert/formats/format.h"
#include "convert/keras_import.h"
#include "convert/layout_conversion.h"
#include "convert/model_check.h"
#include "convert/name_prefix.h"
#include "convert/named_weights.h"
#include "convert/optimizer_names.h"
#include "convert/other_names.h"
#include "convert/rename.h"
#include "convert/settle_ties.h"
#include "convert/slot_check.h"
#include "facets/keras/quantised.h"
#include "files/keras_archive.h"
#include "keras/dialects/configuration.h"
#include "keras/dialects/training.h"
#include "keras/dialects/users_classes.h"
#include "keras/dialects/weights.h"
#include "keras/lift.h"
#include "keras/lora.h"
#include "keras/output_names.h"
#include "keras/parse_tree.h"
#include "keras/read_bindings.h"
#include "keras/wrappers.h"
#include "model/quoted.h"
#include "passes/fix_sizes.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

// A configuration of any Keras, in the form of 3.15, and what the file that has it says of itself.
struct StatedConfiguration {
  KerasConfiguration configuration;
  std::string keras_version;
  std::string backend;
  LoraScales lora;  // that it had
};

// What model.to_json() gave, before it is known which weights stand beside it.
struct StatedJson {
  std::string path;
  Json json;
};

// What the sources hold, before it is put together.
struct Parts {
  std::optional<Architecture> architecture;
  std::string architecture_file;
  std::optional<StatedJson> keras_json;
  std::optional<StatedConfiguration> keras_config;  // where the architecture is Keras's
  std::optional<KerasFile> keras;
  std::optional<Model> torch;
  std::string weights_file;
  std::optional<OptimizerFile> optimizer;  // where it is a file of its own
  std::string optimizer_file;
  bool has_entries = false;  // whether a source may have several

  void claim_architecture(const std::string& path) {
    if (!architecture_file.empty()) throw UsageError(path + ": is a second architecture, besides " + architecture_file);
    architecture_file = path;
  }
  void claim_weights(const std::string& path) {
    if (!weights_file.empty())
      throw UsageError(path + ": is a second file of weights, besides " + weights_file +
                       ((weights_file == architecture_file || (keras && keras->has_model_config))
                            ? " (h5bridge convert " + weights_file +
                                  " -o net.json writes its architecture alone, for " + path + " to stand beside)"
                            : ""));
    weights_file = path;
  }
  void claim_optimizer(const std::string& path) {
    if (!optimizer_file.empty()) throw UsageError(path + ": is a second optimizer, besides " + optimizer_file);
    optimizer_file = path;
  }
};

std::string text_in(const Json& json, const char* member) {
  const Json* text = json.find(member);
  return text && text->is_string() ? text->as_string() : "";
}

// What the options say of a file of Keras's.
Beside beside(const KerasFile* weights, const std::string& weights_file, const std::string& backend,
              const LoadOptions& options) {
  const bool states_other =
      options.written_by && !backend.empty() && (backend == "theano") != (*options.written_by == KerasBackend::Theano);
  if (states_other)
    throw UsageError("it states that " + backend + " wrote it, which LoadOptions::written_by cannot change");
  return {weights ? &weights->layers : nullptr, weights_file, backend, options.written_by, options.match};
}

// Which of its arrays are whose, a configuration of Keras 1 does not tell without them.
void read_keras_config(Parts& parts, const LoadOptions& options) {
  const Json& json = parts.keras_json->json;
  const bool has_weights = parts.keras && !parts.keras->has_model_config;
  const std::string version = text_in(json, "keras_version");
  std::string backend = text_in(json, "backend");
  if (backend.empty() && has_weights) backend = parts.keras->backend;
  const KerasFile* weights = has_weights ? &*parts.keras : nullptr;
  StatedConfiguration stated{
      keras_3_configuration(json, version, beside(weights, parts.weights_file, backend, options)),
      version,
      backend,
      {}};
  stated.lora = take_lora(stated.configuration.model);
  parts.architecture = architecture_from_keras(stated.configuration.model);
  parts.keras_config = std::move(stated);
  // Of a compiled model, save_weights() writes the optimizer's variables, and to_json() which optimizer it is.
  if (const Json* compile = json.find("compile_config");
      has_weights && compile && parts.keras->training_config.is_null())
    parts.keras->training_config = training_config_of(*compile);
}

void read_source(const std::string& path, const LoadOptions& options, Parts& parts) {
  FileContent content = in_file(path, [&] {
    const SourceFile file(path, options.memory_map);
    const Format& format = recognise(file);
    parts.has_entries |= format.has_entries;
    return format.read(file, options);
  });
  if (content.has_weights()) parts.claim_weights(path);
  if (content.architecture || content.keras_json) parts.claim_architecture(path);
  if (content.architecture) parts.architecture = std::move(content.architecture);
  if (content.keras_json) parts.keras_json = {path, *std::move(content.keras_json)};
  if (content.keras) parts.keras = std::move(content.keras);
  if (content.torch) parts.torch = std::move(content.torch);
  if (content.optimizer) {
    parts.claim_optimizer(path);
    parts.optimizer = std::move(content.optimizer);
  }
}

std::set<std::string> state_dict_names(const Architecture& architecture) {
  std::set<std::string> names(architecture.state_dict.begin(), architecture.state_dict.end());
  names.insert(architecture.unused.begin(), architecture.unused.end());
  for (const NamedParameter& parameter : parameters_of(architecture)) names.insert(parameter.name);
  for (const auto& [alias, name] : architecture.aliases) names.insert(alias);
  return names;
}

// The names that the network itself gives them, which may be part of another module in the file.
void strip_wrappers(Model& model) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : model.weights)
    if (!is_averages_counter(tensor.name)) names.push_back(tensor.name);
  const std::string prefix = wrapper_prefix(names, state_dict_names(*model.architecture));
  if (prefix.empty()) return;
  Weights stripped;
  for (const NamedTensor& tensor : model.weights)
    if (is_averages_counter(tensor.name) && !tensor.name.starts_with(prefix))
      model.notes.push_back("left out: " + tensor.name + ", which is no part of the network but of what wraps it");
    else
      stripped.add(tensor.name.substr(prefix.size()), tensor.tensor);
  model.notes.push_back("the names are read without their prefix \"" + shortened(prefix) + "\"");
  model.weights = std::move(stripped);
  if (Json* torch = model.metadata.find("torch")) torch->as_object().erase("state_dict_metadata");
}

// BatchNorm's counter came with version 2 of its state_dict; PyTorch takes older ones, which have no version at all.
void add_missing_counters(Model& model) {
  const Json* torch = model.metadata.find("torch");
  if (torch && torch->find("state_dict_metadata")) return;
  for (const NamedParameter& parameter : parameters_of(*model.architecture))
    if (parameter.spec.role == Role::Buffer && parameter.spec.shape.empty() && parameter.spec.dtype == DType::Int64 &&
        !model.weights.find(parameter.name))
      model.weights.add(parameter.name, zeros(DType::Int64, {}));
}

// Under all of their names, of which a file that Keras has saved has but one.
void add_aliases(Model& model) {
  for (const auto& [alias, name] : model.architecture->aliases) {
    const Tensor* tensor = model.weights.find(name);
    if (tensor && !model.weights.find(alias)) model.weights.add(alias, Tensor(*tensor));
  }
}

// Moments belong to the weights as they were before they were computed anew.
void leave_out_optimizer(KerasFile& file, KerasConfiguration& configuration) {
  const bool are_other = !configuration.cudnn.empty() || !configuration.local.empty();
  if ((configuration.factors.empty() && !are_other) || !file.training_config.is_object()) return;
  if (file.training_config.as_object().erase("optimizer_config"))
    configuration.notes.push_back("the optimizer is left out: its state is that of the weights before they were " +
                                  std::string(are_other ? "brought into Keras 3's form" : "multiplied"));
  file.optimizer.clear();
}

// What a translation gives beside the file.
struct Translation {
  KerasModel stated;  // the layers of the file's configuration, which is taken apart once; none where there is none
  std::vector<std::string> notes;
  std::vector<NamedTensor> residuals;
};

// Weights that would have to be multiplied are so in the lists of a .h5 alone.
void refuse_factors(const KerasFile& file, const KerasConfiguration& configuration) {
  if (!file.objects.empty() && !configuration.factors.empty())
    throw Unsupported(
        "layer \"" + configuration.factors.front().layer +
        "\" has the hard_sigmoid of before Keras 3, whose weights h5bridge multiplies in a .h5 alone: save "
        "the model as .h5 there");
}

// An architecture beside the file does not say it, and would only find that tensors do not fit.
void refuse_quantised_layers(const KerasModel& model) {
  visit_layers(model, [](const std::string&, const KerasLayer& layer) {
    in_file(describe(layer), [&] { refuse_quantised(layer.config); });
  });
}

// The file as Keras 3.15 would have written it. Weights without a configuration are read as the one beside them says.
Translation translate(KerasFile& file, const std::optional<StatedConfiguration>& stated, const LoadOptions& options) {
  if (!file.model_config.is_object() && stated) {
    refuse_factors(file, stated->configuration);
    const auto or_beside = [](const std::string& own, const std::string& other) { return own.empty() ? other : own; };
    Translation result{
        {},
        stated->configuration.notes,
        weights_in_keras_3(file.layers, stated->configuration, or_beside(file.keras_version, stated->keras_version),
                           or_beside(file.backend, stated->backend))};
    std::ranges::move(merge_lora(file, stated->lora), std::back_inserter(result.notes));
    return result;
  }
  if (!file.model_config.is_object()) return {};
  KerasConfiguration own =
      keras_3_configuration(file.model_config, file.keras_version, beside(&file, "", file.backend, options));
  refuse_factors(file, own);
  std::vector<NamedTensor> residuals = weights_in_keras_3(file.layers, own, file.keras_version, file.backend);
  leave_out_optimizer(file, own);
  if (file.training_config.is_object())
    if (Json* optimizer = file.training_config.as_object().find("optimizer_config"))
      *optimizer = with_users_optimizer(std::move(*optimizer));
  if (!file.keras_version.empty())
    std::ranges::move(training_in_keras_3(file, keras_version_of(file.keras_version)), std::back_inserter(own.notes));
  file.model_config = std::move(own.model);
  KerasModel layers = parse_layers(file.model_config);
  refuse_quantised_layers(layers);
  if (const LoraScales lora = take_lora(file.model_config); !lora.empty()) {
    std::ranges::move(merge_lora(file, lora), std::back_inserter(own.notes));
    layers = parse_layers(file.model_config);
  }
  return {std::move(layers), std::move(own.notes), std::move(residuals)};
}

// Two architectures have to be one network; whatever else they differ in is noted.
std::string compare_architectures(const Parts& parts, Translation& translation) {
  std::string disagreement;
  for (const NetworkDifference& difference :
       differences_beside_file(*parts.keras, translation.stated, *parts.architecture)) {
    const std::string& given = parts.architecture_file;
    switch (difference.certainty) {
      case Certainty::Certain:
        disagreement = "its network is not that of " + given + ": " + difference.text +
                       "; export the architecture of the network as it is now";
        break;
      case Certainty::Possible:
        translation.notes.push_back("its network may be another than that of " + given +
                                    ", which is taken: " + difference.text);
        break;
      case Certainty::InTraining:
        translation.notes.push_back("its network is trained otherwise than that of " + given +
                                    ", which is taken: " + difference.text);
    }
  }
  return disagreement;
}

// Keras goes by the configuration, whoever wrote it.
std::string compare_with_edits(const KerasFile& file, Translation& translation) {
  std::string disagreement;
  for (const NetworkDifference& difference : differences_by_edits(file, translation.stated)) {
    if (difference.certainty == Certainty::Certain)
      disagreement =
          "its Keras configuration was edited, and is another network than the architecture that h5bridge "
          "left beside it: " +
          difference.text +
          "; save it by Keras (keras.models.load_model, then save), which keeps the "
          "configuration alone";
    else
      translation.notes.push_back(
          "its Keras configuration was edited since h5bridge wrote it; the architecture beside it is "
          "taken: " +
          difference.text);
  }
  return disagreement;
}

// Where weights fit no layer because two architectures differ, it is the latter that is to be said.
ReadKerasFile matched(Parts& parts, KerasModel stated, const LoadOptions& options, const std::string& disagreement) {
  LoadOptions reading = options;
  const bool is_translated = parts.keras_config && !parts.keras_config->configuration.old_layers.empty();
  if (is_translated) reading.match = LayerMatch::Name;  // they are called so by now
  try {
    return model_from_keras(*parts.keras, std::move(stated), parts.architecture, reading,
                            parts.keras_config ? parts.keras_config->configuration.model : Json());
  } catch (const Error&) {
    if (disagreement.empty()) throw;
    throw Disagreement(disagreement);
  }
}

// An optimizer whose state_dict is a file of its own (Trainer, accelerate).
void add_optimizer(Parts& parts, const LoadOptions& options) {
  if (!parts.optimizer) return;
  if (!parts.torch)
    throw UsageError(parts.optimizer_file +
                     ": is the state_dict of an optimizer of PyTorch's; give the state_dict of its model beside it");
  if (!options.optimizer) return;
  Model& model = *parts.torch;
  if ((model.training && model.training->optimizer) || !model.optimizer_left_out.empty())
    throw UsageError(parts.optimizer_file + ": is a second optimizer, besides that in " + parts.weights_file);
  model.optimizer_left_out = parts.optimizer->left_out;
  if (!parts.optimizer->optimizer) return;
  if (!model.training) model.training.emplace();
  model.training->optimizer = std::move(parts.optimizer->optimizer);
}

// The model is Keras's, and its outputs are called as there.
void take_keras_names(Model& model, const Json& model_config) {
  model.framework = Framework::Keras;
  if (const auto names = output_names_in(model_config, *model.architecture))
    name_keras_outputs(*model.architecture, *names);
}

// A whole module's own, or an exported program's, counts where no source states another one.
// Whether what it says of its inputs is no more than what fits.
bool take_own_architecture(Parts& parts) {
  if (!parts.torch || !parts.torch->architecture || parts.architecture) return false;
  parts.architecture = std::move(parts.torch->architecture);
  const Json* torch = parts.torch->metadata.find("torch");
  return torch && torch->find("module");  // an exported program says it
}

std::string supposed_shapes(const std::vector<Input>& inputs) {
  if (inputs.size() == 1)
    return "the file does not say what shape its input has: " + to_string(inputs[0].shape) + " is taken";
  std::string shapes;
  for (const Input& input : inputs) shapes += (shapes.empty() ? "" : ", ") + input.name + " " + to_string(input.shape);
  return "the file does not say what shapes its inputs have: " + shapes + " are taken";
}

UncheckedModel put_together(Parts parts, const LoadOptions& options) {
  const auto fix = [&](std::optional<Architecture>& architecture) {
    if (!architecture) throw UsageError("sizes can be fixed only where there is an architecture");
    architecture = fix_sizes(std::move(*architecture), options.fix_sizes);
    try {
      infer_shapes(*architecture);
    } catch (const MalformedFile& error) {
      throw UsageError(std::string("with these fixed sizes, ") + error.what());
    }
  };
  const bool is_supposed = take_own_architecture(parts);
  // Before weights of Keras are matched to it, which some architectures allow only then.
  const bool is_fixed = parts.architecture && !options.fix_sizes.empty();
  if (is_fixed) fix(parts.architecture);
  if (is_supposed) parts.torch->notes.push_back(supposed_shapes(parts.architecture->inputs));
  UncheckedModel result;
  Model& model = result.model;
  if (renames(options) && !parts.torch)
    throw UsageError("LoadOptions::names and LoadOptions::renames are of a state_dict, and the sources have none");
  if (parts.keras) {
    model = in_file(parts.weights_file, [&] {
      parts.keras->is_edited = has_changed_configuration(*parts.keras);
      Translation translation = translate(*parts.keras, parts.keras_config, options);
      result.disagreement = parts.architecture ? compare_architectures(parts, translation)
                                               : compare_with_edits(*parts.keras, translation);
      auto [read, untied] = matched(parts, std::move(translation.stated), options, result.disagreement);
      read.notes.insert(read.notes.begin(), translation.notes.begin(), translation.notes.end());
      std::ranges::copy(translation.residuals, std::back_inserter(read.residuals));
      result.untied = std::move(untied);
      return std::move(read);
    });
  } else {
    if (parts.torch) {
      model = std::move(*parts.torch);
      if (renames(options)) in_file(parts.weights_file, [&] { rename_tensors(model, options); });
    }
    if (parts.architecture) model.architecture = std::move(parts.architecture);
    if (model.architecture && parts.keras_config) {
      // A .pth holds PyTorch's layout, with flattens folded; Keras's own format stays noted in the architecture.
      if (parts.torch)
        model.architecture = architecture_for_torch(*model.architecture);
      else
        take_keras_names(model, parts.keras_config->configuration.model);
    }
    if (model.format.empty()) model.format = parts.keras_config ? "keras-config" : "architecture";
    if (model.architecture && parts.torch) {
      for (const std::string& name : frozen_parameters(*model.architecture)) model.trainable.emplace(name, false);
      strip_wrappers(model);
      take_other_names(model, options);
      add_missing_counters(model);
    }
  }
  if (!options.fix_sizes.empty() && !is_fixed) fix(model.architecture);
  if (model.architecture) add_aliases(model);
  if (!parts.keras) result.untied = settle_ties(model, options.untie);  // where there is one, its reader has done so
  return result;
}

Parts read_sources(const std::vector<std::string>& sources, const LoadOptions& options) {
  if (sources.empty()) throw UsageError("no source is given");
  Parts parts;
  for (const std::string& path : sources) read_source(path, options, parts);
  if (!parts.has_entries && !(options.key.empty() && options.optimizer_key.empty()))
    throw UsageError(
        "LoadOptions::key and LoadOptions::optimizer_key name what a checkpoint of PyTorch's has several of, "
        "and the sources are none");
  add_optimizer(parts, options);
  if (!parts.keras_json) return parts;
  try {
    read_keras_config(parts, options);
  } catch (const Error& error) {
    const bool is_of_weights =
        !parts.weights_file.empty() && std::string_view(error.what()).starts_with(parts.weights_file + ": ");
    if (is_of_weights) throw;
    rethrow_in_file(error, parts.keras_json->path);
  }
  return parts;
}

/// Of a Keras file whose tensors are not those of the architecture given beside it: the layer that it lacks.
void check_weights_beside(const std::string& architecture_file, const Model& model, bool allow_unexpected) {
  try {
    check_weights(model, allow_unexpected);
  } catch (const MalformedFile& error) {
    const std::vector<WeightProblem> problems = weight_problems(model);
    const auto lacking = std::ranges::find(problems, WeightProblem::Kind::Missing, &WeightProblem::kind);
    if (lacking == problems.end()) throw;
    throw MalformedFile(std::string(error.what()) + "; its network is not that of " + architecture_file +
                        ": it has no layer \"" + shortened(lacking->tensor.substr(0, lacking->tensor.rfind('.'))) +
                        "\"; read it without " + architecture_file +
                        ", or with the architecture of the network as it is now");
  }
}

Model load_whole(const std::vector<std::string>& sources, const LoadOptions& options) {
  Parts parts = read_sources(sources, options);
  const std::string weights_file = parts.weights_file;
  const std::string beside_keras = parts.keras && parts.architecture ? parts.architecture_file : "";
  const std::string state_file = parts.optimizer_file.empty() ? weights_file : parts.optimizer_file;
  try {
    UncheckedModel read = put_together(std::move(parts), options);
    // Before the optimizer, because one of weights that do not fit would only hide why.
    if (!weights_file.empty())
      in_file(weights_file, [&] {
        if (!read.disagreement.empty()) throw Disagreement(read.disagreement);
        if (beside_keras.empty()) return check_weights(read.model, options.allow_unexpected);
        check_weights_beside(beside_keras, read.model, options.allow_unexpected);
      });
    name_optimizer(read.model, options, read.untied);
    if (!state_file.empty()) in_file(state_file, [&] { check_slots(read.model); });
    return std::move(read.model);
  } catch (const Disagreement& error) {  // of a source's halves, which makes it one that is no good
    throw MalformedFile(error.what());
  }
}

// The weights alone, where there is one source whose layers are not all known.
Model load_checked(const std::vector<std::string>& sources, const LoadOptions& options) {
  try {
    return load_whole(sources, options);
  } catch (const Unsupported& error) {
    if (!options.weights_alone || sources.size() != 1) throw;
    const SourceFile file(sources[0], options.memory_map);
    const FileContent content = recognise(file).read(file, options);
    std::optional<Model> model = content.keras ? named_weights(*content.keras, error.what()) : std::nullopt;
    if (!model) throw;
    return *std::move(model);
  }
}

}  // namespace

const std::map<std::string, LayerMatch>& layer_matches() {
  static const std::map<std::string, LayerMatch> words{{"order", LayerMatch::Order}, {"name", LayerMatch::Name}};
  return words;
}

const std::map<std::string, KerasBackend>& keras_backends() {
  static const std::map<std::string, KerasBackend> words{{"theano", KerasBackend::Theano},
                                                         {"tensorflow", KerasBackend::TensorFlow}};
  return words;
}

UncheckedModel load_unchecked(const std::vector<std::string>& sources, const LoadOptions& options) {
  UncheckedModel result = put_together(read_sources(sources, options), options);
  name_optimizer(result.model, options, result.untied);
  return result;
}

Model load(const std::vector<std::string>& sources, const LoadOptions& options) {
  return with_errors([&] { return load_checked(sources, options); });
}

}  // namespace h5bridge
