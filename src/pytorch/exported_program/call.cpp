#include "pytorch/exported_program/call.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using aten::Call;
using aten::Given;
using aten::Names;
using aten::Row;

// Of any operator, what changes no result: where tensors live, how memory is laid out.
constexpr std::array<std::string_view, 9> kSayNothing{"device",        "layout",        "pin_memory",
                                                      "memory_format", "non_blocking",  "copy",
                                                      "generator",     "cudnn_enabled", "implicit"};

const Json* value_for(const std::vector<std::pair<std::string, Json>>& list, const std::string& name) {
  const auto found = std::ranges::find(list, name, &std::pair<std::string, Json>::first);
  return found == list.end() ? nullptr : &found->second;
}

bool are_equal(const Json& a, const Json& b) {
  return a == b || (a.is_number() && b.is_number() && a.as_float() == b.as_float());
}

bool says_nothing(const Row& row, const aten::Argument& argument) {
  if (std::ranges::count(kSayNothing, argument.name) || std::ranges::count(row.ignored, argument.name)) return true;
  const Json* value = std::get_if<Json>(&argument.value);
  const Json* nothing = value_for(row.nothing_at, argument.name);
  return value && (value->is_null() || (nothing && are_equal(*nothing, *value)));
}

std::string renamed(const Row& row, const std::string& name) {
  const auto found = std::ranges::find(row.renamed, name, &std::pair<std::string, std::string>::first);
  return found == row.renamed.end() ? name : found->second;
}

void add_argument(Call& call, const std::string& name, const aten::Argument& argument) {
  if (const auto* tensor = std::get_if<std::string>(&argument.value)) {
    call.operands.push_back({name, {*tensor}, false});
  } else if (const auto* names = std::get_if<Names>(&argument.value)) {
    call.operands.push_back({name, *names, true});
  } else if (const auto* unsayable = std::get_if<aten::Unsayable>(&argument.value)) {
    throw Unsupported("its " + argument.name + ": " + unsayable->why);
  } else {
    call.attributes.set(name, std::get<Json>(argument.value));
  }
}

Call bound(const aten::Graph& graph, const aten::Operation& operation, const Row& row) {
  Call call(graph, operation);
  call.type = row.type;
  call.is_same_value = row.type.empty();
  for (const auto& [name, value] : row.defaults) call.attributes.set(name, value);
  for (const aten::Argument& argument : operation.arguments)
    if (!says_nothing(row, argument)) add_argument(call, renamed(row, argument.name), argument);
  if (row.adjust) row.adjust(call);
  return call;
}

const LayerType& type_of(const Call& call) {
  const LayerType* type = Registry::instance().find(call.type);
  if (!type) throw std::logic_error("a row of ATen's makes the unknown type " + call.type);
  return *type;
}

Attributes call_settings(const Call& call) { return settings_of_type(type_of(call), call.attributes); }

// An open size where a tensor may stand as well: as many ones, added up.
void count_sizes(Call& call) {
  for (const Operand& operand : type_of(call).operands) {
    const Json* size = operand.attribute.empty() ? nullptr : call.attribute(operand.attribute);
    if (!size || !size->is_string()) continue;
    const std::string ones = call.step("ones", {{"size", Json::Array{*size}}, {"dtype", "int64"}}, {});
    call.operands.push_back({operand.name, {call.step("sum", {}, {ones})}, false});
    call.take(operand.attribute);
  }
}

// Of elements of another type, where the layer's type has none of its own.
void cast_first(Call& call) {
  if (type_of(call).find_attribute("dtype") || !call.attribute("dtype")) return;
  const Json wanted = call.take("dtype");
  if (wanted == Json(std::string(name_of(call.dtype())))) return;
  Names& tensors = call.operands.at(0).tensors;
  if (tensors.size() != 1) throw Unsupported("casts a list of tensors");
  tensors[0] = call.step("to", {{"dtype", wanted}}, tensors);
}

// The operations of a graph as calls of modules.
class ModuleFinder {
 public:
  ModuleFinder(const Row& row, const aten::Graph& graph, const ExportedState& state)
      : row_(row), graph_(graph), state_(state) {}

  // Makes the call one of a module, and gives its path, where its tensors are all of one.
  std::optional<std::string> find(Call& call) const {
    if (row_.parameters.empty()) return {};
    const auto& modules = call.operation().modules;
    if (modules.empty()) return find_by_names(call);
    for (auto module = modules.rbegin(); module != modules.rend(); ++module) {
      if (module->path.empty() || !holds_operands(call, module->path)) continue;
      Call made = call;
      row_.as_module(made);
      const bool is_torchs = made.module_class() == made.type && module == modules.rbegin();
      if (!given(call) && !is_torchs) continue;
      for (const std::string& operand : row_.parameters) made.drop(operand);
      if (!holds_all(made, module->path, is_torchs)) continue;
      call = std::move(made);
      return module->path;
    }
    return {};
  }

 private:
  // Of an operation in a branch, of which the graph does not say what module called it: that which has its parameters,
  // where all who take one of them call it so.
  std::optional<std::string> find_by_names(Call& call) const {
    const std::string path = path_of_parameters(call);
    if (path.empty() || !holds_operands(call, path)) return {};
    std::set<std::string> taken;
    for (const std::string& operand : row_.parameters)
      if (const Given* given = call.find(operand))
        for (const auto& name : given->tensors)
          if (name) taken.insert(*name);
    const auto calls_it = std::ranges::count_if(graph_.operations, [&](const aten::Operation& other) {
      std::size_t found = 0;
      for (const aten::Argument& argument : other.arguments)
        if (const auto* name = std::get_if<std::string>(&argument.value)) found += taken.count(*name);
      return other.target == call.operation().target && found == taken.size();
    });
    Call made = call;
    row_.as_module(made);
    for (const std::string& operand : row_.parameters) made.drop(operand);
    const Attributes settings = call_settings(made);
    const auto has_no_other_use = [&](const ParameterSpec& spec) {
      const std::size_t uses = state_.uses(tensor_name(path, spec.name));
      return uses == 0 || uses == static_cast<std::size_t>(calls_it);
    };
    if (!holds_parameters(state_, type_of(made), settings, path) ||
        !std::ranges::all_of(type_of(made).parameters(settings), has_no_other_use))
      return {};
    call = std::move(made);
    return path;
  }

  // "layer1.conv" of "layer1.conv.weight"; empty where the first of them is no parameter of a module's own.
  std::string path_of_parameters(const Call& call) const {
    for (const std::string& operand : row_.parameters) {
      const Given* given = call.find(operand);
      if (!given || given->tensors.size() != 1 || !given->tensors[0]) continue;
      const Pt2Tensor* own = state_.is_in_state(*given->tensors[0]) ? state_.own(*given->tensors[0]) : nullptr;
      if (!own || !own->name.ends_with("." + operand)) return {};
      return own->name.substr(0, own->name.size() - operand.size() - 1);
    }
    return {};
  }

  bool given(const Call& call) const {
    return std::ranges::any_of(row_.parameters, [&](const std::string& operand) { return call.has(operand); });
  }

  bool holds_operands(const Call& call, const std::string& path) const {
    return std::ranges::all_of(row_.parameters, [&](const std::string& operand) {
      const Given* given = call.find(operand);
      if (!given) return true;
      const std::vector<std::string> names =
          given->is_list && row_.listed ? row_.listed(call) : std::vector<std::string>{operand};
      if (names.size() != given->tensors.size()) return false;
      for (std::size_t i = 0; i < names.size(); ++i)
        if (!given->tensors[i] || !is_tensor(*given->tensors[i], tensor_name(path, names[i]))) return false;
      return true;
    });
  }

  // One tensor may have several names.
  bool is_tensor(const std::string& name, const std::string& key) const {
    const Pt2Tensor* own = state_.own(name);
    const Pt2Tensor* wanted = state_.find(key);
    return own && wanted && are_one(*own, *wanted);
  }

  // A class of somebody else's may use its tensors otherwise as well.
  bool holds_all(const Call& made, const std::string& path, bool is_torchs) const {
    const Attributes settings = call_settings(made);
    const auto is_used_once = [&](const ParameterSpec& spec) { return state_.uses(tensor_name(path, spec.name)) <= 1; };
    return holds_parameters(state_, type_of(made), settings, path) &&
           (is_torchs || std::ranges::all_of(type_of(made).parameters(settings), is_used_once));
  }

  const Row& row_;
  const aten::Graph& graph_;
  const ExportedState& state_;
};

}  // namespace

ExportedState::ExportedState(const aten::Graph& graph, const Pt2Model& model) {
  std::map<std::string, const Pt2Tensor*> constants;
  for (const Pt2Tensor& tensor : model.weights) state_.emplace(tensor.name, &tensor);
  for (const Pt2Tensor& tensor : model.constants) constants.emplace(tensor.name, &tensor);
  for (const aten::OwnTensor& own : graph.own) {
    const auto& from = own.in_state ? state_ : constants;
    const auto found = from.find(own.key);
    if (found == from.end()) throw MalformedFile("holds no tensor \"" + shortened(own.key) + "\", which its graph has");
    own_.emplace(own.name, found->second);
    if (own.in_state) in_state_.emplace(own.name, found->second);
  }
  const auto count = [&](const std::string& name) {
    if (const auto found = in_state_.find(name); found != in_state_.end()) ++uses_[found->second->name];
  };
  for (const aten::Operation& operation : graph.operations)
    for (const aten::Argument& argument : operation.arguments) {
      if (const auto* name = std::get_if<std::string>(&argument.value)) count(*name);
      if (const auto* names = std::get_if<Names>(&argument.value))
        for (const auto& name : *names)
          if (name) count(*name);
    }
}

const Pt2Tensor* ExportedState::find(const std::string& key) const {
  const auto found = state_.find(key);
  return found == state_.end() ? nullptr : found->second;
}

const Pt2Tensor* ExportedState::own(const std::string& name) const {
  const auto found = own_.find(name);
  return found == own_.end() ? nullptr : found->second;
}

std::size_t ExportedState::uses(const std::string& key) const {
  const auto found = uses_.find(key);
  return found == uses_.end() ? 0 : found->second;
}

Pt2View view_of(const Pt2Tensor& tensor) {
  const Tensor& t = tensor.tensor;
  return {tensor.storage, t.dtype(), t.offset(), t.shape(), t.strides()};
}

bool are_one(const Pt2Tensor& a, const Pt2Tensor& b) { return &a == &b || view_of(a) == view_of(b); }

Attributes settings_of_type(const LayerType& type, const Json::Object& attributes) {
  for (const auto& [name, value] : attributes)
    if (!type.find_attribute(name))
      throw Unsupported("its argument " + name + ", " + quoted(value) + ", has no place in " + type.name);
  try {
    return attributes_from_json(type, attributes, type.name);
  } catch (const MalformedFile& error) {
    throw Unsupported(error.what());
  }
}

bool holds_parameters(const ExportedState& state, const LayerType& type, const Attributes& settings,
                      const std::string& path) {
  return std::ranges::all_of(type.parameters(settings), [&](const ParameterSpec& spec) {
    const Pt2Tensor* tensor = state.find(tensor_name(path, spec.name));
    return tensor && tensor->tensor.shape() == spec.shape;
  });
}

ExportedCall call_by_row(const aten::Graph& graph, const aten::Operation& operation, const aten::Row& row,
                         const ExportedState& state) {
  ExportedCall result{bound(graph, operation, row), {}, {}};
  Call& call = result.call;
  if (call.is_same_value) return result;
  count_sizes(call);
  cast_first(call);
  if (call.before.empty())
    if (const auto path = ModuleFinder(row, graph, state).find(call)) result.module = *path;
  if (row.listed && result.module.empty())
    throw Unsupported(
        "the weights that it takes are not all parameters of a module's own, as where a parametrization computes one: "
        "torch.nn.utils.parametrize.remove_parametrizations, before the export, makes them so");
  result.attributes = call_settings(call);
  // A module without parameters that does just this.
  const bool is_module = call.before.empty() && !call.module_class().empty() && call.module_class() == call.type;
  if (is_module && result.module.empty()) result.module = operation.modules.back().path;
  return result;
}

}  // namespace h5bridge
