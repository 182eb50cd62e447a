#include "pytorch/script/modules.h"

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "pytorch/script/library.h"
#include "pytorch/script/text.h"
#include "pytorch/source/classes.h"
#include "pytorch/source/names.h"

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

// The forward of a layer's class; empty where there is none.
std::string forward_of_layer(const ModuleTree& tree, const Layer& layer) {
  const TorchSource& source = tree.source_of(layer);
  if (source.script) return source.script(layer);
  const Constructor made = source.constructor(layer);
  Arguments arguments;
  for (const ConstructorArgument& argument : made.arguments) arguments[argument.name] = argument.text;
  for (const PythonHelper* helper : made.helpers)
    if (made.callee == helper->name) return helper->script ? filled(helper->script, arguments) : "";
  return forward_of_class(made.callee, arguments);
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
  std::unique_ptr<ScriptModule> holder(const std::string& path, const std::string& file, const std::string& name,
                                       const std::vector<OwnedTensor>& tensors, const std::string& forward,
                                       const std::string& reads,
                                       std::vector<std::pair<std::string, std::unique_ptr<ScriptModule>>> children);
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
void check_member(const std::string& path, const std::string& name) {
  static constexpr std::array kOwn{"forward",  "training", "_is_full_backward_hook", "_modules", "_parameters",
                                   "_buffers", "_c"};
  const bool is_ascii =
      std::ranges::all_of(name, [](char letter) { return static_cast<unsigned char>(letter) < 0x80; });
  if (!is_ascii || name.starts_with("__") || std::ranges::find(kOwn, name) != kOwn.end())
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

std::unique_ptr<ScriptModule> ScriptBuilder::holder(
    const std::string& path, const std::string& file, const std::string& name, const std::vector<OwnedTensor>& tensors,
    const std::string& forward, const std::string& reads,
    std::vector<std::pair<std::string, std::unique_ptr<ScriptModule>>> children) {
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
      check_member(prefix + tensor.name, tensor.name);
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
    check_member(prefix + child, child);
    declared += declaration(child, made->class_name);
    needs_annotations = needs_annotations || !is_python_name(child);
    members.insert(child);
    result->attributes.emplace_back(child, std::move(made));
  }
  // What the code reads and the module lacks: a bias that there is not.
  static const std::regex kMember("self\\.([A-Za-z_][A-Za-z0-9_]*)");
  if (file == "layers")
    for (std::sregex_iterator at(reads.begin(), reads.end(), kMember), end; at != end; ++at)
      if (const std::string read = (*at)[1];
          read != "training" && reads.find("def " + read + "(") == std::string::npos && members.insert(read).second) {
        declared += declaration(read, "NoneType");
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

std::unique_ptr<ScriptModule> ScriptBuilder::module(const SourceModule& source) {
  std::vector<OwnedTensor> tensors;
  if (source.layer)
    for (const ParameterSpec& own : Registry::instance().type_of(*source.layer).parameters(source.layer->attributes))
      tensors.push_back({own.name, own.role == Role::Parameter});
  std::vector<std::pair<std::string, std::unique_ptr<ScriptModule>>> children;
  for (const auto& child : source.children) {
    if (child->tensor) {
      tensors.push_back({child->name, child->tensor->is_parameter});
      continue;
    }
    if (!child->layer && child->children.empty()) continue;  // a layer's own tensor, which another layer reads
    children.emplace_back(child->name, module(*child));
  }
  if (source.layer) {
    const Constructor made = tree_.source_of(*source.layer).constructor(*source.layer);
    const std::string forward = text_.translated(forward_of_layer(tree_, *source.layer));
    return holder(source.path, "layers", last_part(made.callee), tensors, forward, forward, std::move(children));
  }
  const std::string name = source.parent ? class_for(source) : class_of_network(tree_.architecture());
  return holder(source.path, source.parent ? "modules" : "", name, tensors, text_.translated(forward_of(source)), "",
                std::move(children));
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

// What TorchScript has other words for, which are not written yet.
struct NotYet {
  std::string_view type;
  bool (*is_meant)(const Attributes&);
};

bool is_padded_as_keras_does(const Attributes& a) {
  const auto* word = std::get_if<std::string>(&a.at("padding"));
  return word && *word == "same";
}

bool keeps_an_axis(const Attributes& a) { return std::ranges::count(a.open_integers("output_size"), Size(kNone)) > 0; }

constexpr NotYet kNotYet[]{
    {"AdaptiveAvgPool2d", keeps_an_axis},
    {"AdaptiveAvgPool3d", keeps_an_axis},
    {"AvgPool2d", is_padded_as_keras_does},
    {"AvgPool3d", is_padded_as_keras_does},
    {"AdaptiveMaxPool2d", [](const Attributes&) { return true; }},
    {"AdaptiveMaxPool3d", [](const Attributes&) { return true; }},
    {"MultiheadAttention", [](const Attributes& a) { return !a.is_none("num_key_value_heads"); }},
    {"Normalization", [](const Attributes&) { return true; }},
    {"Upsample", [](const Attributes& a) { return a.text("mode").starts_with("lanczos"); }},
    {"normalize", [](const Attributes& a) { return a.number("p") != 2; }},
};

bool is_not_yet(const Layer& layer) {
  return std::ranges::any_of(
      kNotYet, [&](const NotYet& each) { return each.type == layer.type && each.is_meant(layer.attributes); });
}

// All layers without TorchScript are named at once.
void check_layers(const ModuleTree& tree) {
  std::string problems;
  for (const Layer& layer : tree.architecture().layers) {
    const SourceModule* own = tree.module_of(layer);
    const bool is_module = own && own->layer;
    if (is_not_yet(layer) || (is_module && forward_of_layer(tree, layer).empty()))
      problems += (problems.empty() ? "" : "; ") + describe(layer) + " has no TorchScript";
  }
  if (!problems.empty()) throw Unsupported(problems);
}

}  // namespace

Script script_of(const Model& model) {
  ModuleTree tree(model, Language::TorchScript);
  check_layers(tree);
  Calls calls(tree);
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
