#include "convert/keras_import.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "convert/architecture_beside_file.h"
#include "convert/architecture_json.h"
#include "convert/inner_weights.h"
#include "convert/kept_optimizer.h"
#include "convert/keras_data_format.h"
#include "convert/keras_extra.h"
#include "convert/lost_counters.h"
#include "convert/object_weights.h"
#include "convert/reference.h"
#include "convert/settle_ties.h"
#include "convert/shared_layers.h"
#include "convert/tied_state.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "keras/bindings.h"
#include "keras/dialects/version.h"
#include "keras/inner_places.h"
#include "keras/lift.h"
#include "keras/object_paths.h"
#include "keras/output_names.h"
#include "keras/parse_tree.h"
#include "keras/plan.h"
#include "keras/read_bindings.h"
#include "keras/shared_uses.h"
#include "keras/wrappers.h"
#include "model/quoted.h"
#include "optimizers/keras_loss_scale.h"
#include "optimizers/keras_optimizer.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "passes/layout.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

std::string last_component(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
}

// In Keras's order.
LayerOrder layers_in_order(const KerasModel& model) {
  LayerOrder names;
  for (const KerasLayer& layer : model.layers) names.push_back(layer.keras_name);
  return names;
}

// The architecture that h5bridge left in the file, null where there is none: it is not kept twice.
Json taken_architecture(KerasFile& file) {
  Json* found = file.extra.is_object() ? file.extra.as_object().find("architecture") : nullptr;
  return found ? std::exchange(*found, Json()) : Json();
}

class KerasReader {
 public:
  KerasReader(KerasFile& file, KerasModel stated, const std::optional<Architecture>& architecture,
              const LoadOptions& options, const Json& beside)
      : file_(file), options_(options), is_alone_(!architecture), stored_(file.layers), stated_(std::move(stated)) {
    const Json own = taken_architecture(file);
    if (architecture)
      model_.architecture = architecture;
    else if (own.is_object())
      model_.architecture = checked(architecture_from_json(own));
    else if (file.model_config.is_object())
      model_.architecture = architecture_from_keras(file.model_config);
    else if (file.has_model_config)
      throw MalformedFile("attribute model_config of / is " + std::string(file.model_config.kind()) +
                          ", expected an object with \"class_name\" and \"config\"");
    else
      throw UsageError("holds weights only; give its architecture beside it");
    add_noted_ties();
    if (file.model_config.is_object()) learn_ties(file.model_config, stated_, *model_.architecture);
    // Keras's own architecture is the file's; any other, maybe PyTorch's, is the file's in the format that the file
    // states.
    const bool is_files = !architecture && !own.is_object();
    const DataFormat format = data_format_of_file(file, stated_, *model_.architecture);
    // Noted where it is not the standard one, so that inputs are laid out as the file's Keras model takes them.
    if (format == DataFormat::ChannelsFirst) model_.architecture->keras.data_format = format;
    if (is_files || !changes_layout(*model_.architecture, format, Framework::Keras)) {
      // Of ten thousand layers, a copy would be much.
      LayoutChange same = same_layout(*std::exchange(model_.architecture, std::nullopt));
      bind(same, beside);
      model_.architecture = std::move(same.architecture);
    } else {
      bind(change_layout(*model_.architecture, format, Framework::Keras), beside);
    }
    if (!file.has_model_config && file.objects.empty() && architecture)
      stored_ = matched_to_plan(file, bound_, *model_.architecture, layers_in_order(parse_layers(beside)),
                                options.match, model_.notes);
    name_keras_outputs(*model_.architecture, bound_.output_names);
    freeze_as_stated(architecture.has_value());
  }

  ReadKerasFile run() {
    model_.framework = Framework::Keras;
    model_.format = file_.format;
    find_layers();
    read_variables();
    tie_shared_layers();
    for (const std::string& name : partly_frozen(*model_.architecture)) model_.trainable[name] = false;
    read_residuals();
    tie_weights();
    untied_ = settle_ties(model_, options_.untie);
    for (const auto& [name, other] : bound_.tied)
      if (const auto said = model_.trainable.find(other); said != model_.trainable.end())
        model_.trainable[name] = said->second;
    order_weights();
    read_training();
    note_unheeded();
    note_inner_optimizers();
    for (const char* member : {"torch", "digests", "carried"})
      if (const Json* kept = file_.extra.find(member)) model_.metadata.set(member, *kept);
    if (const Json* reference = file_.extra.find("reference"))
      model_.reference = reference_from_json(*reference, file_.extra_tensors);
    Json::Object keras;
    if (!file_.keras_version.empty()) keras.set("keras_version", file_.keras_version);
    if (!file_.backend.empty()) keras.set("backend", file_.backend);
    if (!keras.empty()) model_.metadata.set("keras", std::move(keras));
    return {std::move(model_), std::move(untied_)};
  }

 private:
  // By the rows that read the layers of the file's configuration, or of the one beside it. Where that is none of this
  // architecture's, or there is none, it takes what would be written.
  void bind(const LayoutChange& change, const Json& beside) {
    const bool is_stated = file_.model_config.is_object();
    if (!is_stated) described_ = parse_layers(beside);
    if (auto names = output_names_in(is_stated ? file_.model_config : beside, change.architecture))
      if (auto read = read_bindings(described(), change.architecture, change.weights)) {
        bound_ = *std::move(read);
        bound_.output_names = *std::move(names);
        return;
      }
    KerasPlan plan = plan_for_file(change);
    if (!is_stated && !beside.is_object()) described_ = parse_layers(plan.model_config);
    bound_ = std::move(plan);
  }

  // The model whose layers the bindings have.
  const KerasModel& described() const { return described_ ? *described_ : stated_; }

  // Tied layers may be one in the file, or have a copy each; Keras 2's may have no wrapper around what it has not.
  KerasPlan plan_for_file(const LayoutChange& change) const {
    const bool is_tied = !change.architecture.ties.empty(), is_old = states_before_3(file_.keras_version);
    Architecture apart = change.architecture;
    apart.ties.clear();
    KerasPlan plan = wrapped(plan_keras(apart, change.weights));
    if ((!is_tied && !is_old) || has_all_layers(plan)) return plan;
    if (is_tied) plan = wrapped(plan_keras(change.architecture, change.weights));
    if (!is_old || has_all_layers(plan)) return plan;
    KerasPlan unwrapped = wrapped(plan_keras(without_wrappers(change.architecture), change.weights));
    return has_all_layers(unwrapped) ? unwrapped : plan;
  }

  // The model that the architecture beside the file describes may be one within the file's.
  KerasPlan wrapped(KerasPlan plan) const {
    if (is_alone_ || !file_.model_config.is_object()) return plan;
    return within_inner_models(std::move(plan), stated_);
  }

  bool has_all_layers(const KerasPlan& plan) const {
    if (!file_.objects.empty()) {
      const std::vector<KerasLayerWeights> weights =
          weights_of_objects(file_, plan, file_.model_config.is_object() ? stated_ : parse_layers(plan.model_config));
      return std::ranges::all_of(plan.bindings, [&](const KerasBinding& binding) {
        return !std::ranges::find(weights, binding.layer, &KerasLayerWeights::layer)->variables.empty();
      });
    }
    return std::ranges::all_of(plan.bindings, [&](const KerasBinding& binding) {
      return std::ranges::find(file_.layers, binding.group, &KerasLayerWeights::layer) != file_.layers.end();
    });
  }

  // What the file says of its layers counts, whatever the architecture said of them before Keras trained it. If that
  // stands beside it, somebody may go on training by it.
  void freeze_as_stated(bool has_other) {
    std::map<std::string, const KerasLayer*> layers;
    visit_layers(stated_, [&](const std::string& name, const KerasLayer& layer) {
      if (layer.find("trainable")) layers[name] = &layer;
    });
    const std::vector<std::string> frozen_before = frozen_parameters(*model_.architecture);
    const auto was_frozen = [&](const KerasBinding& binding) {
      return std::ranges::all_of(binding.torch, [&](const KerasBinding::Source& source) {
        return std::ranges::count(frozen_before, source.name) > 0;
      });
    };
    const bool is_old = states_before_3(file_.keras_version);
    const bool is_frozen_as_a_whole = !stated_.trainable;
    for (std::size_t i = 0; i < bound_.bindings.size(); ++i) {
      KerasBinding& binding = bound_.bindings[i];
      const auto stated = layers.find(binding.layer);
      if (is_frozen_as_a_whole) binding.frozen = true;
      if (is_frozen_as_a_whole || stated == layers.end()) continue;
      const Said said = said_of(binding, stated->second->class_name, stated->second->config);
      const bool is_unheeded = said == Said::Unheeded && binding.trainable && !is_old;
      binding.frozen = is_unheeded ? was_frozen(binding) : said != Said::Trained;
      if (is_unheeded && !binding.frozen) unheeded_.push_back(i);
    }
    if (has_other) note_frozen(layers, frozen_before);
  }

  // Of layers that are frozen as a whole; what is frozen in part, no file of Keras's says.
  void note_frozen(const std::map<std::string, const KerasLayer*>& stated, const std::vector<std::string>& before) {
    struct Frozen {
      bool before = true;
      bool now = true;
    };
    std::map<std::string, Frozen> found;
    std::vector<std::string> layers;
    for (const KerasBinding& binding : bound_.bindings) {
      if (!binding.trainable || !stated.contains(binding.layer)) continue;
      const auto [known, is_new] = found.try_emplace(binding.layer);
      if (is_new) layers.push_back(binding.layer);
      for (const KerasBinding::Source& source : binding.torch)
        known->second.before = known->second.before && std::ranges::count(before, source.name) > 0;
      known->second.now = known->second.now && binding.frozen;
    }
    std::map<bool, std::vector<std::string>> changed;
    for (const std::string& layer : layers)
      if (const Frozen& frozen = found.at(layer); frozen.now != frozen.before) changed[frozen.now].push_back(layer);
    for (const auto& [is_frozen, names] : changed)
      model_.notes.push_back(
          "Keras " + std::string(is_frozen ? "froze " : "trains ") + listed(names) +
          (is_frozen ? ", which the architecture beside it trains" : ", frozen in the architecture beside it") +
          "; a .pth cannot say so: write a .json, too");
  }

  // A layer whose own flag Keras does not hand on to what it makes when it is built: attention's projections. Whether
  // they were trained when the file was saved, an optimizer's state tells.
  void note_unheeded() {
    std::vector<std::string> layers;
    for (const std::size_t i : unheeded_)
      if (const std::string& layer = bound_.bindings[i].layer; std::ranges::find(layers, layer) == layers.end())
        layers.push_back(layer);
    if (!layers.empty())
      model_.notes.push_back(listed(layers) +
                             ": its trainable = False says nothing to what it is made of: Keras trains it once it has "
                             "loaded the file, and so it is trained here");
  }

  void freeze_unheeded(bool frozen) {
    for (const std::size_t i : unheeded_) {
      bound_.bindings[i].frozen = frozen;
      for (const KerasBinding::Source& source : bound_.bindings[i].torch) model_.trainable[source.name] = !frozen;
    }
  }

  static std::string listed(const std::vector<std::string>& layers) {
    std::string result;
    for (const std::string& name : layers)
      result += (result.empty() ? "layer \"" : ", layer \"") + shortened(name) + '"';
    return result;
  }

  // What the file holds of a layer, and what is expected there.
  struct LayerVariables {
    const KerasLayerWeights* found = nullptr;
    std::vector<std::string> planned;  // in the order in which Keras loads them
    bool is_by_place = false;
  };

  // Keras itself loads by place (legacy/saving/legacy_h5_format.py). That is followed where names are others altogether
  // than Keras 3's (depthwise_kernel:0, a wrapper's of Keras 2); elsewhere they are a check on the order.
  void find_layers() {
    for (const KerasBinding& binding : bound_.bindings) {
      std::vector<std::string>& planned = layers_[binding.layer].planned;
      planned.insert(planned.end(), binding.variables.begin(), binding.variables.end());
    }
    weights_ = weights_by_layer(file_, stored_, bound_, described());
    note_variable_paths();
    one_path_ = layers_of_one_path(weights_);
    share_slot_paths();
    for (const KerasLayerWeights& weights : weights_) {
      LayerVariables& layer = layers_[weights.layer];
      layer.found = &weights;
      std::multiset<std::string> expected, found;
      for (const std::string& path : layer.planned) expected.insert(last_component(path));
      for (const KerasVariable& variable : weights.variables) found.insert(last_component(variable.path));
      layer.is_by_place = expected != found && expected.size() == found.size();
    }
    require_names();
  }

  // Layers are found by their names, of which a network that was built anew in Keras may have none.
  void require_names() const {
    const auto is_found = [](const auto& layer) {
      return !layer.second.planned.empty() && layer.second.found && !layer.second.found->variables.empty();
    };
    if (is_alone_ || !file_.model_config.is_object() || bound_.bindings.empty() ||
        std::ranges::any_of(layers_, is_found))
      return;
    std::vector<std::string> wanted;
    for (const KerasBinding& binding : bound_.bindings)
      if (std::ranges::find(wanted, binding.layer) == wanted.end()) wanted.push_back(binding.layer);
    constexpr std::size_t kMost = 4;
    const std::string more = wanted.size() > kMost ? " and " + std::to_string(wanted.size() - kMost) + " more" : "";
    wanted.resize(std::min(wanted.size(), kMost));
    throw MalformedFile("none of its layers with weights is called as those of the architecture beside it, " +
                        listed(wanted) + more +
                        ": they are found by their names, so that a network which is built anew has to call them so");
  }

  // A Sequential model that another one built has variables whose paths begin with that one's name.
  void note_variable_paths() {
    for (KerasBinding& binding : bound_.bindings) {
      if (binding.scope.empty()) continue;
      const auto scope = std::ranges::find(model_.architecture->scopes, binding.scope, &Scope::name);
      const auto layer = std::ranges::find(weights_, binding.layer, &KerasLayerWeights::layer);
      if (scope == model_.architecture->scopes.end() || layer == weights_.end()) continue;
      const std::string expected = "/" + binding.path + binding.variables[0];
      for (const KerasVariable& variable : layer->variables)
        if (variable.path.ends_with(expected)) {
          const std::string before = variable.path.substr(0, variable.path.size() - expected.size() + 1);
          binding.slot_path = before + binding.slot_path;
          if (scope->keras.class_name == "Sequential" && scope->keras.name)
            scope->keras.variable_path = before + *scope->keras.name;
        }
    }
  }

  // An optimizer has variables for a path, whichever layers it is that of.
  void share_slot_paths() {
    if (one_path_.empty()) return;
    std::map<std::string, std::string> paths;
    for (const KerasBinding& binding : bound_.bindings) paths.emplace(binding.layer, binding.slot_path);
    for (const auto& [first, other] : one_path_)
      for (KerasBinding& binding : bound_.bindings)
        if (binding.layer == other) binding.slot_path = paths.at(first);
  }

  // An architecture beside the file says itself what is tied.
  void tie_shared_layers() {
    if (!is_alone_) return;
    for (const auto& pair : shared_layers(one_path_, file_, stated_, weights_)) {
      for (const auto& [one, other] : tensors_of_both(pair, bound_)) add_tie(*model_.architecture, {one, other});
      model_.notes.push_back("the layers \"" + shortened(pair.first) + "\" and \"" + shortened(pair.second) +
                             "\" were one when Keras saved them, as the paths of their variables say: their "
                             "parameters are tied. Keras itself loads two, which train apart");
    }
  }

  const Tensor* take(const KerasVariable& variable) {
    used_.insert(&variable);
    return &variable.tensor;
  }

  // A variable by the end of its path; where paths are spelled otherwise, the next one of that name.
  const Tensor* find_variable(const KerasBinding& binding, const std::string& path) {
    const LayerVariables& layer = layers_.at(binding.layer);
    if (!layer.found) return nullptr;
    const std::vector<KerasVariable>& variables = layer.found->variables;
    if (layer.is_by_place)
      return take(variables[static_cast<std::size_t>(std::ranges::find(layer.planned, path) - layer.planned.begin())]);
    const auto first = [&](const auto& matches) -> const Tensor* {
      for (const KerasVariable& variable : variables)
        if (!used_.contains(&variable) && matches(variable)) return take(variable);
      return nullptr;
    };
    const Tensor* exact =
        first([&](const KerasVariable& variable) { return ("/" + variable.path).ends_with("/" + path); });
    if (exact) return exact;
    return first([&](const KerasVariable& variable) { return last_component(variable.path) == last_component(path); });
  }

  void read_variables() {
    // Those that take tensors of others come after these.
    for (const bool takes_others : {false, true})
      for (const KerasBinding& binding : bound_.bindings)
        if (binding.given.empty() != takes_others) read_variables(binding);
    for (const KerasLayerWeights& layer : weights_)
      for (const KerasVariable& variable : layer.variables)
        if (!used_.contains(&variable)) unexpected_.push_back({variable.path, variable.tensor});
  }

  // For messages.
  std::string place_of(const KerasBinding& binding) const {
    std::string factors;
    for (const auto* sources : {&binding.torch, &binding.given})
      for (const KerasBinding::Source& source : *sources)
        factors += (factors.empty() ? ", made of " : " and ") + source.name;
    const std::string group = file_.objects.empty() ? "/model_weights/" : "";
    return group + binding.layer + "/" + binding.variables[0] + (binding.given.empty() ? "" : factors);
  }

  // A variable that no tensor of PyTorch's holds, for the way back.
  void read_wrappers_own(const KerasBinding& binding) {
    const Tensor* found = find_variable(binding, binding.variables.at(0));
    const auto scope = std::ranges::find(model_.architecture->scopes, binding.scope, &Scope::name);
    if (found && scope != model_.architecture->scopes.end()) set_own_value(scope->keras, *found);
  }

  void read_variables(const KerasBinding& binding) {
    if (binding.is_wrappers_own) return read_wrappers_own(binding);
    std::vector<Tensor> variables;
    for (const std::string& name : binding.variables)
      if (const Tensor* tensor = find_variable(binding, name)) variables.push_back(*tensor);
    std::vector<Tensor> given;
    for (const KerasBinding::Source& source : binding.given)
      if (const Tensor* tensor = model_.weights.find(source.name))
        given.push_back(to_keras(source.steps, {*tensor}).at(0));
    if (variables.size() != binding.variables.size() || given.size() != binding.given.size()) return;
    in_file(place_of(binding), [&] {
      const std::optional<std::vector<Tensor>> exact = exact_tensors(binding, given, variables);
      const std::vector<Tensor> tensors = exact ? *exact : to_torch(binding.steps, variables, given);
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::string& name = binding.torch[i].name;
        add_tensor(name, to_torch(binding.torch[i].steps, {tensors[i]}).at(0));
        model_.trainable[name] = binding.is_trained();
      }
    });
  }

  // Keras has a copy for each layer that uses the tensor.
  void add_tensor(const std::string& name, const Tensor& tensor) {
    const Tensor* known = model_.weights.find(name);
    if (!known) return model_.weights.add(name, tensor);
    if (!bit_equal(*known, tensor))
      throw Unsupported("the one tensor " + name + " is that of the layers " + layers_with(name) +
                        " in Keras, which differ now; it has no second name in PyTorch to be two by " +
                        "(LoadOptions::untie), so give them one value in Keras");
  }

  std::string layers_with(const std::string& tensor) const {
    std::string result;
    for (const KerasBinding& binding : bound_.bindings)
      if (std::ranges::count(binding.torch, tensor, &KerasBinding::Source::name))
        result += (result.empty() ? "" : " and ") + binding.layer;
    return result;
  }

  // What a lossy binding was made of, if it was kept and Keras's variables are still what it makes.
  std::optional<std::vector<Tensor>> exact_tensors(const KerasBinding& binding, const std::vector<Tensor>& given,
                                                   const std::vector<Tensor>& variables) const {
    if (!is_lossy(binding.steps)) return std::nullopt;
    std::vector<Tensor> kept;
    for (const KerasBinding::Source& source : binding.torch)
      if (const NamedTensor* tensor = find_tensor(file_.extra_tensors, source.name))
        kept.push_back(to_keras(source.steps, {tensor->tensor}).at(0));
    if (kept.size() != binding.torch.size()) return std::nullopt;
    return std::ranges::equal(to_keras(binding.steps, kept, given), variables, bit_equal) ? std::optional(kept)
                                                                                          : std::nullopt;
  }

  // Counters and the like; and tensors that were carried along without being the architecture's.
  void read_residuals() {
    for (const NamedTensor& tensor : file_.extra_tensors)
      if (tensor.name.starts_with(kUnscaledFolder))
        model_.residuals.push_back(tensor);
      else if (!tensor.name.starts_with(kOptimizerFolder) && !tensor.name.starts_with(kReferenceFolder) &&
               !model_.weights.find(tensor.name))
        model_.weights.add(tensor.name, tensor.tensor);
    note_lost_counters(model_);
    for (const auto& [name, fallback] : bound_.residuals)
      if (!model_.weights.find(name)) model_.weights.add(name, fallback);
    for (NamedTensor& tensor : unexpected_) model_.weights.set(tensor.name, tensor.tensor);
  }

  void order_weights() {
    std::vector<std::string> order;
    if (const Json* names = file_.extra.find("names"))
      for (const Json& name : names->as_array()) order.push_back(name.as_string());
    std::ranges::copy(model_.architecture->state_dict, std::back_inserter(order));
    for (const NamedParameter& parameter : parameters_of(*model_.architecture)) order.push_back(parameter.name);
    Weights ordered;
    const auto move = [&](const std::string& name) {
      if (const Tensor* tensor = model_.weights.find(name); tensor && !ordered.find(name)) ordered.add(name, *tensor);
    };
    for (const std::string& name : order) move(name);
    for (const NamedTensor& tensor : model_.weights) move(tensor.name);
    model_.weights = std::move(ordered);
  }

  // Of parameters, whether they may differ is the architecture's to say.
  void add_noted_ties() {
    const Json* tied = file_.extra.find("tied");
    if (!tied) return;
    for (const Json& group : tied->as_array()) {
      std::vector<std::string> names;
      for (const Json& name : group.as_array()) names.push_back(name.as_string());
      add_tie(*model_.architecture, names);
    }
  }

  // Tensors that were one are one again, unless they differ now.
  void tie_weights() {
    const Json* tied = file_.extra.find("tied");
    if (!tied) return;
    for (const Json& group : tied->as_array()) {
      const Tensor* first = nullptr;
      for (const Json& name : group.as_array()) {
        const Tensor* tensor = model_.weights.find(name.as_string());
        if (!tensor) continue;
        if (!first)
          first = tensor;
        else if (bit_equal(*first, *tensor))
          model_.weights.set(name.as_string(), *first);
      }
    }
  }

  bool lists_layers_as_planned() const {
    std::vector<std::string> in_file, planned;
    if (!file_.objects.empty()) {
      for (const KerasBinding& binding : bound_.bindings)
        if (!binding.is_wrappers_own && (planned.empty() || planned.back() != binding.layer))
          planned.push_back(binding.layer);
      for (std::string& layer : layers_with_objects(described()))
        if (std::ranges::count(planned, layer) > 0) in_file.push_back(std::move(layer));
      return in_file == planned;
    }
    for (const KerasLayerWeights& layer : file_.layers)
      if (!layer.variables.empty()) in_file.push_back(layer.layer);
    for (const KerasBinding& binding : bound_.bindings)
      if (planned.empty() || planned.back() != binding.group) planned.push_back(binding.group);
    return in_file == planned;
  }

  Optimizer read_bound_optimizer(KerasOptimizer found) const {
    std::optional<Json::Object> scale = take_off_loss_scale(found);
    if (!file_.objects.empty()) name_by_place(found, bound_);
    Optimizer result = optimizer_from_keras(found, bound_, model_.weights);
    if (scale) keep_loss_scale(*std::move(scale), result);
    make_state_one(result, model_.architecture->ties);
    return result;
  }

  // Where the state is not that of what Keras trains once it has loaded the file, it may be that of what it trained
  // when it saved it.
  Optimizer read_optimizer(const KerasOptimizer& found) {
    try {
      return read_bound_optimizer(found);
    } catch (const Error&) {
      if (unheeded_.empty()) throw;
    }
    freeze_unheeded(true);
    try {
      Optimizer result = read_bound_optimizer(found);
      unheeded_.clear();
      return result;
    } catch (const Error&) {
      freeze_unheeded(false);
    }
    return read_bound_optimizer(found);
  }

  void read_training() {
    Training training;
    const Json* own = file_.extra.find("training");
    if (own) {
      if (const Json* epoch = own->find("epoch"); epoch && epoch->is_integer()) training.epoch = epoch->as_integer();
      if (const Json* loss = own->find("loss"); loss && loss->is_number()) training.loss = loss->as_float();
    }
    if (options_.optimizer) model_.optimizer_left_out = file_.optimizer_left_out;
    if (file_.training_config.is_object() && options_.optimizer) {
      Json compile = file_.training_config;
      if (const Json* config = compile.find("optimizer_config"); config && config->is_object()) {
        std::vector<NamedTensor> variables;
        for (const KerasVariable& variable : file_.optimizer) variables.push_back({variable.path, variable.tensor});
        try {
          training.optimizer = read_optimizer({*config, std::move(variables), lists_layers_as_planned()});
          if (own)
            if (const Json* settings = own->find("optimizer"))
              restore_optimizer(*settings, file_.extra_tensors, untied_, *training.optimizer);
        } catch (const Error& error) {
          training.optimizer.reset();
          model_.optimizer_left_out = error.what();
        }
      }
      compile.as_object().erase("optimizer_config");
      if (!own) training.compile = std::move(compile);
    }
    if (options_.optimizer && !file_.training_config.is_object() && !file_.optimizer.empty() &&
        model_.optimizer_left_out.empty())
      model_.optimizer_left_out = "the file has its variables, and nothing says which optimizer it is";
    if (training.epoch || training.loss || training.optimizer || training.compile)
      model_.training = std::move(training);
  }

  void note_inner_optimizers() {
    if (!options_.optimizer) return;
    for (const std::string& model : file_.inner_optimizers)
      model_.notes.push_back("the optimizer with which the model \"" + shortened(model) +
                             "\" within the model was compiled itself is left out: the whole model's trains it now");
  }

  const KerasFile& file_;
  const LoadOptions& options_;
  const bool is_alone_;  // without an architecture beside it
  Model model_;
  Ties untied_;
  KerasBindings bound_;
  std::vector<KerasLayerWeights> stored_;   // the file's, by the architecture's names
  const KerasModel stated_;                 // of the file's configuration, where it has one
  std::optional<KerasModel> described_;     // where it has none: of the one beside it, or of what would be written
  std::vector<KerasLayerWeights> weights_;  // those of inner models by their layers
  SharedLayers one_path_;                   // of them
  std::map<std::string, LayerVariables> layers_;  // by Keras's name
  std::vector<std::size_t> unheeded_;             // of the bindings, those whose layer is frozen, and they are not
  std::set<const KerasVariable*> used_;
  std::vector<NamedTensor> unexpected_;
};

}  // namespace

ReadKerasFile model_from_keras(KerasFile& file, KerasModel stated, const std::optional<Architecture>& architecture,
                               const LoadOptions& options, const Json& beside) {
  return KerasReader(file, std::move(stated), architecture, options, beside).run();
}

}  // namespace h5bridge
