#include "pytorch/python_source/classes.h"

namespace h5bridge::torch_source {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
// Clang 16 does not deduce it for an aggregate.
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

std::string arguments_text(const Code::Arguments& arguments) {
  std::vector<std::string> texts;
  bool by_name = false;
  for (const ConstructorArgument& argument : arguments) {
    if (argument.is_default) {
      by_name = true;
      continue;
    }
    texts.push_back(by_name || argument.by_name ? argument.name + "=" + argument.text : argument.text);
  }
  return joined(texts);
}

// Three and more equal ones in a row.
std::string elements_text(const Code::Elements& elements) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < elements.size();) {
    const std::string text = elements[i].text();
    std::size_t end = i + 1;
    while (end < elements.size() && elements[end].text() == text) ++end;
    if (end - i > 2)
      texts.push_back("*[" + text + " for _ in range(" + std::to_string(end - i) + ")]");
    else
      texts.insert(texts.end(), end - i, text);
    i = end;
  }
  return joined(texts);
}

// A list that is one loop needs no asterisk.
std::string in_brackets(const std::string& before, const std::string& elements) {
  const std::size_t end = elements.find(" for _ in range(");
  const bool is_loop = before.ends_with('[') && elements.starts_with("*[") && end != std::string::npos &&
                       elements.find(']', end) == elements.size() - 1;
  return is_loop ? elements.substr(2, elements.size() - 3) : elements;
}

}  // namespace

Code& Code::operator<<(std::string text) {
  parts_.emplace_back(std::move(text));
  return *this;
}
Code& Code::operator<<(Arguments arguments) {
  parts_.emplace_back(std::move(arguments));
  return *this;
}
Code& Code::operator<<(Elements elements) {
  parts_.emplace_back(std::move(elements));
  return *this;
}
Code& Code::operator<<(const Code& code) {
  parts_.insert(parts_.end(), code.parts_.begin(), code.parts_.end());
  return *this;
}

std::string Code::shape() const {
  std::string result;
  for (const auto& part : parts_)
    std::visit(Overloaded{[&](const std::string& text) { result += text; },
                          [&](const Arguments& arguments) {
                            for (const ConstructorArgument& argument : arguments) result += argument.name + ",";
                          },
                          [&](const Elements& elements) {
                            for (const Code& element : elements) result += element.shape() + ";";
                          }},
               part);
  return result;
}

void Code::collect(std::vector<ConstructorArgument*>& arguments) {
  for (auto& part : parts_)
    std::visit(Overloaded{[](std::string&) {},
                          [&](Arguments& own) {
                            for (ConstructorArgument& argument : own) arguments.push_back(&argument);
                          },
                          [&](Elements& elements) {
                            for (Code& element : elements) element.collect(arguments);
                          }},
               part);
}

std::string Code::text() const {
  std::string result;
  for (const auto& part : parts_)
    std::visit(Overloaded{[&](const std::string& text) { result += text; },
                          [&](const Arguments& arguments) { result += arguments_text(arguments); },
                          [&](const Elements& elements) { result += in_brackets(result, elements_text(elements)); }},
               part);
  return result;
}

}  // namespace h5bridge::torch_source
