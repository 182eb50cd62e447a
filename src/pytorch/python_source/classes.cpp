#include "pytorch/python_source/classes.h"

#include <algorithm>
#include <regex>

#include "facets/registry.h"
#include "passes/float_types.h"
#include "passes/infer_shapes.h"
#include "pytorch/python_source/initial_values.h"
#include "pytorch/python_source/kept_numbers.h"
#include "pytorch/python_source/names.h"
#include "pytorch/python_source/paths.h"

namespace h5bridge::torch_source {
namespace {

constexpr const char* kMode = "training";

// nn.Module assigns its mode to an attribute, and refuses to where a part has that name.
constexpr PythonHelper kHoldsTraining{"HoldsTraining", R"py(class HoldsTraining(nn.Module):
    """A module with a part called "training", as nn.Module calls its mode."""

    def train(self, mode=True):
        self.__dict__["training"] = mode
        for child in self.children():
            child.train(mode)
        return self)py"};

// How a module of a class is made: the class, and its arguments.
struct Made {
  std::string class_name;
  Code::Arguments arguments;
};

// A module that is to be of a class.
struct Instance {
  const SourceModule* module;
  std::vector<Code> members;
  Forward forward;
  std::size_t kept = 0;  // numbers that its forward reads: the last of its members
  /// Of modules that may be of one class, whatever numbers their forwards have.
  std::string key() const {
    std::string result;
    for (const Code& member : members) result += member.shape() + "\n";
    return result + joined(forward.parameters) + "\n" + without_numbers(forward.statements);
  }
};
using Instances = std::vector<Instance>;

// Of modules that are alike but for numbers, those that are of one class each.
std::vector<Instances> classes_among(Instances instances) {
  std::vector<Statements> forwards;
  for (const Instance& instance : instances) forwards.push_back(instance.forward.statements);
  std::vector<std::string> names;
  for (const auto& child : instances[0].module->children) names.push_back(child->name);
  if (const auto kept = kept_numbers(forwards, names)) {
    for (std::size_t i = 0; i < instances.size(); ++i) {
      for (const KeptNumber& number : kept->numbers)
        instances[i].members.push_back(Code("self." + number.name + " = ")
                                       << Code::Arguments{{number.name, number.values[i], false}});
      instances[i].kept = kept->numbers.size();
      instances[i].forward.statements = kept->statements;
    }
    return {std::move(instances)};
  }
  std::vector<Instances> result;
  for (Instance& instance : instances) {
    auto same = std::ranges::find_if(
        result, [&](const Instances& known) { return known[0].forward.statements == instance.forward.statements; });
    if (same == result.end()) same = result.insert(result.end(), Instances());
    same->push_back(std::move(instance));
  }
  return result;
}

class ClassBuilder {
 public:
  ClassBuilder(const ModuleTree& tree, const Calls& calls, const Model& model, Helpers& helpers)
      : tree_(tree), calls_(calls), model_(model), floats_(model.weights), helpers_(helpers) {}

  std::vector<SourceClass> build() {
    collect(tree_.root());
    for (const auto& [height, modules] : by_height_) {
      std::map<std::string, Instances> groups;
      std::vector<std::string> keys;
      for (const SourceModule* module : modules) {
        const bool in_turn = calls_.is_sequential(*module);
        const bool has_forward = module->is_called && !in_turn;
        Instance instance{module, members_of(*module),
                          has_forward ? forward_of(tree_, calls_, *module, helpers_) : Forward{{"x"}, {}}};
        const std::string key = instance.key();
        if (!groups.contains(key)) keys.push_back(key);
        groups[key].push_back(std::move(instance));
      }
      std::vector<Instances> classes;
      for (const std::string& key : keys)
        for (Instances& instances : classes_among(std::move(groups.at(key)))) classes.push_back(std::move(instances));
      // The plainest has the plain name.
      std::ranges::stable_sort(classes, {}, [](const Instances& instances) {
        const Instance& first = instances[0];
        return std::pair(first.module->children.size(), first.forward.statements.size());
      });
      for (Instances& instances : classes)
        if (is_worth_a_class(instances)) finish(instances);
    }
    return std::move(classes_);
  }

 private:
  std::size_t collect(const SourceModule& module);
  std::vector<Code> members_of(const SourceModule& module);
  void add_children(const std::string& holder, const SourceModule& module, std::vector<Code>& members);
  Code expression(const SourceModule& module);
  std::string base_of(const SourceModule& module);
  Code layer_expression(const Layer& layer);
  Code base_expression(const Layer& layer);
  Code tensor_expression(const SourceModule& held) const;
  void add_ties(std::vector<Code>& members) const;
  const SourceModule* tensor_at(const std::string& name, std::string& holder, std::string& last) const;
  std::string tensor_path(const std::string& name) const;
  bool is_worth_a_class(const std::vector<Instance>& instances) const;
  void finish(std::vector<Instance>& instances);
  std::vector<std::string> parameter_names(const std::vector<Instance>& instances,
                                           const std::vector<std::vector<std::string>>& values,
                                           const std::vector<std::string>& wanted) const;
  std::vector<std::string> sizes_of(const std::vector<Instance>& instances, bool of_outputs) const;
  std::vector<Value> inputs_of(const SourceModule& module) const;
  std::vector<Value> outputs_of(const SourceModule& module) const;
  std::string unique_class(const Instance& instance);
  std::string docstring_of(const std::vector<Instance>& instances, const std::vector<std::vector<std::string>>& values,
                           const std::vector<std::string>& names) const;

  const ModuleTree& tree_;
  const Calls& calls_;
  const Model& model_;
  const FloatTypes floats_;
  Helpers& helpers_;
  std::map<std::size_t, std::vector<const SourceModule*>> by_height_;
  std::map<const SourceModule*, Made> made_;
  std::vector<SourceClass> classes_;
  std::map<std::string, std::set<std::string>> parts_;  // of the classes that are called by a name, or by it and more
};

// A chain is written where it is, unless there are several alike.
bool ClassBuilder::is_worth_a_class(const std::vector<Instance>& instances) const {
  const SourceModule& module = *instances[0].module;
  if (!module.parent || !calls_.is_sequential(module)) return true;
  const bool is_one_loop = instances[0].members[0].text().find("(*[") != std::string::npos;
  return instances.size() > 2 && module.children.size() > 2 && !is_one_loop;
}

std::vector<Value> ClassBuilder::inputs_of(const SourceModule& module) const {
  if (!module.is_called) return {};
  if (module.parent) return calls_.inputs_of(module);
  std::vector<Value> result;
  for (const Input& input : tree_.architecture().inputs) result.push_back({input.name});
  return result;
}

std::vector<Value> ClassBuilder::outputs_of(const SourceModule& module) const {
  if (!module.is_called) return {};
  if (module.parent) return calls_.outputs_of(module);
  std::vector<Value> result;
  for (const Output& output : tree_.architecture().outputs) result.push_back(output.value);
  return result;
}

// The channels, or the features, of what modules take or give, by module.
std::vector<std::string> ClassBuilder::sizes_of(const std::vector<Instance>& instances, bool of_outputs) const {
  std::vector<std::string> result;
  for (const Instance& instance : instances) {
    const std::vector<Value> values = of_outputs ? outputs_of(*instance.module) : inputs_of(*instance.module);
    const SymbolicShape shape = values.empty() ? SymbolicShape{} : tree_.types().of(values[0]).shape;
    result.push_back(shape.size() < 2 ? "" : shape[shape.size() == 3 ? 2 : 1].str());
  }
  return result;
}

// Channels and features are called by where they come in or out: what a layer within calls out_channels need not be
// the block's.
std::vector<std::string> ClassBuilder::parameter_names(const std::vector<Instance>& instances,
                                                       const std::vector<std::vector<std::string>>& values,
                                                       const std::vector<std::string>& wanted) const {
  const std::vector<std::string> in = sizes_of(instances, false), out = sizes_of(instances, true);
  std::vector<std::string> names;
  for (std::size_t p = 0; p < wanted.size(); ++p) {
    std::string name = wanted[p];
    for (const char* what : {"channels", "features"}) {
      if (name != std::string("in_") + what && name != std::string("out_") + what) continue;
      const bool is_in = values[p] == in, is_out = values[p] == out;
      name = (is_in && is_out ? "" : is_in ? "in_" : is_out ? "out_" : "hidden_") + std::string(what);
    }
    if (name == "hidden_channels" && class_for(*instances[0].module) == "SqueezeExcitation") name = "squeeze_channels";
    if (name == "normalized_shape" || name == "num_features" || name == "embed_dim") name = "features";
    names.push_back(unique_name(name, [&](const std::string& taken) {
      return taken == "self" || std::ranges::find(names, taken) != names.end();
    }));
  }
  return names;
}

// What only holds parts that others call, and is no container of PyTorch's.
bool is_mere_holder(const SourceModule& module) {
  const bool has_parts = std::ranges::any_of(
      module.children, [](const auto& child) { return child->is_leaf() || !child->children.empty(); });
  return has_parts && !module.is_leaf() && !module.is_called && !is_list(module) && !is_dict(module) &&
         !is_parameter_list(module);
}

// Those that need a class of their own, by how many classes stand one in the other below them.
std::size_t ClassBuilder::collect(const SourceModule& module) {
  std::size_t height = 0;
  for (const auto& child : module.children) height = std::max(height, collect(*child));
  const bool is_class = !module.parent || (module.is_called && !module.is_leaf()) || is_mere_holder(module);
  if (!is_class) return height;
  by_height_[height].push_back(&module);
  return height + 1;
}

Code ClassBuilder::tensor_expression(const SourceModule& held) const {
  const OwnTensor& tensor = *held.tensor;
  const std::string dtype = tensor.dtype == DType::Float32 || (is_floating_point(tensor.dtype) && floats_.common())
                                ? ""
                                : ", dtype=" + python_value(AttributeValue(tensor.dtype)).text;
  if (!tensor.is_parameter) return buffer_value(tensor, model_.weights.find(held.path), dtype);
  Code code("nn.Parameter(");
  code << parameter_value(tree_, calls_, held, dtype);
  return code << std::string(is_floating_point(tensor.dtype) ? ")" : ", requires_grad=False)");
}

Code ClassBuilder::layer_expression(const Layer& layer) {
  const Constructor made = tree_.source_of(layer).constructor(layer);
  for (const PythonHelper* helper : made.helpers) helpers_.need(*helper);
  Code code(made.callee + "(");
  code << made.arguments << std::string(")");
  // Where all tensors have one type, the network is of it as a whole.
  const std::set<DType> own = floats_.of(layer);
  if (!floats_.common() && own.size() == 1 && *own.begin() != DType::Float32)
    code << ".to(" + python_value(AttributeValue(*own.begin())).text + ")";
  return code;
}

// A network that is one layer makes itself as that.
Code ClassBuilder::base_expression(const Layer& layer) {
  if (floats_.of(layer) != std::set<DType>{DType::Float32} && !floats_.common())
    throw Unsupported(describe(layer) + " is the model itself, and its tensors are of several types");
  Code code("super().__init__(");
  code << tree_.source_of(layer).constructor(layer).arguments << std::string(")");
  return code;
}

// The class that a module with these parts is derived from.
std::string ClassBuilder::base_of(const SourceModule& module) {
  if (const SourceModule* base = module.base()) {
    const Constructor made = tree_.source_of(*base->layer).constructor(*base->layer);
    for (const PythonHelper* helper : made.helpers) helpers_.need(*helper);
    return made.callee;
  }
  if (calls_.is_sequential(module)) return "nn.Sequential";
  if (!module.find(kMode)) return "nn.Module";
  helpers_.need(kHoldsTraining);
  return kHoldsTraining.name;
}

// A module as it is made where its holder is.
Code ClassBuilder::expression(const SourceModule& module) {
  if (module.layer) return layer_expression(*module.layer);
  if (const auto made = made_.find(&module); made != made_.end()) {
    Code code(made->second.class_name + "(");
    code << made->second.arguments << std::string(")");
    return code;
  }
  Code::Elements elements;
  if (is_dict(module)) {
    for (const auto& child : module.children)
      elements.push_back(Code(python_string(child->name) + ": ") << expression(*child));
    return Code("nn.ModuleDict({") << std::move(elements) << std::string("})");
  }
  const bool in_turn = calls_.is_sequential(module), is_parameters = is_parameter_list(module);
  if (!in_turn && !is_parameters && !is_list(module)) return Code(base_of(module) + "()");
  for (const auto& child : module.children)
    elements.push_back(is_parameters ? tensor_expression(*child) : expression(*child));
  Code code(in_turn ? "nn.Sequential(" : is_parameters ? "nn.ParameterList([" : "nn.ModuleList([");
  code << std::move(elements) << std::string(in_turn ? ")" : "])");
  return code;
}

// What a module holds that is not made with it: the parts of one without a class, and tensors beside a layer's own.
void ClassBuilder::add_children(const std::string& holder, const SourceModule& module, std::vector<Code>& members) {
  const bool in_list = module.parent && (is_list(module) || is_dict(module) || is_parameter_list(module));
  std::vector<const SourceModule*> children;
  for (const auto& child : module.children) children.push_back(child.get());
  std::ranges::stable_partition(children, [](const SourceModule* child) { return child->tensor.has_value(); });
  for (const SourceModule* child : children) {
    if (child->is_base()) continue;
    const std::string path = child_of(holder, *child);
    if (!in_list) {
      const bool is_layers_own = child->is_leaf() == false && child->children.empty();
      if (is_layers_own) continue;  // a layer's own tensor, which another layer reads
      const auto [before, behind] = around_assignment(holder, *child);
      Code statement(before);
      statement << (child->tensor ? tensor_expression(*child) : expression(*child)) << behind;
      members.push_back(std::move(statement));
    }
    if (!made_.contains(child)) add_children(path, *child, members);
  }
}

// The names of a tensor that is several, the first of which is the tensor.
void ClassBuilder::add_ties(std::vector<Code>& members) const {
  const auto tie = [&](const std::string& name, const std::string& to) {
    const std::string own = tensor_path(name), other = tensor_path(to);
    if (!own.empty() && !other.empty() && own != other) members.emplace_back(own + " = " + other);
  };
  for (const auto& group : tree_.architecture().ties)
    for (std::size_t i = 1; i < group.size(); ++i) tie(group[i], group[0]);
  for (const auto& [alias, name] : tree_.architecture().aliases) tie(alias, name);
}

// Empty where no module has it.
std::string ClassBuilder::tensor_path(const std::string& name) const {
  const SourceModule* module = &tree_.root();
  std::string path = "self";
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const SourceModule* child = module->find(name.substr(begin, end - begin));
    if (!child) {
      if (!module->layer && !module->base()) return "";
      for (const NamedParameter& parameter : parameters_of(tree_.architecture()))
        if (parameter.name == name) return path + "." + name.substr(begin);
      return "";
    }
    path = child_of(path, *child);
    module = child;
    begin = end + 1;
  }
  return path;
}

std::vector<Code> ClassBuilder::members_of(const SourceModule& module) {
  std::vector<Code> members;
  if (calls_.is_sequential(module)) {
    Code::Elements elements;
    for (const auto& child : module.children) elements.push_back(expression(*child));
    Code code("super().__init__(");
    code << std::move(elements) << std::string(")");
    members.push_back(std::move(code));
  } else {
    const SourceModule* base = module.base();
    members.push_back(base ? base_expression(*base->layer) : Code("super().__init__()"));
    add_children("self", module, members);
  }
  if (module.parent) return members;
  add_ties(members);
  const auto common = floats_.common();
  if (common && *common != DType::Float32)
    members.emplace_back("self.to(" + python_value(AttributeValue(*common)).text + ")");
  return members;
}

// A normalization that somebody has written with tensors of its own; empty for all else.
std::string class_of_norm(const SourceModule& module, const std::vector<std::string>& statements) {
  if (!std::ranges::all_of(module.children, [](const auto& child) { return child->tensor.has_value(); })) return "";
  const std::string text = joined(statements, "\n");
  if (text.find("F.rms_norm(") != std::string::npos) return "RMSNorm";
  if (text.find("F.layer_norm(") == std::string::npos) return "";
  return text.find(".permute(0, 2, 3, 1)") != std::string::npos ? "LayerNorm2d" : "LayerNorm";
}

// One that has a part more than another class of its name is called by that part, one that adds what it takes to what
// it makes is residual.
std::string ClassBuilder::unique_class(const Instance& instance) {
  const SourceModule& module = *instance.module;
  const std::string norm = class_of_norm(module, instance.forward.statements);
  const std::string wanted = !module.parent                 ? class_of_network(tree_.architecture())
                             : calls_.is_sequential(module) ? class_of_chain(module)
                             : norm.empty()                 ? class_for(module)
                                                            : norm;
  const auto is_taken = [&](const std::string& name) {
    return name == "F" || name == "Module" || std::ranges::find(classes_, name, &SourceClass::name) != classes_.end() ||
           std::ranges::any_of(helpers_.all(), [&](const PythonHelper* helper) { return name == helper->name; }) ||
           (module.parent && name == class_of_network(tree_.architecture()));
  };
  std::vector<std::string> candidates{wanted};
  for (const auto& child : module.children)
    if (const auto known = parts_.find(wanted); known != parts_.end() && !known->second.contains(child->name))
      if (is_attribute_name(child->name)) candidates.push_back(class_name(without_count(child->name), "") + wanted);
  const std::vector<std::string>& statements = instance.forward.statements;
  if (!statements.empty() && (statements.back().ends_with(" + x") || statements.back().starts_with("return x + ")))
    candidates.push_back(wanted.ends_with("InvertedBottleneck")
                             ? wanted.substr(0, wanted.find("Bottleneck")) + "Residual"
                             : "Residual" + wanted);
  for (int number = 2; number < 1000; ++number) candidates.push_back(wanted + std::to_string(number));
  const auto found = std::ranges::find_if_not(candidates, is_taken);
  for (const auto& child : module.children) parts_[wanted].insert(child->name);
  return found == candidates.end() ? "Class" + std::to_string(classes_.size()) : *found;
}

// Arguments that are not the same in all modules of the class become arguments of its constructor; those that always
// are equal to one another are one.
void ClassBuilder::finish(std::vector<Instance>& instances) {
  std::vector<std::vector<ConstructorArgument*>> arguments(instances.size());
  for (std::size_t i = 0; i < instances.size(); ++i)
    for (Code& member : instances[i].members) member.collect(arguments[i]);

  SourceClass made;
  made.name = unique_class(instances[0]);
  std::vector<std::vector<std::string>> values;  // of each parameter, by module
  std::vector<std::string> names;
  std::vector<std::optional<std::string>> defaults;
  std::vector<std::pair<ConstructorArgument*, std::size_t>> parameter_of;
  for (std::size_t slot = 0; slot < arguments[0].size(); ++slot) {
    std::vector<std::string> texts;
    std::optional<std::string> fallback;
    for (const auto& own : arguments) {
      texts.push_back(own[slot]->text);
      if (own[slot]->is_default) fallback = own[slot]->text;
    }
    if (std::ranges::all_of(texts, [&](const std::string& text) { return text == texts[0]; })) continue;
    std::size_t parameter = 0;
    while (parameter < values.size() && (values[parameter] != texts || defaults[parameter] != fallback)) ++parameter;
    if (parameter == values.size()) {
      values.push_back(texts);
      defaults.push_back(fallback);
      names.push_back(variable_name(arguments[0][slot]->name, "value"));
    }
    parameter_of.emplace_back(arguments[0][slot], parameter);
    arguments[0][slot]->is_default = false;
    arguments[0][slot]->by_name = arguments[0][slot]->by_name || fallback;
  }
  names = parameter_names(instances, values, names);
  // The class is written as its first module has it.
  for (const auto& [argument, parameter] : parameter_of) argument->text = names[parameter];

  std::vector<std::size_t> order(names.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return defaults[i].has_value(); });
  for (std::size_t i = 0; i < instances.size(); ++i) {
    Made& own = made_[instances[i].module];
    own.class_name = made.name;
    for (const std::size_t p : order)
      own.arguments.push_back({names[p], values[p][i], defaults[p].has_value(), defaults[p] == values[p][i]});
  }
  for (const std::size_t p : order) made.parameters.push_back(names[p] + (defaults[p] ? "=" + *defaults[p] : ""));
  made.base = base_of(*instances[0].module);
  made.docstring = docstring_of(instances, values, names);
  for (const Code& member : instances[0].members) made.members.push_back(member.text());
  std::rotate(made.members.begin() + 1, made.members.end() - static_cast<std::ptrdiff_t>(instances[0].kept),
              made.members.end());
  made.forward = std::move(instances[0].forward);
  classes_.push_back(std::move(made));
}

// "height" for "8*height_by_8", and the sentence that says so. A size that is another part of it stays as it is.
std::pair<std::string, std::string> without_factors(const std::string& shapes) {
  static const std::regex kMultiple("([0-9]+)\\*([A-Za-z_]+)_by_\\1(?![0-9A-Za-z_])");
  const std::string plain = std::regex_replace(shapes, kMultiple, "$2");
  std::vector<std::string> words;
  for (std::sregex_iterator at(shapes.begin(), shapes.end(), kMultiple), end; at != end; ++at) {
    const std::string word = (*at)[2].str() + " of " + (*at)[1].str();
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  }
  if (words.empty() || plain.find("_by_") != std::string::npos) return {shapes, ""};
  return {plain, "Multiples: " + joined(words) + "."};
}

// The shapes that it takes and gives; a size that is not the same in all modules of the class by the name of the
// argument that is it.
std::string ClassBuilder::docstring_of(const std::vector<Instance>& instances,
                                       const std::vector<std::vector<std::string>>& values,
                                       const std::vector<std::string>& names) const {
  if (!instances[0].module->is_called) return "Parts that are called from outside, one by one.";
  std::vector<std::vector<Value>> inputs, outputs;
  for (const Instance& instance : instances) {
    inputs.push_back(inputs_of(*instance.module));
    outputs.push_back(outputs_of(*instance.module));
  }
  const auto size = [&](const std::vector<std::vector<Value>>& of, std::size_t value, std::size_t axis) -> std::string {
    std::vector<std::string> sizes;
    for (const auto& own : of) {
      const SymbolicShape& shape = tree_.types().of(own[value]).shape;
      if (axis >= shape.size()) return "...";
      sizes.push_back(shape[axis].str());
    }
    const bool is_one = std::ranges::all_of(sizes, [&](const std::string& each) { return each == sizes[0]; });
    const bool is_plain = is_python_name(sizes[0]) || sizes[0].find_first_not_of("0123456789") == std::string::npos;
    if (is_one && (is_plain || !instances[0].module->parent)) return sizes[0];
    for (std::size_t p = 0; p < values.size(); ++p)
      if (values[p] == sizes) return names[p];
    const std::string name = spatial_name(tree_.types().of(of[0][value]).shape.size(), axis);
    return name.empty() ? "..." : name;
  };
  const auto shape = [&](const std::vector<std::vector<Value>>& of, std::size_t value) {
    const TensorType& type = tree_.types().of(of[0][value]);
    std::vector<std::string> sizes;
    for (std::size_t axis = 0; axis < type.shape.size(); ++axis) sizes.push_back(plain_text(size(of, value, axis)));
    const std::string dtype = is_floating_point(type.dtype) ? "" : std::string(name_of(type.dtype)) + " ";
    return dtype + python_tuple(sizes);
  };
  const std::vector<std::string>& parameters = instances[0].forward.parameters;
  std::vector<std::string> taken, given;
  for (std::size_t i = 0; i < parameters.size(); ++i) taken.push_back(parameters[i] + ": " + shape(inputs, i));
  for (std::size_t i = 0; i < outputs[0].size(); ++i) given.push_back(shape(outputs, i));
  const auto [line, multiples] = without_factors(joined(taken) + " -> " + joined(given));
  if (line.size() <= 88 - 10) return multiples.empty() ? line : line + "\n\n    " + multiples + "\n    ";
  return "\n    Takes:\n        " + joined(taken, "\n        ") + "\n    Gives:\n        " +
         joined(given, "\n        ") + "\n    ";
}

}  // namespace

std::vector<SourceClass> classes_of(const ModuleTree& tree, const Calls& calls, const Model& model, Helpers& helpers) {
  return ClassBuilder(tree, calls, model, helpers).build();
}

}  // namespace h5bridge::torch_source
