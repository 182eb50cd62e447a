#include "facets/torch_source/signature.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "facets/registry.h"
#include "facets/torch_source/fused_activation.h"

namespace h5bridge {
namespace {

struct Part {
  std::string keyword;  // as Python calls it
  std::string name;     // of an operand or an attribute
  bool by_name = false;
  bool spread = false;
};

struct Signature {
  std::string callee;  // "torch.cat", "input.permute"
  std::vector<Part> parts;
  bool names(std::string_view attribute) const {
    return std::ranges::find(parts, attribute, &Part::name) != parts.end();
  }
  /// The operand that a method is called on; empty for a function.
  std::string receiver(const LayerType& type) const {
    const std::string first = callee.substr(0, callee.find('.'));
    return std::ranges::find(type.operands, first, &Operand::name) == type.operands.end() ? "" : first;
  }
};

std::vector<std::string> words_of(std::string_view text, std::string_view separators) {
  std::vector<std::string> result;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(separators, begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
    result.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return result;
}

Signature parse(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')'))
    throw std::logic_error("no signature: " + std::string(text));
  Signature result{std::string(text.substr(0, open)), {}};
  bool by_name = false;
  for (const std::string& word : words_of(text.substr(open + 1, text.size() - open - 2), ", ")) {
    if (word == "*") {
      by_name = true;
      continue;
    }
    Part part{.keyword = word, .name = word, .by_name = by_name};
    if (word[0] == '*') part = {.keyword = word.substr(1), .name = word.substr(1), .by_name = false, .spread = true};
    if (const std::size_t equals = word.find('='); equals != std::string::npos)
      part = {.keyword = word.substr(0, equals), .name = word.substr(equals + 1), .by_name = by_name};
    result.parts.push_back(std::move(part));
  }
  return result;
}

// What Keras has around PyTorch's layers, which `wrapped` sees to, and what PyTorch leaves to train() and eval().
bool is_wrapped(std::string_view attribute) {
  return attribute == "activation" || attribute == "activation_axis" || attribute == "data_format" ||
         attribute == "training";
}

bool is_at_default(const AttributeSpec& spec, const Attributes& attributes) {
  return spec.fallback && attributes.at(spec.name) == *spec.fallback;
}

// An attribute is left out of a call at its default; one that is required never is.
std::optional<std::string> attribute_text(const SourceCall& call, const std::string& name) {
  const AttributeSpec* spec = call.type.find_attribute(name);
  if (!spec) throw std::logic_error(call.type.name + " has no operand and no attribute " + name);
  if (is_at_default(*spec, call.attributes())) return std::nullopt;
  return python_value(call, name).text;
}

std::optional<std::string> argument_text(const SourceCall& call, const std::string& name) {
  const auto index = call.index_of(name);
  if (!index) return attribute_text(call, name);
  const Operand& operand = call.type.operands[*index];
  if (operand.is_list()) {
    std::vector<std::string> elements;
    for (const Python& element : call.list(name)) elements.push_back(element.text);
    return python_list(elements);
  }
  if (const auto given = call.operand(name)) return given->text;
  if (!operand.attribute.empty() && !call.attributes().is_none(operand.attribute))
    return python_value(call.type, call.attributes(), operand.attribute).text;
  return std::nullopt;
}

// PyTorch takes sizes or axes one by one, but not if there are none.
std::vector<std::string> spread_texts(const SourceCall& call, const std::string& name) {
  std::vector<std::string> result;
  if (call.index_of(name)) {
    for (const Python& element : call.list(name)) result.push_back(element.text);
    return result;
  }
  const AttributeValue& value = call.attributes().at(name);
  if (const auto* sizes = std::get_if<SymbolicShape>(&value))
    for (const Size& size : *sizes) result.push_back(call.place.size(size).text);
  else
    for (const std::int64_t element : std::get<std::vector<std::int64_t>>(value))
      result.push_back(std::to_string(element));
  if (result.empty()) result.emplace_back("()");
  return result;
}

// An operand that is left out has the arguments behind it given by name.
std::string arguments_of(const Signature& signature, const SourceCall& call, const std::string& receiver) {
  std::vector<std::string> arguments;
  bool by_name = false;
  for (const Part& part : signature.parts) {
    if (!receiver.empty() && part.name == receiver) continue;
    if (part.spread) {
      for (std::string& text : spread_texts(call, part.name)) arguments.push_back(std::move(text));
      continue;
    }
    const auto text = argument_text(call, part.name);
    if (!text)
      by_name = true;
    else
      arguments.push_back(by_name || part.by_name ? part.keyword + "=" + *text : *text);
  }
  return joined(arguments);
}

Python call_of(const Signature& signature, const SourceCall& call) {
  const std::string receiver = signature.receiver(call.type);
  if (receiver.empty()) return signature.callee + "(" + arguments_of(signature, call, "") + ")";
  const std::string object = call.operand(receiver).value().receiver();
  return object + signature.callee.substr(receiver.size()) + "(" + arguments_of(signature, call, receiver) + ")";
}

Constructor constructor_of(const Signature& signature, const Layer& layer) {
  const LayerType& type = Registry::instance().type_of(layer);
  Constructor result{signature.callee};
  for (const Part& part : signature.parts) {
    const AttributeSpec* spec = type.find_attribute(part.name);
    if (!spec) throw std::logic_error(type.name + " has no attribute " + part.name);
    result.arguments.push_back({part.keyword, python_value(type, layer.attributes, part.name).text, part.by_name,
                                is_at_default(*spec, layer.attributes)});
  }
  return result;
}

// What has an attribute in an operand's place names it as well.
std::string unnamed_settings(const Signature& signature, const Layer& layer) {
  const LayerType& type = Registry::instance().type_of(layer);
  for (const AttributeSpec& spec : type.attributes) {
    const bool in_place = std::ranges::any_of(type.operands, [&](const Operand& operand) {
      return operand.attribute == spec.name &&
             (signature.names(operand.name) || signature.receiver(type) == operand.name);
    });
    if (signature.names(spec.name) || in_place || is_wrapped(spec.name)) continue;
    if (!is_at_default(spec, layer.attributes)) return spec.name;
  }
  return "";
}

// The attribute among those of a constructor that holds an open size, which a module cannot know before it is called.
std::string open_setting(const Signature& signature, const Layer& layer) {
  for (const auto& [name, value] : layer.attributes) {
    const auto* size = std::get_if<Size>(&value);
    const auto* sizes = std::get_if<SymbolicShape>(&value);
    if (((size && size->is_open()) || (sizes && !fixed(*sizes))) && signature.names(name)) return name;
  }
  return "";
}

// A module called with all that is given, in order; lists as tuples.
Python plain_module_call(const SourceCall& call) {
  std::vector<std::string> arguments;
  bool by_name = false;
  for (std::size_t i = 0; i < call.operands.size(); ++i) {
    const Operand& operand = call.type.operands.at(i);
    if (call.operands[i].empty()) {
      by_name = true;
      continue;
    }
    std::vector<std::string> elements;
    for (const auto& element : call.operands[i]) elements.push_back(element.value_or("None").text);
    const std::string text = operand.is_list() ? python_tuple(elements) : elements.at(0);
    arguments.push_back(by_name || operand.by_name ? operand.name + "=" + text : text);
  }
  return call.self + "(" + joined(arguments) + ")";
}

std::string last_part(const std::string& dotted) { return dotted.substr(dotted.rfind('.') + 1); }

}  // namespace

Python call_of(std::string_view signature, const SourceCall& call) { return call_of(parse(signature), call); }

Constructor constructor_of(std::string_view signature, const Layer& layer) {
  return constructor_of(parse(signature), layer);
}

std::string unnamed_settings(std::string_view signature, const Layer& layer) {
  return unnamed_settings(parse(signature), layer);
}

Python wrapped(const SourceCall& call, const std::function<Python(const SourceCall&)>& inner) {
  const Attributes& a = call.attributes();
  const bool moves = a.contains("data_format") && a.text("data_format") != "channels_first";
  SourceCall moved = call;
  if (moves) {
    if (call.outputs.size() > 1) throw Unsupported("with channels last and several outputs it has no Python source");
    moved.operands.at(0).at(0) = call.input().receiver() + ".movedim(-1, 1)";
  }
  Python result = inner(moved);
  if (moves) result = result.receiver() + ".movedim(1, -1)";
  if (!a.contains("activation") || a.text("activation") == "linear") return result;
  return with_activation(call, std::move(result));
}

TorchSource torch_module_as(std::string type, std::string_view text) {
  const Signature signature = parse(text);
  TorchSource result;
  result.type = std::move(type);
  result.misfit = [signature](const Layer& layer) {
    const std::string unnamed = unnamed_settings(signature, layer);
    return unnamed.empty() ? open_setting(signature, layer) : unnamed;
  };
  result.constructor = [signature](const Layer& layer) { return constructor_of(signature, layer); };
  result.call = [](const SourceCall& call) { return wrapped(call, plain_module_call); };
  result.calls_module_plainly = true;
  return result;
}

TorchSource torch_module(std::string_view signature) {
  return torch_module_as(last_part(parse(signature).callee), signature);
}

TorchSource torch_module(std::string_view signature, std::string_view function) {
  TorchSource result = torch_module(signature);
  const Signature said = parse(function);
  result.function = [said](const SourceCall& call) {
    return wrapped(call, [&](const SourceCall& inner) { return call_of(said, inner); });
  };
  result.function_name = last_part(said.callee);
  return result;
}

std::vector<TorchSource> torch_modules(std::string_view names, std::string_view arguments) {
  std::vector<TorchSource> result;
  for (const std::string& name : words_of(names, " "))
    result.push_back(torch_module("nn." + name + "(" + std::string(arguments) + ")"));
  return result;
}

TorchSource torch_function_as(std::string type, std::string_view text) {
  const Signature signature = parse(text);
  TorchSource result;
  result.type = std::move(type);
  result.misfit = [signature](const Layer& layer) { return unnamed_settings(signature, layer); };
  result.call = [signature](const SourceCall& call) {
    return wrapped(call, [&](const SourceCall& inner) { return call_of(signature, inner); });
  };
  return result;
}

TorchSource torch_function(std::string_view signature) {
  return torch_function_as(last_part(parse(signature).callee), signature);
}

std::vector<TorchSource> torch_functions(std::string_view module, std::string_view names, std::string_view arguments) {
  std::vector<TorchSource> result;
  for (const std::string& name : words_of(names, " "))
    result.push_back(torch_function(std::string(module) + "." + name + "(" + std::string(arguments) + ")"));
  return result;
}

TorchSource calling(const PythonHelper& helper, std::string_view text) {
  Signature signature = parse(text);
  const std::string type = std::exchange(signature.callee, helper.name);
  TorchSource result;
  result.type = type;
  result.misfit = [signature](const Layer& layer) { return unnamed_settings(signature, layer); };
  result.call = [signature, &helper](const SourceCall& call) {
    call.helper(helper);
    return wrapped(call, [&](const SourceCall& inner) { return call_of(signature, inner); });
  };
  return result;
}

TorchSource of_helper(const PythonHelper& helper, std::string_view text, std::vector<std::string> implied) {
  Signature signature = parse(text);
  TorchSource result = torch_module_as(signature.callee, text);
  signature.callee = helper.name;
  Signature all = signature;
  for (std::string& name : implied) all.parts.push_back({.keyword = name, .name = std::move(name)});
  result.misfit = [all](const Layer& layer) { return unnamed_settings(all, layer); };
  result.constructor = [signature, &helper](const Layer& layer) {
    Constructor made = constructor_of(signature, layer);
    made.helpers.push_back(&helper);
    return made;
  };
  return result;
}

TorchSource with_axis_1_by_default(TorchSource source) {
  source.constructor = [inner = source.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    for (ConstructorArgument& argument : made.arguments)
      if (argument.name == "axis" && argument.text == "None") {
        argument.text = "1";
        argument.is_default = true;
      }
    return made;
  };
  return source;
}

TorchSource torch_code(std::string type, std::function<Python(const SourceCall&)> call) {
  return torch_code(std::move(type), [](const Layer&) { return std::string(); }, std::move(call));
}

TorchSource torch_code(std::string type, std::function<std::string(const Layer&)> misfit,
                       std::function<Python(const SourceCall&)> call) {
  TorchSource result;
  result.type = std::move(type);
  result.misfit = std::move(misfit);
  result.call = [call = std::move(call)](const SourceCall& outer) { return wrapped(outer, call); };
  return result;
}

std::vector<TorchSource> all_of(std::initializer_list<std::vector<TorchSource>> lists) {
  std::vector<TorchSource> result;
  for (const std::vector<TorchSource>& list : lists) result.insert(result.end(), list.begin(), list.end());
  return result;
}

}  // namespace h5bridge
