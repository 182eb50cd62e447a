#include "pytorch/torchscript_code/modules.h"

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "pytorch/python_source/classes.h"
#include "pytorch/python_source/names.h"
#include "pytorch/torchscript_code/library.h"
#include "pytorch/torchscript_code/text.h"

namespace h5bridge::torch_script {
namespace {

using namespace torch_source;

std::string indented(const std::string& text, const std::string& margin) {
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) result += margin + text.substr(begin, end - begin);
    result += "\n";
    begin = end + 1;
  }
  return result;
}

// A tensor of a module, or of one within it by a dotted name.
struct OwnedTensor {
  std::string name;  // "out_proj.weight"
  bool is_parameter;
};

// The definition of a method among those of a class; empty where it is not there.
std::string method_of(const std::string& methods, const std::string& name) {
  const std::size_t begin = ("\n" + methods).find("\ndef " + name + "(");
  if (begin == std::string::npos) return "";
  const std::size_t end = methods.find("\ndef ", begin);
  return end == std::string::npos ? methods.substr(begin) : methods.substr(begin, end + 1 - begin);
}

// The methods of a helper's class, before them those of the classes that it needs, which it calls and does not have.
std::string methods_of(const PythonHelper& helper) {
  if (!helper.script) return "";
  static const std::regex kCalled("self\\.([A-Za-z_][A-Za-z0-9_]*)\\(");
  std::string result = helper.script;
  for (const PythonHelper* other : helper.needs) {
    if (!other) continue;
    const std::string theirs = methods_of(*other), ours = result;
    std::set<std::string> called;
    for (std::sregex_iterator at(ours.begin(), ours.end(), kCalled), end; at != end; ++at) called.insert((*at)[1]);
    for (const std::string& name : called)
      if (method_of(ours, name).empty()) result.insert(0, method_of(theirs, name));
  }
  return result;
}

// The methods of a layer's class; empty where there are none.
std::string forward_of_layer(const TorchSource& source, const Layer& layer) {
  if (source.script) return source.script(layer);
  const Constructor made = source.constructor(layer);
  Arguments arguments;
  for (const ConstructorArgument& argument : made.arguments) arguments[argument.name] = argument.text;
  if (const auto stride = arguments.find("stride"); stride != arguments.end() && stride->second == "None")
    stride->second = arguments.at("kernel_size");
  for (const PythonHelper* helper : made.helpers)
    if (made.callee == helper->name) return filled(methods_of(*helper), arguments);
  return forward_of_class(made.callee, arguments);
}

using Children = std::vector<std::pair<std::string, std::unique_ptr<ScriptModule>>>;

// The methods of a layer, of which those of the network have its forward under another name.
std::string as_base(const std::string& methods) {
  static const std::regex kForward("(def |self\\.)forward\\(");
  return std::regex_replace(methods, kForward, std::string("$1") + kForwardOfBase + "(");
}

class ScriptBuilder {
 public:
  ScriptBuilder(const ModuleTree& tree, const Calls& calls, const Model& model, const Helpers& helpers,
                std::map<const SourceModule*, Forward> forwards)
      : tree_(tree), calls_(calls), model_(model), text_(helpers.all()), forwards_(std::move(forwards)) {}

  Script build() {
    Script script;
    script.root = std::move(*module(tree_.root()));
    for (auto& [file, classes] : files_) script.code.emplace_back("__torch__/" + file + ".py", std::move(classes));
    script.code.emplace_back("__torch__.py", std::move(root_class_));
    if (const std::string functions = text_.functions(); !functions.empty())
      script.code.emplace_back("__torch__/functional.py", functions);
    return script;
  }

 private:
  std::unique_ptr<ScriptModule> module(const SourceModule& source);
  std::unique_ptr<ScriptModule> held_module(const std::string& path, const Layer& layer);
  std::unique_ptr<ScriptModule> layer_module(const std::string& path, const Layer& layer, const TorchSource& source,
                                             std::vector<OwnedTensor> more, Children more_children);
  std::string take_layer(const std::string& path, const Layer& layer, const TorchSource& source,
                         std::vector<OwnedTensor>& tensors, Children& children);
  std::unique_ptr<ScriptModule> holder(const std::string& path, const std::string& file, const std::string& name,
                                       const std::vector<OwnedTensor>& tensors, const std::string& forward,
                                       const std::string& reads, Children children);
  std::string class_named(const std::string& file, const std::string& wanted, const std::string& body);
  std::string forward_of(const SourceModule& source) const;

  const ModuleTree& tree_;
  const Calls& calls_;
  const Model& model_;
  Translator text_;
  std::map<const SourceModule*, Forward> forwards_;
  std::map<std::string, std::string> files_;                         // of classes
  std::map<std::string, std::map<std::string, std::string>> names_;  // by file, of classes by their bodies
  std::set<std::string> taken_;
  std::string root_class_;
};

std::string ScriptBuilder::class_named(const std::string& file, const std::string& wanted, const std::string& body) {
  if (file.empty()) {
    root_class_ = "class " + wanted + "(Module):\n" + body;
    return "__torch__." + wanted;
  }
  auto& known = names_[file];
  if (const auto found = known.find(body); found != known.end()) return found->second;
  std::string name = wanted;
  for (int number = 1; !taken_.insert(file + "." + name).second; ++number) name = wanted + "_" + std::to_string(number);
  files_[file] += "class " + name + "(Module):\n" + body;
  return known[body] = "__torch__." + file + "." + name;
}

// A member has to be none that torch.jit's modules have themselves.
void check_member(const std::string& path, const std::string& name, bool has_forward) {
  static constexpr std::array kOwn{"training", "_is_full_backward_hook", "_modules", "_parameters", "_buffers", "_c"};
  if ((has_forward && name == "forward") || name.starts_with("__") || std::ranges::find(kOwn, name) != kOwn.end())
    throw Unsupported("layer \"" + plain_text(path) + "\": TorchScript's modules have no place for a member named \"" +
                      plain_text(name) + "\"");
}

// Of the code that reads a module's members what it reads of one of them: "self.bias" of "self.out_proj.bias".
std::string reads_of(const std::string& code, const std::string& member) {
  const std::string begin = "self." + member + ".";
  std::string result;
  for (std::size_t at = code.find(begin); at != std::string::npos; at = code.find(begin, at)) {
    at += begin.size();
    result += "self." + code.substr(at, code.find_first_of(" ,)[.\n", at) - at) + "\n";
  }
  return result;
}

std::string declaration(const std::string& name, const std::string& type) {
  return is_python_name(name) ? "  " + name + " : " + type + "\n"
                              : "  __annotations__[" + literal(name) + "] = " + type + "\n";
}

std::unique_ptr<ScriptModule> ScriptBuilder::holder(const std::string& path, const std::string& file,
                                                    const std::string& name, const std::vector<OwnedTensor>& tensors,
                                                    const std::string& forward, const std::string& reads,
                                                    Children children) {
  auto result = std::make_unique<ScriptModule>();
  const std::string prefix = path.empty() ? "" : path + ".";
  std::string lists[2], declared;
  std::set<std::string> members;
  bool needs_annotations = false;
  // Those of modules within, by the first part of their names.
  std::vector<std::pair<std::string, std::vector<OwnedTensor>>> inner;
  for (const bool parameters : {true, false})
    for (const OwnedTensor& tensor : tensors) {
      if (tensor.is_parameter != parameters) continue;
      if (const std::size_t dot = tensor.name.find('.'); dot != std::string::npos) {
        const std::string first = tensor.name.substr(0, dot);
        auto found = std::ranges::find(inner, first, &std::pair<std::string, std::vector<OwnedTensor>>::first);
        if (found == inner.end()) found = inner.insert(inner.end(), {first, {}});
        found->second.push_back({tensor.name.substr(dot + 1), tensor.is_parameter});
        continue;
      }
      check_member(prefix + tensor.name, tensor.name, !forward.empty());
      lists[parameters ? 0 : 1] += literal(tensor.name) + ", ";
      declared += declaration(tensor.name, "Tensor");
      needs_annotations = needs_annotations || !is_python_name(tensor.name);
      result->attributes.emplace_back(tensor.name, prefix + tensor.name);
      members.insert(tensor.name);
    }
  for (const auto& [first, own] : inner) {
    const std::string inside = reads_of(reads, first);
    children.emplace_back(first, holder(prefix + first, "layers", "Module", own, "", inside, {}));
  }
  declared += "  training : bool\n  _is_full_backward_hook : NoneType\n";
  result->attributes.emplace_back("training", false);
  result->attributes.emplace_back("_is_full_backward_hook", std::monostate{});
  for (auto& [child, made] : children) {
    check_member(prefix + child, child, !forward.empty());
    declared += declaration(child, made->class_name);
    needs_annotations = needs_annotations || !is_python_name(child);
    members.insert(child);
    result->attributes.emplace_back(child, std::move(made));
  }
  // What the code reads and the module lacks: a bias that there is not. What it sets is kept for the next call.
  static const std::regex kMember("self\\.([A-Za-z_][A-Za-z0-9_]*)");
  if (!reads.empty())
    for (std::sregex_iterator at(reads.begin(), reads.end(), kMember), end; at != end; ++at)
      if (const std::string read = (*at)[1];
          read != "training" && reads.find("def " + read + "(") == std::string::npos && members.insert(read).second) {
        const bool is_kept = reads.find("self." + read + " = ") != std::string::npos;
        declared += declaration(read, is_kept ? "Optional[Tensor]" : "NoneType");
        result->attributes.emplace_back(read, std::monostate{});
      }
  std::string body = "  __parameters__ = [" + lists[0] + "]\n  __buffers__ = [" + lists[1] + "]\n";
  if (needs_annotations) body += "  __annotations__ = []\n";
  body += declared;
  body += indented(forward, "  ");
  result->class_name = class_named(file, name, body);
  return result;
}

// "Conv2d" of "nn.Conv2d".
std::string last_part(const std::string& dotted) { return dotted.substr(dotted.rfind('.') + 1); }

std::string ScriptBuilder::forward_of(const SourceModule& source) const {
  const auto found = forwards_.find(&source);
  if (found == forwards_.end()) return "";
  std::string result = "def forward(self";
  for (const std::string& parameter : found->second.parameters) result += ", " + parameter + ": Tensor";
  std::string type = "Tensor";
  const std::vector<Output>& outputs = tree_.architecture().outputs;
  const bool is_dict = !source.parent && std::ranges::all_of(outputs, [](const Output& o) { return !o.name.empty(); });
  const std::size_t count = source.parent ? calls_.outputs_of(source).size() : outputs.size();
  if (is_dict) {
    type = "Dict[str, Tensor]";
  } else if (count != 1) {
    type = "";
    for (std::size_t i = 0; i < count; ++i) type += i ? ", Tensor" : "Tensor";
    type = "Tuple[" + type + "]";
  }
  result += ") -> " + type + ":\n";
  for (const std::string& statement : found->second.statements) result += "  " + statement + "\n";
  return result;
}

// A layer that another one holds, as an element of a list.
std::unique_ptr<ScriptModule> ScriptBuilder::held_module(const std::string& path, const Layer& layer) {
  return layer_module(path, layer, torch_source_of(layer), {}, {});
}

// Puts what a layer holds before what there is, and gives its methods.
std::string ScriptBuilder::take_layer(const std::string& path, const Layer& layer, const TorchSource& source,
                                      std::vector<OwnedTensor>& tensors, Children& children) {
  const std::string prefix = path.empty() ? "" : path + ".";
  std::vector<std::string> lists;
  for (const auto& [name, value] : layer.attributes) {
    const auto* held = std::get_if<std::vector<Layer>>(&value);
    if (!held) continue;
    Children elements;
    for (std::size_t i = 0; i < held->size(); ++i) {
      const std::string number = std::to_string(i);
      elements.emplace_back(number, held_module(prefix + name + "." + number, (*held)[i]));
    }
    children.emplace_back(name, holder(prefix + name, "layers", "Module", {}, "", "", std::move(elements)));
    lists.push_back(name + ".");
  }
  std::vector<OwnedTensor> own_tensors;
  for (const ParameterSpec& own : Registry::instance().type_of(layer).parameters(layer.attributes))
    if (std::ranges::none_of(lists, [&](const std::string& list) { return own.name.starts_with(list); }))
      own_tensors.push_back({own.name, own.role == Role::Parameter});
  tensors.insert(tensors.begin(), own_tensors.begin(), own_tensors.end());
  return text_.translated(forward_of_layer(source, layer));
}

// `more`: tensors and modules that stand within it beside its own.
std::unique_ptr<ScriptModule> ScriptBuilder::layer_module(const std::string& path, const Layer& layer,
                                                          const TorchSource& source, std::vector<OwnedTensor> more,
                                                          Children more_children) {
  const std::string methods = take_layer(path, layer, source, more, more_children);
  return holder(path, "layers", last_part(source.constructor(layer).callee), more, methods, methods,
                std::move(more_children));
}

std::unique_ptr<ScriptModule> ScriptBuilder::module(const SourceModule& source) {
  std::vector<OwnedTensor> tensors;
  std::vector<std::pair<std::string, std::unique_ptr<ScriptModule>>> children;
  for (const auto& child : source.children) {
    if (child->is_base()) continue;
    if (child->tensor) {
      tensors.push_back({child->name, child->tensor->is_parameter});
      continue;
    }
    if (!child->layer && child->children.empty()) continue;  // a layer's own tensor, which another layer reads
    children.emplace_back(child->name, module(*child));
  }
  if (source.layer)
    return layer_module(source.path, *source.layer, tree_.source_of(*source.layer), std::move(tensors),
                        std::move(children));
  const std::string name = source.parent ? class_for(source) : class_of_network(tree_.architecture());
  std::string methods;
  if (const SourceModule* base = source.base())
    methods = as_base(take_layer("", *base->layer, tree_.source_of(*base->layer), tensors, children));
  return holder(source.path, source.parent ? "modules" : "", name, tensors,
                methods + text_.translated(forward_of(source)), methods, std::move(children));
}

void collect_forwards(const ModuleTree& tree, const Calls& calls, const SourceModule& module, Helpers& helpers,
                      std::map<const SourceModule*, Forward>& forwards) {
  for (const auto& child : module.children) collect_forwards(tree, calls, *child, helpers, forwards);
  if (module.layer) {
    const Constructor made = tree.source_of(*module.layer).constructor(*module.layer);
    for (const PythonHelper* helper : made.helpers) helpers.need(*helper);
  }
  if (!module.parent || (module.is_called && !module.is_leaf()))
    forwards[&module] = torch_source::forward_of(tree, calls, module, helpers);
}

// What has a member of that name can have no method of it: its parts are called by whoever holds it.
void dissolve_those_with_forward(const SourceModule& module, Calls& calls) {
  for (const auto& child : module.children) dissolve_those_with_forward(*child, calls);
  if (module.parent && module.is_called && !module.is_leaf() && module.find("forward")) calls.dissolve(module);
}

// All layers without TorchScript are named at once.
void check_layers(const ModuleTree& tree) {
  std::string problems;
  for (const Layer& layer : tree.architecture().layers) {
    const SourceModule* own = tree.module_of(layer);
    if (own && own->layer && forward_of_layer(tree.source_of(layer), layer).empty())
      problems += (problems.empty() ? "" : "; ") + describe(layer) + " has no TorchScript";
  }
  if (!problems.empty()) throw Unsupported(problems);
}

}  // namespace

Script script_of(const Model& model) {
  ModuleTree tree(model, Language::TorchScript);
  check_layers(tree);
  Calls calls(tree);
  dissolve_those_with_forward(tree.root(), calls);
  for (;;) {
    try {
      Helpers helpers;
      std::map<const SourceModule*, Forward> forwards;
      for (int i = 0; i < 2; ++i) {  // once to see which helpers there are, whose names nothing else may have then
        forwards.clear();
        collect_forwards(tree, calls, tree.root(), helpers, forwards);
      }
      return ScriptBuilder(tree, calls, model, helpers, std::move(forwards)).build();
    } catch (const SizeOutOfReach& unknown) {
      if (!unknown.module->parent)
        throw Unsupported("its size " + unknown.size + " does not follow from the network's inputs");
      calls.dissolve(*unknown.module);
    }
  }
}

}  // namespace h5bridge::torch_script
