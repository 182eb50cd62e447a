#include "pytorch/python_source/module_tree.h"

#include <algorithm>
#include <set>

#include "facets/registry.h"
#include "model/model_itself.h"
#include "passes/float_types.h"
#include "passes/infer_shapes.h"

namespace h5bridge::torch_source {
namespace {

// "relu" of "relu_2": what a function is called whose name was made for it.
std::string without_number(const std::string& name) {
  const std::size_t end = name.find_last_not_of("0123456789");
  return end != std::string::npos && end + 1 < name.size() && end > 0 && name[end] == '_' ? name.substr(0, end) : name;
}

// A function that has a module's type, as F.relu has: one of PyTorch's by its name, one of Keras's if nothing is lost.
bool is_function(const TorchSource& source, const Layer& layer, bool from_keras, Language language) {
  if (!source.constructor) return true;
  if (source.function && language == Language::TorchScript) return true;
  if (!source.function || layer.name.find('.') != std::string::npos) return false;
  return from_keras || without_number(layer.name) == source.function_name;
}

// The one parameter of a layer that is a tensor; its name is the layer's.
const ParameterSpec* own_tensor(const std::vector<ParameterSpec>& parameters) {
  return parameters.size() == 1 && parameters[0].name.empty() ? &parameters[0] : nullptr;
}

// Keras may have a layer "a" and one "a.weight"; a module cannot have a tensor and a module of one name.
void refuse_two_of_one_name(const SourceModule& module) {
  if (!module.layer) return;
  const Layer& layer = *module.layer;
  for (const ParameterSpec& parameter : Registry::instance().type_of(layer).parameters(layer.attributes)) {
    const SourceModule* child = module.find(parameter.name);
    if (child && (child->layer || !child->children.empty()))
      throw Unsupported(describe(layer) + " has a tensor \"" + parameter.name + "\", and " +
                        (child->layer ? describe(*child->layer) : "a layer within \"" + child->path + "\"") +
                        " would be a part of it by that name, which no module can have both of: give one of them "
                        "another name");
  }
}

void check_path(const std::string& path) {
  if (path.empty() || path.front() == '.' || path.back() == '.' || path.find("..") != std::string::npos)
    throw Unsupported("layer \"" + plain_text(path) + "\": its name has an empty part");
}

}  // namespace

SourceModule* SourceModule::find(const std::string& child) const {
  for (const auto& candidate : children)
    if (candidate->name == child) return candidate.get();
  return nullptr;
}

ModuleTree::ModuleTree(const Model& model, Language language)
    : language_(language),
      architecture_(*model.architecture),
      index_(architecture_),
      types_(infer_types(architecture_, FloatTypes(model.weights))),
      branches_(architecture_) {
  add_layers(model);
  add_tensors(model);
  for (const auto& [name, module] : modules_) refuse_two_of_one_name(*module);
  sort_numbered(root_);
  sort_registered();
}

// In any of its calls.
std::set<std::string> ModuleTree::operands_given_to(const Layer& layer) const {
  std::set<std::string> result;
  const std::vector<Operand>& operands = Registry::instance().type_of(layer).operands;
  for (const Node* call : index_.calls_of(layer.name))
    for (std::size_t i = 0; i < std::min(call->arguments.size(), operands.size()); ++i)
      if (!std::holds_alternative<std::monostate>(call->arguments[i])) result.insert(operands[i].name);
  return result;
}

std::vector<Layer> ModuleTree::as_called(const Layer& layer) const {
  std::vector<Layer> result;
  for (const Node* call : index_.calls_of(layer.name))
    if (!call->attributes.empty()) result.push_back(index_.layer_of(*call));
  return result;
}

// Parts that are numbered stand in the order of their numbers.
void ModuleTree::sort_numbered(SourceModule& module) {
  const auto is_number = [](const auto& child) {
    return child->name.size() < 10 && std::ranges::all_of(child->name, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!module.children.empty() && std::ranges::all_of(module.children, is_number))
    std::ranges::stable_sort(module.children, {}, [](const auto& child) { return std::stol(child->name); });
  for (const auto& child : module.children) sort_numbered(*child);
}

// As PyTorch's own module has them, where the architecture says: an optimizer counts parameters in this order. A part
// without tensors stays behind the one before it.
void ModuleTree::sort_registered() {
  std::map<std::string_view, std::size_t> places;  // of paths, where the first tensor below stands
  for (std::size_t i = 0; i < architecture_.state_dict.size(); ++i) {
    const std::string_view name = architecture_.state_dict[i];
    for (std::size_t end = name.find('.'); end != std::string_view::npos; end = name.find('.', end + 1))
      places.emplace(name.substr(0, end), i);
    places.emplace(name, i);
  }
  if (!places.empty()) sort_by_places(root_, places);
}

void ModuleTree::sort_by_places(SourceModule& module, const std::map<std::string_view, std::size_t>& places) {
  std::vector<std::pair<std::size_t, std::unique_ptr<SourceModule>>> placed;
  std::size_t last = 0;
  for (auto& child : module.children) {
    if (const auto found = places.find(child->path); found != places.end()) last = found->second;
    sort_by_places(*child, places);
    placed.emplace_back(last, std::move(child));
  }
  std::ranges::stable_sort(placed, {}, [](const auto& child) { return child.first; });
  for (std::size_t i = 0; i < placed.size(); ++i) module.children[i] = std::move(placed[i].second);
}

SourceModule* ModuleTree::module_of(const Layer& layer) const {
  const auto found = modules_.find(layer.name);
  return found == modules_.end() ? nullptr : found->second;
}

SourceModule& ModuleTree::insert(const std::string& path) {
  check_path(path);
  SourceModule* module = &root_;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    SourceModule* child = module->find(part);
    if (!child) {
      module->children.push_back(
          std::make_unique<SourceModule>(SourceModule{.name = part, .path = path.substr(0, end), .parent = module}));
      child = module->children.back().get();
    }
    module = child;
    begin = end + 1;
  }
  return *module;
}

SourceModule& ModuleTree::insert_base() {
  root_.children.push_back(std::make_unique<SourceModule>(SourceModule{.name = "", .path = "", .parent = &root_}));
  return *root_.children.back();
}

void ModuleTree::add_layers(const Model& model) {
  const bool from_keras = architecture_.keras.class_name.has_value();
  std::string problems;
  for (const Layer& layer : architecture_.layers) {
    try {
      sources_[layer.name] = &torch_source_of(layer, operands_given_to(layer), as_called(layer), from_keras);
    } catch (const Unsupported& error) {
      problems += (problems.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  if (!problems.empty()) throw Unsupported(problems);
  // A tensor that a layer has as well (an embedding's weight, used by the decoder) is that layer's.
  std::set<std::string> held;
  for (const Layer& layer : architecture_.layers) {
    const auto parameters = Registry::instance().type_of(layer).parameters(layer.attributes);
    if (own_tensor(parameters) || is_function(source_of(layer), layer, from_keras, language_)) continue;
    SourceModule& module = is_model_itself(layer.name) ? insert_base() : insert(layer.name);
    module.layer = &layer;
    modules_[layer.name] = &module;
    for (const ParameterSpec& parameter : parameters) held.insert(tensor_name(layer.name, parameter.name));
  }
  for (const Layer& layer : architecture_.layers) {
    const auto parameters = Registry::instance().type_of(layer).parameters(layer.attributes);
    const ParameterSpec* own = own_tensor(parameters);
    if (!own) continue;
    SourceModule& module = insert(layer.name);
    const Tensor* weight = model.weights.find(layer.name);
    if (!held.contains(layer.name))
      module.tensor = OwnTensor{own->shape, weight ? weight->dtype() : own->dtype, own->role == Role::Parameter};
    modules_[layer.name] = &module;
  }
}

// What nothing computes with, or is another name of one of the layers' tensors.
void ModuleTree::add_tensors(const Model& model) {
  std::set<std::string> held;
  for (const NamedParameter& parameter : parameters_of(architecture_)) held.insert(parameter.name);
  const std::set<std::string> buffers(architecture_.buffers.begin(), architecture_.buffers.end());
  for (const NamedTensor& tensor : model.weights) {
    if (held.contains(tensor.name)) continue;
    const bool is_parameter = is_floating_point(tensor.tensor.dtype()) && !buffers.contains(tensor.name);
    SourceModule& module = insert(tensor.name);
    if (!module.is_leaf()) module.tensor = OwnTensor{tensor.tensor.shape(), tensor.tensor.dtype(), is_parameter};
  }
}

}  // namespace h5bridge::torch_source
