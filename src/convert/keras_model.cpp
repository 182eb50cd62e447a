#include "convert/keras_model.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "files/architecture_json.h"
#include "files/digest.h"
#include "h5bridge/error.h"
#include "optimizers/keras_optimizer.h"
#include "passes/keras_plan.h"
#include "passes/presentation.h"
#include "passes/shapes.h"

// What a Keras file cannot hold rides along in our own group (KerasFile::extra), which Keras ignores and drops when it
// saves the model again:
//   "architecture", "data_format": the model as it came, and the format in which Keras has it
//   "names": the state_dict's names, in order;  "tied": groups of names that share their bytes
//   "torch": metadata of the PyTorch file;  "training": epoch, loss and the optimizer's settings
//   "digests": of variables that were rounded; while they stand, the exact tensor kept beside them is used
namespace h5bridge {
namespace {

constexpr const char* kKerasVersion = "3.15.1";
const std::string kOptimizerFolder = "optimizer/";

std::string last_component(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
}

const NamedTensor* find_tensor(const std::vector<NamedTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

// ---- reading ----

// The first data format that a configuration mentions; layers that do not care mention none.
std::optional<DataFormat> stated_format(const Json& config) {
  if (config.is_array())
    for (const Json& element : config.as_array())
      if (const auto format = stated_format(element)) return format;
  if (config.is_object())
    for (const auto& [name, value] : config.as_object()) {
      if (name == "data_format" && value.is_string()) return value.as_string() == "channels_first" ? DataFormat::ChannelsFirst : DataFormat::ChannelsLast;
      if (const auto format = stated_format(value)) return format;
    }
  return std::nullopt;
}

class KerasReader {
 public:
  KerasReader(const KerasFile& file, const std::optional<Architecture>& architecture) : file_(file) {
    const Json* own = file.extra.find("architecture");
    if (architecture)
      model_.architecture = architecture;
    else if (own && own->is_object())
      model_.architecture = checked(architecture_from_json(*own));
    else if (file.model_config.is_object())
      model_.architecture = architecture_from_keras(file.model_config);
    else
      throw UsageError("holds weights only; give its architecture beside it");
    const auto format = stated_format(file.model_config);
    const LayoutChange change = change_layout(*model_.architecture, format ? *format : presented_format(*model_.architecture, Framework::Keras));
    plan_ = plan_keras(change.architecture, change.weights);
  }

  Model run() {
    model_.framework = Framework::Keras;
    model_.format = "keras-h5";
    read_variables();
    read_residuals();
    order_weights();
    tie_weights();
    read_training();
    if (const Json* torch = file_.extra.find("torch")) model_.metadata.set("torch", *torch);
    Json::Object keras;
    if (!file_.keras_version.empty()) keras.set("keras_version", file_.keras_version);
    if (!file_.backend.empty()) keras.set("backend", file_.backend);
    if (!keras.empty()) model_.metadata.set("keras", std::move(keras));
    return std::move(model_);
  }

 private:
  // A variable by its name; in files of old versions, where names differ, by its place.
  const Tensor* find_variable(const KerasBinding& binding, const std::string& name) {
    const auto layer = std::find_if(file_.layers.begin(), file_.layers.end(), [&](const KerasLayerWeights& l) { return l.layer == binding.layer; });
    if (layer == file_.layers.end()) return nullptr;
    for (const KerasVariable& variable : layer->variables)
      if (last_component(variable.path) == name) {
        used_.insert(&variable);
        return &variable.tensor;
      }
    return nullptr;
  }

  bool is_frozen(const std::string& tensor) const {
    const Layer* layer = model_.architecture->find_layer(tensor.substr(0, tensor.rfind('.')));
    const Json* trainable = layer ? layer->keras.find("trainable") : nullptr;
    return trainable && *trainable == Json(false);
  }

  void read_variables() {
    for (const KerasBinding& binding : plan_.bindings) {
      std::vector<Tensor> tensors;
      for (const std::string& name : binding.variables)
        if (const Tensor* tensor = find_variable(binding, name)) tensors.push_back(*tensor);
      if (tensors.size() != binding.variables.size()) continue;
      try {
        tensors = to_torch(binding.steps, std::move(tensors));
        for (std::size_t i = 0; i < tensors.size(); ++i) {
          const std::string& name = binding.torch[i].name;
          model_.weights.add(name, to_torch(binding.torch[i].steps, {tensors[i]}).at(0));
          model_.trainable[name] = binding.trainable && !is_frozen(name);
        }
      } catch (const MalformedFile& error) {
        throw MalformedFile("/model_weights/" + binding.layer + "/" + binding.variables[0] + ": " + error.what());
      }
    }
    for (const KerasLayerWeights& layer : file_.layers)
      for (const KerasVariable& variable : layer.variables)
        if (!used_.contains(&variable)) unexpected_.push_back({variable.path, variable.tensor});
  }

  // Counters and the like; and tensors that were carried along without being the architecture's.
  void read_residuals() {
    for (const NamedTensor& tensor : file_.extra_tensors)
      if (!tensor.name.starts_with(kOptimizerFolder) && !model_.weights.find(tensor.name)) model_.weights.add(tensor.name, tensor.tensor);
    for (const auto& [name, fallback] : plan_.residuals)
      if (!model_.weights.find(name)) model_.weights.add(name, fallback);
    for (NamedTensor& tensor : unexpected_) model_.weights.set(tensor.name, tensor.tensor);
  }

  void order_weights() {
    std::vector<std::string> order;
    if (const Json* names = file_.extra.find("names"))
      for (const Json& name : names->as_array()) order.push_back(name.as_string());
    for (const NamedParameter& parameter : parameters_of(*model_.architecture)) order.push_back(parameter.name);
    Weights ordered;
    const auto move = [&](const std::string& name) {
      if (const Tensor* tensor = model_.weights.find(name); tensor && !ordered.find(name)) ordered.add(name, *tensor);
    };
    for (const std::string& name : order) move(name);
    for (const NamedTensor& tensor : model_.weights) move(tensor.name);
    model_.weights = std::move(ordered);
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

  void read_training() {
    Training training;
    const Json* own = file_.extra.find("training");
    if (own) {
      if (const Json* epoch = own->find("epoch"); epoch && epoch->is_integer()) training.epoch = epoch->as_integer();
      if (const Json* loss = own->find("loss"); loss && loss->is_number()) training.loss = loss->as_float();
    }
    if (file_.training_config.is_object()) {
      Json compile = file_.training_config;
      if (const Json* config = compile.find("optimizer_config"); config && config->is_object()) {
        std::vector<NamedTensor> variables;
        for (const KerasVariable& variable : file_.optimizer) variables.push_back({variable.path, variable.tensor});
        training.optimizer = optimizer_from_keras({*config, std::move(variables)}, plan_);
        if (own)
          if (const Json* settings = own->find("optimizer")) restore_optimizer(*settings, *training.optimizer);
      }
      compile.as_object().erase("optimizer_config");
      if (!own) training.compile = std::move(compile);
    }
    if (training.epoch || training.loss || training.optimizer || training.compile) model_.training = std::move(training);
  }

  // The optimizer as PyTorch had it: its settings to the letter, and the state that Keras holds rounded.
  void restore_optimizer(const Json& settings, Optimizer& optimizer) {
    optimizer.kind = settings.at("kind").as_string();
    optimizer.hyperparameters = settings.at("hyperparameters").as_object();
    optimizer.groups.clear();
    for (const Json& group : settings.at("groups").as_array()) optimizer.groups.push_back(group.as_object());
    optimizer.keras = {};
    const std::vector<NamedTensor> variables = std::move(optimizer.keras_variables);
    optimizer.keras_variables.clear();
    // Slots that PyTorch never made are zeros in Keras.
    const Json& with_slots = settings.at("parameters_with_state");
    std::map<std::string, std::vector<NamedTensor>> slots;
    for (const Json& name : with_slots.as_array())
      if (auto found = optimizer.slots.find(name.as_string()); found != optimizer.slots.end()) slots.insert(std::move(*found));
    optimizer.slots = std::move(slots);
    for (auto& [parameter, kept] : optimizer.slots)
      for (NamedTensor& slot : kept) {
        const std::string name = parameter + "/" + slot.name;
        const NamedTensor* exact = find_tensor(file_.extra_tensors, kOptimizerFolder + name);
        if (!exact) continue;
        const Json* recorded = settings.at("digests").find(name);
        const NamedTensor* variable = recorded ? find_tensor(variables, recorded->at("variable").as_string()) : nullptr;
        if (!recorded || (variable && digest(variable->tensor) == recorded->at("digest").as_string())) slot.tensor = exact->tensor;
      }
  }

  const KerasFile& file_;
  Model model_;
  KerasPlan plan_;
  std::set<const KerasVariable*> used_;
  std::vector<NamedTensor> unexpected_;
};

// ---- writing ----

class KerasWriter {
 public:
  KerasWriter(const Model& model, const SaveOptions& options) : model_(model), options_(options) {
    if (!model.architecture) throw UsageError("needs an architecture; give the architecture JSON beside the weights");
    if (model.weights.empty() && !parameters_of(*model.architecture).empty()) throw UsageError("needs weights; give them beside the architecture");
    format_ = options.data_format ? *options.data_format : presented_format(*model.architecture, Framework::Keras);
    const LayoutChange change = change_layout(*model.architecture, format_);
    plan_ = plan_keras(change.architecture, change.weights, weight_dtype());
  }

  KerasFile run() {
    file_.model_config = plan_.model_config;
    file_.keras_version = kKerasVersion;
    file_.backend = "torch";
    write_variables();
    if (options_.optimizer && model_.training) write_training(*model_.training);
    write_extra();
    return std::move(file_);
  }

 private:
  // The type of all floating-point weights; where they differ, Keras's standard one.
  DType weight_dtype() const {
    std::optional<DType> common;
    for (const NamedTensor& tensor : model_.weights) {
      if (!is_floating_point(tensor.tensor.dtype())) continue;
      if (common && *common != tensor.tensor.dtype()) return DType::Float32;
      common = tensor.tensor.dtype();
    }
    return common.value_or(DType::Float32);
  }

  const Tensor& weight(const std::string& name) const {
    const Tensor* tensor = model_.weights.find(name);
    if (!tensor) throw MalformedFile("the tensor " + name + " is missing");
    return *tensor;
  }

  void write_variables() {
    std::map<std::string, std::size_t> index;
    for (const std::string& layer : plan_.layer_names) {
      index[layer] = file_.layers.size();
      file_.layers.push_back({layer, {}});
    }
    for (const KerasBinding& binding : plan_.bindings) {
      std::vector<Tensor> tensors;
      for (const KerasBinding::Source& source : binding.torch) {
        tensors.push_back(to_keras(source.steps, {weight(source.name)}).at(0));
        written_.insert(source.name);
      }
      tensors = to_keras(binding.steps, std::move(tensors));
      for (std::size_t i = 0; i < tensors.size(); ++i)
        file_.layers[index.at(binding.layer)].variables.push_back({plan_.variable_prefix + binding.layer + "/" + binding.variables[i], tensors[i]});
    }
  }

  void write_training(const Training& training) {
    Json::Object own;
    if (training.epoch) own.set("epoch", *training.epoch);
    if (training.loss) own.set("loss", *training.loss);
    if (training.optimizer) {
      const KerasOptimizer optimizer = write_optimizer(*training.optimizer);
      Json::Object config;
      if (training.compile)
        config = training.compile->as_object();
      else
        config = {{"loss", nullptr}, {"loss_weights", nullptr}, {"metrics", nullptr}, {"weighted_metrics", nullptr}, {"run_eagerly", false}, {"steps_per_execution", 1}, {"jit_compile", false}};
      config.set("optimizer_config", optimizer.config);
      file_.training_config = std::move(config);
      for (const NamedTensor& variable : optimizer.variables) file_.optimizer.push_back({variable.name, variable.tensor});
      if (training.optimizer->keras.empty()) own.set("optimizer", torch_settings(*training.optimizer, optimizer));
    }
    if (!own.empty()) extra_.set("training", std::move(own));
  }

  // An optimizer that came from Keras goes back as it was, as long as its variables still fit.
  KerasOptimizer write_optimizer(const Optimizer& optimizer) const {
    const bool same_layout = model_.framework == Framework::Keras && format_ == presented_format(*model_.architecture, Framework::Keras);
    if (!optimizer.keras.empty() && same_layout)
      return {Json::Object{{"class_name", optimizer.kind}, {"config", optimizer.keras}}, optimizer.keras_variables};
    return optimizer_to_keras(optimizer, plan_, model_.weights);
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
    for (const auto& [parameter, slots] : optimizer.slots)
      if (const NamedTensor* step = find_tensor(slots, "step")) file_.extra_tensors.push_back({kOptimizerFolder + parameter + "/step", step->tensor});
    return Json::Object{{"kind", optimizer.kind},
                        {"hyperparameters", optimizer.hyperparameters},
                        {"groups", std::move(groups)},
                        {"parameters_with_state", std::move(with_state)},
                        {"digests", std::move(digests)}};
  }

  void write_extra() {
    extra_.set("version", 1);
    if (model_.framework == Framework::Torch) extra_.set("architecture", architecture_to_json(*model_.architecture));
    extra_.set("data_format", format_ == DataFormat::ChannelsLast ? "channels_last" : "channels_first");
    Json::Array names;
    using View = std::tuple<const ByteSource*, std::int64_t, Shape, std::vector<std::int64_t>>;
    std::map<View, Json::Array> views;
    for (const NamedTensor& tensor : model_.weights) {
      names.push_back(tensor.name);
      const Tensor& t = tensor.tensor;
      if (t.element_count() > 0) views[{t.source().get(), t.offset(), t.shape(), t.strides()}].push_back(tensor.name);
      if (!written_.contains(tensor.name)) file_.extra_tensors.push_back(tensor);
    }
    extra_.set("names", std::move(names));
    Json::Array tied;
    for (auto& [view, group] : views)
      if (group.size() > 1) tied.push_back(std::move(group));
    if (!tied.empty()) extra_.set("tied", std::move(tied));
    if (const Json* torch = model_.metadata.find("torch")) extra_.set("torch", *torch);
    file_.extra = std::move(extra_);
  }

  const Model& model_;
  const SaveOptions& options_;
  DataFormat format_ = DataFormat::ChannelsLast;
  KerasPlan plan_;
  KerasFile file_;
  Json::Object extra_;
  std::set<std::string> written_;
};

}  // namespace

Model model_from_keras(const KerasFile& file, const std::optional<Architecture>& architecture) { return KerasReader(file, architecture).run(); }

KerasFile keras_from_model(const Model& model, const SaveOptions& options) { return KerasWriter(model, options).run(); }

}  // namespace h5bridge
