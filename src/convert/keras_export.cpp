#include "convert/keras_export.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>

#include "convert/architecture_json.h"
#include "convert/keras_extra.h"
#include "convert/layout_conversion.h"
#include "convert/model_check.h"
#include "convert/object_weights.h"
#include "convert/reference.h"
#include "convert/tied_state.h"
#include "facets/keras/mapping.h"
#include "files/digest.h"
#include "h5bridge/error.h"
#include "keras/build_configs.h"
#include "keras/dialects/training.h"
#include "keras/lift.h"
#include "keras/parse_tree.h"
#include "keras/plan.h"
#include "keras/to_keras_2/graphs.h"
#include "keras/wrappers.h"
#include "model/quoted.h"
#include "model/tensor_view.h"
#include "optimizers/keras_loss_scale.h"
#include "optimizers/keras_optimizer.h"
#include "optimizers/keras_settings.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "passes/presentation.h"
#include "passes/training_notes.h"

namespace h5bridge {
namespace {

constexpr const char* kKerasVersion = "3.15.1";

class KerasWriter {
 public:
  KerasWriter(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes)
      : model_(model), form_(form), options_(options), notes_(notes) {
    require_architecture(model);
    if (model.weights.empty() && !parameters_of(*model.architecture).empty())
      throw UsageError("needs weights; give them beside the architecture");
    format_ = options.data_format ? *options.data_format : presented_format(*model.architecture, Framework::Keras);
    const FloatTypes floats(model.weights);
    plan_ = planned(floats, notes);
    Notes said_already;
    Architecture architecture = as_frozen(said_already);
    if (options.keras == 2 && make_graphs(architecture, plan_.model_config, notes))
      plan_ = planned_of(architecture, floats);
    note_types(architecture, floats);
    note_frozen_parts(architecture);
    note_parts_made_later(architecture);
    std::ranges::copy(plan_.notes, std::back_inserter(notes));
    for (const auto& [name, other] : plan_.tied)
      if (!bit_equal(weight(name), weight(other)))
        throw MalformedFile("the tensor " + name + " differs from " + other +
                            ", though both are one parameter, and one variable in Keras");
    for (const std::string& name : plan_.constants)
      if (!bit_equal(weight(name), plan_.residuals.at(name)))
        throw MalformedFile(
            "the tensor " + name +
            " is not what the architecture has, and Keras would compute with that; export the architecture again");
    describes_itself_ = describes_itself(architecture);
    for (const Layer& layer : architecture.layers)
      std::ranges::move(unsaid_settings(layer, Matters::Always), std::back_inserter(notes));
    std::ranges::copy(architecture.notes, std::back_inserter(notes));
  }

  KerasFile run() {
    if (form_ == KerasForm::Layers)
      file_.model_config = std::move(plan_.model_config);
    else
      file_.model_config = with_build_configs(plan_.model_config, plan_.builds);
    file_.keras_version = kKerasVersion;
    file_.backend = "torch";
    if (form_ == KerasForm::Layers)
      write_variables();
    else
      write_objects();
    leave_frozen_out_of_the_optimizer();
    if (options_.optimizer && model_.training) write_training(*model_.training);
    note_copies();
    note_products();
    write_extra();
    return std::move(file_);
  }

  KerasPlan plan() { return std::move(plan_); }

 private:
  // Of ten thousand layers, a copy would be much: there is one where something is to be changed.
  KerasPlan planned(const FloatTypes& floats, Notes& notes) const {
    const Architecture& own = *model_.architecture;
    if (options_.keras == 2 || !model_.trainable.empty() || changes_layout(own, format_, Framework::Keras))
      return planned_of(as_frozen(notes), floats);
    check_graph(own);
    return plan_keras(own, {}, floats);
  }

  KerasPlan planned_of(Architecture architecture, const FloatTypes& floats) const {
    const LayoutChange change = change_layout(std::move(architecture), format_, Framework::Keras);
    return plan_keras(change.architecture, change.weights, floats,
                      options_.keras == 2 ? takes_within_in_keras_2 : nullptr);
  }

  Architecture as_frozen(Notes& notes) const {
    Architecture result = with_frozen_layers(*model_.architecture, model_.trainable, notes);
    if (options_.keras == 2) forget_unheeded_flags(result);
    return result;
  }

  // In Keras 2 nothing trains in what is frozen: there what is within says it alone.
  static void forget_unheeded_flags(Architecture& architecture) {
    for (Layer& layer : architecture.layers) layer.keras.spelling.erase("trainable");
    for (Scope& scope : architecture.scopes) scope.keras.trainable.reset();
  }

  // A Keras layer has one type for all of its variables.
  void note_types(const Architecture& architecture, const FloatTypes& floats) {
    for (const Layer& layer : architecture.layers)
      if (const std::set<DType> types = floats.of(layer); types.size() > 1) {
        std::vector<std::string> names;
        for (const DType dtype : types) names.emplace_back(name_of(dtype));
        notes_.push_back(describe(layer) + ": its tensors are " + joined(names) +
                         ", and those of a Keras layer have one dtype: Keras loads them as " +
                         std::string(name_of(*floats.widest_of(layer))));
      }
  }

  // Of a sum that is one variable in Keras, what is frozen makes no difference to how it is trained.
  void note_frozen_parts(const Architecture& architecture) {
    const auto is_frozen = [&](const std::string& name) {
      const auto said = model_.trainable.find(name);
      return said != model_.trainable.end() && !said->second;
    };
    std::map<std::string_view, const KerasBinding*> sums;  // that are trained, by the names of what they add
    for (const KerasBinding& binding : plan_.bindings) {
      const auto is_trained = [&](const KerasBinding::Source& source) { return !is_frozen(source.name); };
      if (is_lossy(binding.steps) && !has_product(binding.steps) && std::ranges::any_of(binding.torch, is_trained))
        for (const KerasBinding::Source& source : binding.torch) sums.emplace(source.name, &binding);
    }
    std::set<std::string_view> said;  // what a part of a layer that Keras freezes by itself has
    for (const KerasBinding& binding : plan_.bindings)
      if (binding.frozen)
        for (const KerasBinding::Source& source : binding.torch) said.insert(source.name);
    for (const Layer& layer : architecture.layers) {
      if (is_frozen_in_keras(layer)) continue;
      bool is_said = false;
      for (const std::string& name : parameter_names(layer)) {
        if (!is_frozen(name) || said.contains(name)) continue;
        if (const auto sum = sums.find(name); sum != sums.end()) {
          std::vector<std::string> summands;
          for (const KerasBinding::Source& source : sum->second->torch) summands.push_back(source.name);
          notes_.push_back(describe(layer) + ": Keras has one variable, " + sum->second->variables.at(0) +
                           ", for the sum of " + joined(summands) + ", and trains it, of which " + name +
                           " is frozen in PyTorch");
        } else if (!std::exchange(is_said, true)) {
          notes_.push_back(describe(layer) + ": Keras freezes whole layers, so that it trains " + name +
                           ", too, which is frozen in PyTorch");
        }
      }
    }
  }

  // Of layers whose flag Keras does not hand on to what they make when they are built: attention's projections
  // (keras/src/layers/attention/multi_head_attention.py, build).
  void note_parts_made_later(const Architecture& architecture) {
    std::set<std::string_view> trained;
    for (const KerasBinding& binding : plan_.bindings)
      if (binding.is_trained())
        for (const KerasBinding::Source& source : binding.torch) trained.insert(source.name);
    for (const Layer& layer : architecture.layers) {
      const auto is_trained = [&](const std::string& name) { return trained.contains(name); };
      const std::vector<std::string> names = parameter_names(layer);
      if (!is_frozen_in_keras(layer) || !std::ranges::any_of(names, is_trained)) continue;
      made_later_.insert(names.begin(), names.end());
      notes_.push_back(
          "layer \"" + shortened(layer.keras.name.value_or(layer.name)) +
          "\" is frozen, and Keras trains what it is made of again once it has loaded the file, so that an "
          "optimizer's state no longer fits: set its trainable = False anew");
    }
  }

  // The optimizer is that of the model before Keras loads it, without what is frozen of such layers, either.
  void leave_frozen_out_of_the_optimizer() {
    const auto is_made_later = [&](const KerasBinding::Source& source) { return made_later_.contains(source.name); };
    for (KerasBinding& binding : plan_.bindings)
      if (!binding.torch.empty() && std::ranges::all_of(binding.torch, is_made_later)) binding.frozen = true;
  }

  // Whether the file's reader finds the model in what Keras is told of it, so that it need not be said twice. Of one of
  // Keras's that somebody has changed, Keras may need other layers, and the tensors are theirs then; and Keras freezes
  // no part of a layer.
  bool describes_itself(const Architecture& architecture) const {
    if (model_.framework != Framework::Keras || !architecture.keras.class_name) return false;
    if (!with_frozen_names(architecture, model_.trainable).frozen.empty()) return false;
    const auto names_of = [](const Architecture& of) {
      std::vector<std::string> names;
      for (const NamedParameter& parameter : parameters_of(of)) names.push_back(parameter.name);
      return names;
    };
    try {
      return names_of(architecture_from_keras(plan_.model_config)) == names_of(architecture);
    } catch (const Error&) {  // what is not read is told beside it
      return false;
    }
  }

  const Tensor& weight(const std::string& name) const {
    const Tensor* tensor = model_.weights.find(name);
    if (!tensor) throw MalformedFile("the tensor " + name + " is missing");
    return *tensor;
  }

  // As a binding takes them.
  std::vector<Tensor> tensors_of(const std::vector<KerasBinding::Source>& sources) const {
    std::vector<Tensor> result;
    for (const KerasBinding::Source& source : sources)
      result.push_back(to_keras(source.steps, {weight(source.name)}).at(0));
    return result;
  }

  // The variable that a wrapper has itself: as the architecture has it, else one whose elements are alike. Training
  // has it follow the kernel, whatever it begins with.
  Tensor wrappers_own(const KerasBinding& binding) const {
    const auto wrapped = std::ranges::find_if(plan_.bindings, [&](const KerasBinding& other) {
      return !other.is_wrappers_own && other.layer.starts_with(binding.layer + "/");
    });
    const Tensor kernel = to_keras(wrapped->steps, tensors_of(wrapped->torch), tensors_of(wrapped->given)).at(0);
    const std::int64_t elements = kernel.shape().back();
    const auto scope = std::ranges::find(model_.architecture->scopes, binding.scope, &Scope::name);
    const auto value = scope == model_.architecture->scopes.end()
                           ? std::nullopt
                           : in_file(describe_wrapper(*scope), [&] { return own_value(scope->keras); });
    if (value && value->element_count() == elements) return cast(*value, kernel.dtype());
    const std::vector<float> alike(static_cast<std::size_t>(elements),
                                   1 / std::sqrt(static_cast<float>(std::max<std::int64_t>(elements, 1))));
    return cast(tensor_of(DType::Float32, {1, elements}, alike), kernel.dtype());
  }

  // In Keras's own formats, a wrapper that has a variable itself has the kernel once more, before that.
  static void add_kernels_of_wrappers(const std::vector<std::string>& wrappers,
                                      std::map<std::string, KerasObject*>& objects) {
    std::vector<std::string> inner_first = wrappers;
    std::ranges::sort(inner_first, std::greater(), &std::string::size);
    for (const std::string& path : inner_first) {
      std::vector<Tensor>& variables = objects.at(path)->variables;
      variables.insert(variables.begin(), objects.at(path + "/layer")->variables.at(0));
    }
  }

  std::vector<Tensor> variables_of(const KerasBinding& binding) {
    if (binding.is_wrappers_own) return {wrappers_own(binding)};
    if (!is_lossy(binding.steps))
      for (const KerasBinding::Source& source : binding.torch) written_.insert(source.name);
    return to_keras(binding.steps, tensors_of(binding.torch), tensors_of(binding.given));
  }

  void write_objects() {
    const KerasModel model = parse_layers(plan_.model_config);
    file_.objects = objects_of(plan_, model);
    std::map<std::string, KerasObject*> objects;
    for (KerasObject& object : file_.objects) objects.emplace(object.path, &object);
    const auto places = object_places(plan_, model);
    std::vector<std::string> wrappers;
    for (std::size_t i = 0; i < places.size(); ++i) {
      std::vector<Tensor> tensors = variables_of(plan_.bindings[i]);
      for (std::size_t j = 0; j < tensors.size(); ++j)
        objects.at(places[i][j].value().object)->variables.push_back(std::move(tensors[j]));
      if (plan_.bindings[i].is_wrappers_own) wrappers.push_back(places[i][0]->object);
    }
    add_kernels_of_wrappers(wrappers, objects);
  }

  void write_variables() {
    std::map<std::string, std::size_t> index;
    for (const std::string& layer : plan_.layer_names) {
      index[layer] = file_.layers.size();
      file_.layers.push_back({layer, {}});
    }
    std::map<std::size_t, std::vector<KerasVariable>> later;
    for (const KerasBinding& binding : plan_.bindings) {
      const std::vector<Tensor> tensors = variables_of(binding);
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::size_t group = index.at(binding.group);
        (binding.is_saved_last() ? later[group] : file_.layers[group].variables)
            .push_back({binding.path + binding.variables[i], tensors[i]});
      }
    }
    for (auto& [group, variables] : later)
      std::ranges::move(variables, std::back_inserter(file_.layers[group].variables));
  }

  // The variables that one parameter of PyTorch's became: its names, and the layers that they stand in.
  struct Copies {
    std::vector<std::string> names, layers;
    std::size_t count = 0;
    bool is_trained = false;
  };

  static std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
      text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    return text;
  }

  void note_copies() {
    std::map<std::string, std::string> first_names;
    for (const auto& group : model_.architecture->ties)
      for (const std::string& name : group) first_names.emplace(name, group.front());
    std::map<std::string, Copies> copies;
    for (const KerasBinding& binding : plan_.bindings)
      for (const KerasBinding::Source& source : binding.torch) {
        const auto first = first_names.find(source.name);
        Copies& found = copies[first == first_names.end() ? source.name : first->second];
        if (!std::ranges::count(found.names, source.name)) found.names.push_back(source.name);
        found.layers.push_back(binding.layer);
        ++found.count;
        found.is_trained = found.is_trained || binding.is_trained();
      }
    for (const auto& [first, found] : copies) {
      if (found.count < 2 || !found.is_trained) continue;
      const bool has_names = found.names.size() > 1;
      notes_.push_back(joined(found.names) + (has_names ? " are" : " is") + " one tensor in PyTorch and " +
                       (found.count == 2 ? "two" : std::to_string(found.count)) + " in Keras" +
                       (has_names ? "" : ", in the layers " + joined(found.layers)) + ", which will train apart");
    }
  }

  // Keras trains what is made of several tensors as it stands.
  void note_products() {
    for (const KerasBinding& binding : plan_.bindings) {
      if (binding.given.empty() || !binding.is_trained()) continue;
      std::vector<std::string> names;
      for (const auto* sources : {&binding.torch, &binding.given})
        for (const KerasBinding::Source& source : *sources) names.push_back(source.name);
      notes_.push_back(joined(names) + " are one variable in Keras, " + binding.layer + "/" + binding.variables.at(0) +
                       ": trained there, it is their product no more, which PyTorch's layer cannot say");
    }
  }

  void write_training(const Training& training) {
    Json::Object own;
    if (training.epoch) own.set("epoch", *training.epoch);
    if (training.loss) own.set("loss", *training.loss);
    if (training.optimizer) {
      KerasOptimizer optimizer = write_optimizer(*training.optimizer);
      const bool is_numbered = form_ == KerasForm::Objects;
      if (is_numbered) order_by_place(optimizer, plan_);
      if (const Json::Object* scale = travelling_loss_scale(*training.optimizer))
        put_on_loss_scale(optimizer, *scale, is_numbered ? WrappedForm::Numbered : WrappedForm::Named);
      Json::Object config = compile_of(training);
      if (Json* losses = config.find("loss"); losses && form_ == KerasForm::Layers) spell_out_losses(*losses);
      if (training.optimizer->keras.empty()) note_loss(config);
      config.set("optimizer_config", optimizer.config);
      file_.training_config = std::move(config);
      for (const NamedTensor& variable : optimizer.variables)
        file_.optimizer.push_back({variable.name, variable.tensor});
      note_numbers(optimizer);
      if (training.optimizer->keras.empty()) {
        note_untrained(*training.optimizer);
        note_scheduler(*training.optimizer);
        own.set("optimizer", torch_settings(*training.optimizer, optimizer));
        std::ranges::move(unlike_in_training(*model_.architecture, model_.trainable), std::back_inserter(notes_));
      }
    } else if (training.compile) {
      notes_.push_back("what the model was compiled with (loss, metrics) is left out, as there is no optimizer");
    }
    if (!own.empty()) extra_.set("training", std::move(own));
  }

  // Of an optimizer that Keras alone has, a .keras does not say what its variables are called in a .h5.
  void note_numbers(const KerasOptimizer& optimizer) {
    const auto is_number = [](const NamedTensor& variable) { return variable.name.starts_with("vars/"); };
    if (form_ == KerasForm::Layers && std::ranges::any_of(optimizer.variables, is_number))
      notes_.push_back("the variables of the optimizer " + optimizer.config.at("class_name").as_string() +
                       " have no names in it, and stand by number in Keras's order (optimizer.variables): a .keras is "
                       "what Keras goes on from");
  }

  // What the model was compiled with, as it is known or as it travelled with the optimizer.
  static Json::Object compile_of(const Training& training) {
    if (training.compile) return training.compile->as_object();
    const Json::Object* keras = travelling_keras(*training.optimizer);
    if (const Json* compile = keras ? keras->find(kCompileMember) : nullptr; compile && compile->is_object())
      return compile->as_object();
    return {{"loss", nullptr},      {"loss_weights", nullptr},  {"metrics", nullptr},  {"weighted_metrics", nullptr},
            {"run_eagerly", false}, {"steps_per_execution", 1}, {"jit_compile", false}};
  }

  // All names of what Keras trains.
  std::set<std::string> trained_names() const {
    std::set<std::string> trained;
    for (const KerasBinding& binding : plan_.bindings)
      if (binding.is_trained())
        for (const KerasBinding::Source& source : binding.torch) trained.insert(source.name);
    for (const auto& group : model_.architecture->ties)
      if (std::ranges::any_of(group, [&](const std::string& name) { return trained.contains(name); }))
        trained.insert(group.begin(), group.end());
    return trained;
  }

  static std::string some_of(std::vector<std::string> names) {
    constexpr std::size_t kMost = 8;
    const std::size_t more = names.size() - std::min(names.size(), kMost);
    names.resize(names.size() - more);
    if (more > 0) names.push_back(std::to_string(more) + " more");
    return joined(names);
  }

  // What Keras trains and PyTorch's optimizer does not, though it is not frozen.
  void note_untrained(const Optimizer& optimizer) {
    std::set<std::string> listed;
    for (const Json::Object& group : optimizer.groups)
      for (const Json& name : group.at("params").as_array())
        if (name.is_string()) listed.insert(name.as_string());
    if (listed.empty()) return;  // by numbers, or all
    for (const auto& group : model_.architecture->ties)
      if (std::ranges::any_of(group, [&](const std::string& name) { return listed.contains(name); }))
        listed.insert(group.begin(), group.end());
    std::vector<std::string> others;
    for (const std::string& name : trained_names()) {
      const auto said = model_.trainable.find(name);
      if (!listed.contains(name) && (said == model_.trainable.end() || said->second)) others.push_back(name);
    }
    if (!others.empty())
      notes_.push_back("the optimizer trains a part of the parameters in PyTorch, without " + some_of(others) +
                       ", and all of them in Keras, from which it comes home over all: trainable = False of their "
                       "layers leaves them alone");
  }

  // Of what is lost once Keras saves the file, and not before, so that SaveOptions::lossless has nothing to refuse.
  void note_scheduler(const Optimizer& optimizer) {
    const auto has_initial_rate = [](const Json::Object& group) { return group.contains("initial_lr"); };
    if (!options_.lossless && std::ranges::any_of(optimizer.groups, has_initial_rate))
      notes_.push_back(
          "what a learning rate scheduler left in PyTorch's checkpoint, its state and the groups' initial_lr, is kept "
          "where Keras does not read it: it comes home from this file, and not from one that Keras has saved");
  }

  // PyTorch's files know no loss; nothing is lost by that.
  void note_loss(const Json::Object& compile) {
    const Json* loss = compile.find("loss");
    if (form_ == KerasForm::Objects && !options_.lossless && (!loss || loss->is_null()))
      notes_.push_back(
          "PyTorch's files name no loss function, and fit() asks for one: model.compile(model.optimizer, loss=...) in "
          "Keras gives it "
          "one, and keeps all of the optimizer's state");
  }

  // State that Keras has no variables for.
  void note_state_beside(const Optimizer& optimizer, const std::set<std::string>& trained) {
    std::vector<std::string> names;
    for (const auto& [parameter, slots] : optimizer.slots)
      if (!trained.contains(parameter) &&
          std::ranges::any_of(slots, [](const NamedTensor& slot) { return slot.name != "step"; }))
        names.push_back(parameter);
    if (!names.empty())
      notes_.push_back("the optimizer's state of " + some_of(names) +
                       ", which Keras does not train, is kept where Keras does not read it: it comes home from this "
                       "file, and not from one that Keras has saved");
  }

  // Whether the state is still what was read of Keras's variables.
  bool has_state_of(const KerasOptimizer& keras, const Optimizer& optimizer) const {
    try {
      Optimizer read = optimizer_from_keras(keras, plan_, model_.weights);
      make_state_one(read, model_.architecture->ties);
      return std::ranges::equal(read.slots, optimizer.slots, [](const auto& one, const auto& other) {
        return one.first == other.first && are_equal(one.second, other.second);
      });
    } catch (const Error&) {  // they are those of another plan
      return false;
    }
  }

  // An optimizer that came from Keras goes back as it was, as long as its variables still fit and nobody changed it.
  KerasOptimizer write_optimizer(const Optimizer& optimizer) {
    const bool same_layout =
        model_.framework == Framework::Keras && format_ == presented_format(*model_.architecture, Framework::Keras);
    if (!optimizer.keras.empty() && same_layout && describes_itself_) {
      KerasOptimizer keras = as_keras_had_it(optimizer);
      if (has_settings_of(keras, optimizer, plan_, model_.weights) && has_state_of(keras, optimizer)) return keras;
    }
    std::set<std::string> variables;
    for (const KerasBinding& binding : plan_.bindings)
      for (const KerasBinding::Source& source : binding.torch) variables.insert(source.name);
    return optimizer_to_keras(with_state_of_each(optimizer, model_.architecture->ties, variables), plan_,
                              model_.weights, notes_);
  }

  Json torch_settings(const Optimizer& optimizer, const KerasOptimizer& keras) {
    Json::Array groups;
    for (const Json::Object& group : optimizer.groups) groups.push_back(group);
    Json::Array with_state;
    for (const auto& [parameter, slots] : optimizer.slots) with_state.push_back(parameter);
    Json::Object digests;
    for (const auto& [slot, variable] : rounded_slots(optimizer, plan_)) {
      const std::size_t slash = slot.rfind('/');
      const auto slots = optimizer.slots.find(slot.substr(0, slash));
      if (slots == optimizer.slots.end()) continue;
      const NamedTensor* exact = find_tensor(slots->second, slot.substr(slash + 1));
      const NamedTensor* rounded = find_tensor(keras.variables, variable);
      if (!exact || !rounded) continue;
      file_.extra_tensors.push_back({kOptimizerFolder + slot, exact->tensor});
      digests.set(slot, Json::Object{{"variable", variable}, {"digest", digest(rounded->tensor)}});
    }
    // Keras has no state of what is frozen by now, or never used.
    const std::set<std::string> trained = trained_names();
    note_state_beside(optimizer, trained);
    for (const auto& [parameter, slots] : optimizer.slots)
      for (const NamedTensor& slot : slots)
        if (slot.name == "step" || !trained.contains(parameter))
          file_.extra_tensors.push_back({kOptimizerFolder + parameter + "/" + slot.name, slot.tensor});
    return Json::Object{{"kind", optimizer.kind},
                        {"hyperparameters", optimizer.hyperparameters},
                        {"groups", std::move(groups)},
                        {"parameters_with_state", std::move(with_state)},
                        {"digests", std::move(digests)}};
  }

  void write_extra() {
    extra_.set("version", 1);
    if (!describes_itself_ || options_.keras == 2)  // which has other words for some of it
      extra_.set("architecture", architecture_to_json(with_frozen_names(*model_.architecture, model_.trainable)));
    extra_.set("data_format", name_of(format_));
    Json::Array names;
    std::vector<Json::Member> digests;
    std::map<TensorView, std::size_t> views;
    std::vector<Json::Array> groups;
    for (const NamedTensor& tensor : model_.weights) {
      names.push_back(tensor.name);
      digests.emplace_back(tensor.name, digest(tensor.tensor));
      const Tensor& t = tensor.tensor;
      if (t.element_count() > 0) {
        const auto [view, is_new] = views.emplace(view_of(t), groups.size());
        if (is_new) groups.emplace_back();
        groups[view->second].push_back(tensor.name);
      }
      if (!written_.contains(tensor.name) && !plan_.tied.contains(tensor.name)) file_.extra_tensors.push_back(tensor);
    }
    std::ranges::copy(model_.residuals, std::back_inserter(file_.extra_tensors));
    extra_.set("names", std::move(names));
    extra_.set("digests", Json::Object(std::move(digests)));
    Json::Array tied;
    for (Json::Array& group : groups)
      if (group.size() > 1) tied.push_back(std::move(group));
    if (!tied.empty()) extra_.set("tied", std::move(tied));
    // Tensors that the architecture does not name, but that somebody allowed to come along.
    Json::Array carried;
    for (const WeightProblem& problem : weight_problems(model_))
      if (problem.kind == WeightProblem::Kind::Unexpected) carried.push_back(problem.tensor);
    if (const Json* before = model_.metadata.find("carried"))
      for (const Json& name : before->as_array()) carried.push_back(name);
    if (!carried.empty()) extra_.set("carried", std::move(carried));
    if (const Json* torch = model_.metadata.find("torch")) extra_.set("torch", *torch);
    write_reference();
    file_.extra = std::move(extra_);
  }

  void write_reference() {
    if (const auto reference = kept_reference(model_, options_.dtype, notes_))
      extra_.set("reference", reference_to_json(*reference, file_.extra_tensors));
  }

  const Model& model_;
  const KerasForm form_;
  const SaveOptions& options_;
  Notes& notes_;
  DataFormat format_ = DataFormat::ChannelsLast;
  KerasPlan plan_;
  bool describes_itself_ = false;
  std::set<std::string> made_later_;  // parameters that are frozen, and trained once Keras has loaded the file
  KerasFile file_;
  Json::Object extra_;
  std::set<std::string> written_;
};

}  // namespace

namespace {

// A model that came from Keras goes back as it was, in its own format.
std::optional<Model> original_as_written(const Model& model, const SaveOptions& options) {
  std::optional<Model> original = keras_original(model);
  const bool in_own_format =
      original &&
      (!options.data_format || *options.data_format == presented_format(*original->architecture, Framework::Keras));
  if (!in_own_format) original.reset();
  return original;
}

}  // namespace

KerasFile keras_from_model(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes) {
  const std::optional<Model> original = original_as_written(model, options);
  return KerasWriter(original ? *original : model, form, options, notes).run();
}

KerasPlan keras_plan_of(const Model& model, const SaveOptions& options) {
  Notes ignored;
  const std::optional<Model> original = original_as_written(model, options);
  return KerasWriter(original ? *original : model, KerasForm::Layers, options, ignored).plan();
}

}  // namespace h5bridge
