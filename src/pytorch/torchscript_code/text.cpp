#include "pytorch/torchscript_code/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "h5bridge/error.h"
#include "pytorch/torchscript_code/library.h"

namespace h5bridge::torch_script {
namespace {

// c10's numbers of element types.
std::optional<int> number_of_dtype(std::string_view name) {
  static const std::map<std::string_view, int> numbers{
      {"uint8", 0},        {"int8", 1},           {"int16", 2},   {"int32", 3},
      {"int64", 4},        {"float16", 5},        {"half", 5},    {"float32", 6},
      {"float", 6},        {"float64", 7},        {"double", 7},  {"complex32", 8},
      {"complex64", 9},    {"complex128", 10},    {"bool", 11},   {"bfloat16", 15},
      {"float8_e5m2", 23}, {"float8_e4m3fn", 24}, {"uint16", 27}, {"uint32", 28},
      {"uint64", 29},      {"long", 4},           {"int", 3}};
  const auto found = numbers.find(name);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

// What gives the places of elements as well is a function of its own.
constexpr std::string_view kPlaces = ", return_indices=True)";

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The place behind the bracket that closes the one before `at`.
std::size_t behind_bracket(std::string_view text, std::size_t at) {
  for (std::size_t depth = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
      continue;
    }
    if (text[at] == '(' || text[at] == '[' || text[at] == '{') ++depth;
    if ((text[at] == ')' || text[at] == ']' || text[at] == '}') && --depth == 0) return at + 1;
  }
  return text.size();
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  put((0xF00U >> (more + 1) & 0xFFU) | code >> 6 * more);
  for (int i = more - 1; i >= 0; --i) put(0x80 | (code >> 6 * i & 0x3F));
}

// The text that a literal of python_string stands for; `at` is behind its first quote, and then behind its last.
std::string text_of_literal(std::string_view python, std::size_t& at) {
  std::string result;
  for (; at < python.size() && python[at] != '"'; ++at) {
    if (python[at] != '\\') {
      result += python[at];
      continue;
    }
    const char kind = python[++at];
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0) {
      result += kind == 'n' ? '\n' : kind == 't' ? '\t' : kind == 'r' ? '\r' : kind;
      continue;
    }
    append_utf8(result,
                static_cast<std::uint32_t>(std::stoul(std::string(python.substr(at + 1, digits)), nullptr, 16)));
    at += digits;
  }
  ++at;
  return result;
}

}  // namespace

std::string literal(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (byte >= ' ' && byte < 0x7F) {
      result += c;
    } else {
      result += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)),
                 static_cast<char>('0' + (byte & 7))};
    }
  }
  return result + "\"";
}

Translator::Translator(const std::vector<const PythonHelper*>& helpers) {
  const auto add = [this](const auto& self, const PythonHelper* helper) -> void {
    if (!helper) return;
    helpers_[helper->name] = helper;
    for (const PythonHelper* other : helper->needs) self(self, other);
  };
  for (const PythonHelper* helper : helpers) add(add, helper);
}

std::string Translator::function(const std::string& name, const char* source) {
  if (!functions_.contains(name)) {
    functions_[name];  // what it calls may call it
    functions_[name] = translated(source) + "\n";
  }
  return "__torch__.functional." + name;
}

// `rest` is what follows the name.
std::string Translator::name(const std::string& dotted, std::string_view rest) {
  const auto helper = helpers_.find(dotted);
  if (helper != helpers_.end() && !rest.starts_with('(')) return literal(dotted);  // a function is given by its name
  if (helper != helpers_.end())
    return function(dotted, helper->second->script ? helper->second->script : helper->second->source);
  if (dotted.starts_with("torch.")) {
    const std::string last = dotted.substr(6);
    if (const char* source = functional_source(dotted)) return function(last, source);
    if (const auto number = number_of_dtype(last)) return std::to_string(*number);
    if (last == "inf") return "inf";
    std::string plain = dotted;
    std::replace(plain.begin() + 6, plain.end(), '.', '_');  // torch.linalg.cross is aten::linalg_cross
    return plain;
  }
  if (dotted == "math.pi") return "3.141592653589793";
  if (dotted.starts_with("math.")) return "torch." + dotted.substr(5);
  if (!dotted.starts_with("F.")) return dotted;
  std::string functional = dotted.substr(2);
  if (rest.starts_with('(') && rest.substr(0, behind_bracket(rest, 1)).ends_with(kPlaces))
    functional += "_with_indices";
  if (const char* source = functional_source(functional)) return function(functional, source);
  return "torch." + aten_name(functional);
}

std::string Translator::translated(std::string_view python) {
  std::string result;
  for (std::size_t at = 0; at < python.size();) {
    if (python.substr(at).starts_with("\"\"\"")) {  // what a function is for
      at = python.find("\"\"\"", at + 3) + 3;
      at = std::min(python.find('\n', at), python.size() - 1) + 1;
      while (!result.empty() && result.back() == ' ') result.pop_back();
      continue;
    }
    if (python[at] == '"') {
      result += literal(text_of_literal(python, ++at));
      continue;
    }
    const bool begins = !is_name_character(python[at]) || std::isdigit(static_cast<unsigned char>(python[at]));
    if (begins) {
      // A number is taken whole: the "e" in 1e-05 is no name.
      if (std::isdigit(static_cast<unsigned char>(python[at]))) {
        while (at < python.size() && (is_name_character(python[at]) || python[at] == '.')) result += python[at++];
        continue;
      }
      if (python.substr(at).starts_with(kPlaces)) {  // said by the function's name
        result += ")";
        at += kPlaces.size();
        continue;
      }
      if (python.substr(at).starts_with(".bool()")) {
        result += ".to(11)";
        at += 7;
        continue;
      }
      if (python[at] == '.' && at + 1 < python.size() && is_name_character(python[at + 1])) {  // of an expression
        result += python[at++];
        while (at < python.size() && is_name_character(python[at])) result += python[at++];
        continue;
      }
      result += python[at++];
      continue;
    }
    std::size_t end = at;
    while (end < python.size() && (is_name_character(python[end]) ||
                                   (python[end] == '.' && end + 1 < python.size() &&
                                    is_name_character(python[end + 1]) && !python.substr(end).starts_with(".bool()"))))
      ++end;
    const std::string dotted(python.substr(at, end - at));
    result += result.ends_with("def ") ? dotted : name(dotted, python.substr(end));
    at = end;
  }
  return result;
}

std::string Translator::functions() const {
  std::string result;
  for (const auto& [name, source] : functions_) result += source;
  return result;
}

}  // namespace h5bridge::torch_script
