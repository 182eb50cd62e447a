#include "pytorch/python_source/names.h"

#include <algorithm>
#include <array>
#include <map>

#include "facets/registry.h"

namespace h5bridge::torch_source {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::erase(text, '_');
  return text;
}

// Names that say what kind of layer it is, and nothing of what comes out.
bool says_nothing(const std::string& name, const Layer* layer) {
  static constexpr std::array kWords{"conv",
                                     "bn",
                                     "fc",
                                     "lin",
                                     "linear",
                                     "dense",
                                     "norm",
                                     "ln",
                                     "relu",
                                     "act",
                                     "pool",
                                     "layer",
                                     "block",
                                     "module",
                                     "activation",
                                     "batchnorm",
                                     "batchnormalization",
                                     "dropout",
                                     "drop",
                                     "flatten",
                                     "conv1d",
                                     "conv2d",
                                     "conv3d",
                                     "prelu",
                                     "proj"};
  const std::string bare = lower(without_count(name));
  if (bare.empty() || bare.size() > 20 || bare.starts_with("batchnorm")) return true;
  if (layer && lower(layer->type).starts_with(bare)) return true;
  return std::ranges::any_of(kWords, [&](const char* word) { return bare == word; });
}

std::string singular(const std::string& name) {
  if (name.size() > 3 && name.ends_with("ies")) return name.substr(0, name.size() - 3) + "y";
  if (name.size() > 2 && name.ends_with("s") && !name.ends_with("ss")) return name.substr(0, name.size() - 1);
  return name;
}

}  // namespace

std::string without_count(std::string name) {
  while (!name.empty() && ((name.back() >= '0' && name.back() <= '9') || name.back() == '_')) name.pop_back();
  return name;
}

std::string input_name(const Architecture& architecture, const std::string& input) {
  const std::string bare = lower(without_count(input));
  const bool says_little =
      bare.empty() || bare == "input" || bare == "inputlayer" || bare.starts_with("kerastensor") || bare == "inputs";
  if (architecture.inputs.size() == 1 && says_little) return "x";
  return variable_name(input, "x");
}

std::string operand_name(const ModuleTree& tree, const Calls& calls, const SourceModule& module, const Value& value) {
  const std::vector<Value> all = calls.inputs_of(module);
  if (all.size() == 1) return "x";
  if (const std::string& purpose = calls.purpose_of(value); !purpose.empty()) return purpose;
  for (const std::size_t user : calls.users_of(value)) {
    if (!calls.is_within(user, module)) continue;
    const Node& node = tree.architecture().nodes[user];
    const std::vector<Operand>& operands = Registry::instance().type_of(tree.layer_of(user)).operands;
    for (std::size_t i = 0; i < std::min(node.arguments.size(), operands.size()); ++i) {
      const auto* given = std::get_if<Value>(&node.arguments[i]);
      if (!given || *given != value) continue;
      const std::string& name = operands[i].name;
      if (name == "key" || name == "value" || name == "query" || name.find("mask") != std::string::npos) return name;
    }
    break;
  }
  return "x";
}

std::vector<std::string> value_names(const ModuleTree&, const Layer& layer, const SourceModule* module) {
  if (module) return module_names(*module);
  const std::size_t dot = layer.name.rfind('.');
  const std::string name = without_count(dot == std::string::npos ? layer.name : layer.name.substr(dot + 1));
  // A function's name is a verb as often as not.
  static constexpr std::array kNouns{"mean", "var", "std", "norm", "softmax", "mask", "cos", "sin"};
  if (std::ranges::any_of(kNouns, [&](const char* noun) { return name == noun; })) return {name};
  return {};
}

std::vector<std::string> module_names(const SourceModule& module) {
  const SourceModule* named = &module;
  while (named->parent && is_number(named->name)) named = named->parent;
  if (!named->parent || says_nothing(named->name, named->layer) || says_nothing(singular(named->name), nullptr))
    return {};
  const std::string name =
      variable_name(lower(named->name) == named->name ? named->name : without_count(named->name), "y");
  return {named == &module ? name : singular(name)};
}

std::string module_names_of_list(const SourceModule& list) { return singular(without_count(list.name)); }

bool is_flow_name(const std::string& name) {
  if (name == "x") return true;
  for (const char* general : kGeneralNames)
    if (without_count(name) == general) return true;
  return false;
}

std::string spatial_name(std::size_t rank, std::size_t axis) {
  if (rank == 4 && axis > 1) return axis == 2 ? "height" : "width";
  return rank == 3 && axis > 0 ? "length" : "";
}

// Words that are short in the names of modules, and not in those of classes.
std::string spelled_out(const std::string& name) {
  static const std::map<std::string, std::string> words{
      {"attn", "attention"}, {"mlp", "MLP"},   {"ffn", "FFN"}, {"cnn", "CNN"},      {"rnn", "RNN"},
      {"lstm", "LSTM"},      {"gru", "GRU"},   {"vit", "ViT"}, {"conv", "conv"},    {"fpn", "FPN"},
      {"rpn", "RPN"},        {"aspp", "ASPP"}, {"se", "SE"},   {"emb", "embedding"}};
  std::string result;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('_', begin), name.size());
    const std::string word = name.substr(begin, end - begin);
    const auto found = words.find(word);
    result += (result.empty() ? "" : "_") + (found == words.end() ? word : found->second);
    begin = end + 1;
  }
  return result;
}

// A convolution: the size of its window, and whether each channel has its own.
struct Convolution {
  std::int64_t window;
  bool is_depthwise;
};

// Pooled to one element, and two layers that say how much of each channel stays.
bool is_squeeze_excitation(const SourceModule& module) {
  std::size_t pools = 0, layers = 0;
  for (const auto& child : module.children) {
    if (!child->layer) return false;
    const std::string& type = child->layer->type;
    const Attributes& a = child->layer->attributes;
    if (type.starts_with("AdaptiveAvgPool")) ++pools;
    if (type == "Linear") ++layers;
    if (!type.starts_with("Conv")) continue;
    for (const Size& size : a.open_integers("kernel_size"))
      if (size.value() != 1) return false;
    ++layers;
  }
  return pools == 1 && layers == 2 && module.children.size() <= 6;
}

void collect_convolutions(const SourceModule& module, std::vector<Convolution>& found) {
  if (is_squeeze_excitation(module)) return;
  if (module.layer) {
    const Attributes& a = module.layer->attributes;
    if (!a.contains("groups") || !a.contains("in_channels") || !a.contains("kernel_size")) return;
    const SymbolicShape windows = a.open_integers("kernel_size");
    const std::int64_t groups = a.integer("groups");
    found.push_back({windows[0].value().value_or(0), groups > 1 && groups == a.integer("in_channels")});
  }
  for (const auto& child : module.children)
    if (child->name != "downsample" && child->name != "shortcut") collect_convolutions(*child, found);
}

bool has_squeeze_excitation(const SourceModule& module) {
  return std::ranges::any_of(module.children, [](const auto& child) {
    return is_squeeze_excitation(*child) || has_squeeze_excitation(*child);
  });
}

// What blocks of convolutions have been called since ResNet and MobileNet; empty for others.
std::string class_of_convolutions(const SourceModule& module) {
  std::vector<Convolution> found;
  collect_convolutions(module, found);
  const auto depthwise = std::ranges::find(found, true, &Convolution::is_depthwise) - found.begin();
  const std::string squeezed = has_squeeze_excitation(module) ? "SE" : "";
  if (found.size() == 2 && depthwise == 0) return squeezed + "SeparableConv";
  if (found.size() == 3 && depthwise == 1 && found[0].window == 1 && found[2].window == 1)
    return squeezed + "InvertedBottleneck";
  if (depthwise < static_cast<std::ptrdiff_t>(found.size())) return "";
  const auto has_windows = [&](std::vector<std::int64_t> windows) {
    return std::ranges::equal(found, windows, {}, &Convolution::window);
  };
  const std::string known = has_windows({3, 3}) ? "BasicBlock" : has_windows({1, 3, 1}) ? "Bottleneck" : "";
  return known.empty() ? known : squeezed + known;
}

std::string class_for(const SourceModule& module) {
  if (module.parent && is_squeeze_excitation(module)) return "SqueezeExcitation";
  if (!is_number(module.name)) {
    const std::string bare = without_count(module.name);
    return class_name(spelled_out(bare.empty() ? module.name : bare), "Block");
  }
  if (const std::string known = class_of_convolutions(module); !known.empty() && module.children.size() < 12)
    return known;
  const SourceModule* named = module.parent;
  while (named->parent && is_number(named->name)) named = named->parent;
  const std::string one = class_name(singular(without_count(named->name)), "Block");
  const SourceModule* around = named->parent;
  const bool is_plain = one == "Layer" || one == "Block" || one.size() < 3;
  if (is_plain && around && around->parent && !is_number(around->name))
    return class_name(spelled_out(around->name), "") + (one.size() < 3 ? "Block" : one);
  return is_plain ? "Block" : one.ends_with("Block") || one.ends_with("Layer") ? one : one + "Block";
}

// "DoubleConv" of convolutions that come twice with the same kinds of layers behind them; empty for any other chain.
std::string repeated_convolution(const SourceModule& module) {
  std::vector<std::string> kinds;
  for (const auto& child : module.children) kinds.push_back(child->layer ? child->layer->type : "");
  for (const auto& [times, word] : {std::pair<std::size_t, const char*>{2, "Double"}, {3, "Triple"}}) {
    const std::size_t period = kinds.size() / times;
    if (period < 2 || kinds.size() % times != 0 || !kinds[0].starts_with("Conv")) continue;
    if (std::equal(kinds.begin() + static_cast<std::ptrdiff_t>(period), kinds.end(), kinds.begin()))
      return std::string(word) + "Conv";
  }
  return "";
}

std::string class_of_chain(const SourceModule& module) {
  if (module.children.size() > 3) {
    if (const std::string repeated = repeated_convolution(module); !repeated.empty()) return repeated;
    const std::string name = class_for(module);
    return says_nothing(module.name, nullptr) && !name.ends_with("Block") ? name + "Block" : name;
  }
  std::string result;
  for (const auto& child : module.children) {
    if (!child->layer) return class_for(module);
    std::string kind = child->layer->type;
    if (kind.ends_with("d") && kind.size() > 2 && kind[kind.size() - 2] >= '1' && kind[kind.size() - 2] <= '3')
      kind.resize(kind.size() - 2);
    result += kind == "BatchNorm" ? "BN" : kind;
  }
  return result;
}

std::string class_of_network(const Architecture& architecture) {
  const std::string name = class_name(architecture.name, "Network");
  const std::string bare = lower(without_count(name));
  return bare.empty() || bare == "functional" || bare == "sequential" || bare == "model" ? "Network" : name;
}

}  // namespace h5bridge::torch_source
