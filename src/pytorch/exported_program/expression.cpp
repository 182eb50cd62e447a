#include "pytorch/exported_program/expression.h"

#include <charconv>
#include <map>
#include <vector>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::size_t kDeepest = 200;

// A call as text: a name and its arguments, which are calls, integers, texts, or settings (positive=True).
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, const std::function<Size(const std::string&)>& symbol)
      : text_(text), symbol_(symbol) {}

  Size parse() {
    Size result = expression(0);
    if (at_ != text_.size()) throw malformed();
    return result;
  }

 private:
  Size expression(std::size_t depth) {
    if (depth == kDeepest) throw MalformedFile("a size is nested more than " + std::to_string(kDeepest) + " levels");
    const std::string name = word();
    expect('(');
    if (name == "Symbol") return symbol();
    if (name == "Integer") return integer();
    std::vector<Size> arguments{expression(depth + 1)};
    while (peek() == ',') {
      ++at_;
      spaces();
      arguments.push_back(expression(depth + 1));
    }
    expect(')');
    return applied(name, arguments);
  }

  Size applied(const std::string& name, const std::vector<Size>& arguments) const {
    using Function = Size (*)(const std::vector<Size>&);
    static const std::map<std::string, Function, std::less<>> functions{
        {"Add", sum},           {"Mul", product},       {"Pow", power},     {"PowByNatural", power},
        {"FloorDiv", quotient}, {"CleanDiv", quotient}, {"Mod", remainder}, {"PythonMod", remainder}};
    const auto found = functions.find(name);
    if (found == functions.end()) throw Unsupported("a size is made in a way other than + - * //: " + shortened(text_));
    return found->second(arguments);
  }

  static Size sum(const std::vector<Size>& terms) {
    Size result;
    for (const Size& term : terms) result = result + term;
    return result;
  }
  static Size product(const std::vector<Size>& factors) {
    Size result(1);
    for (const Size& factor : factors) result = result * factor;
    return result;
  }
  static Size power(const std::vector<Size>& arguments) {
    require(arguments, 2);
    const auto exponent = arguments[1].value();
    if (!exponent || *exponent < 0 || *exponent > 16) throw Unsupported("a size is a power of one, or a quotient");
    return product(std::vector<Size>(static_cast<std::size_t>(*exponent), arguments[0]));
  }
  static Size quotient(const std::vector<Size>& arguments) {
    require(arguments, 2);
    return arguments[0].floor_divide(arguments[1]);
  }
  static Size remainder(const std::vector<Size>& arguments) {
    require(arguments, 2);
    return arguments[0] - arguments[1] * arguments[0].floor_divide(arguments[1]);
  }
  static void require(const std::vector<Size>& arguments, std::size_t count) {
    if (arguments.size() != count) throw MalformedFile("a size has another number of arguments than its function");
  }

  Size symbol() {
    expect('\'');
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) throw malformed();
    const std::string name(text_.substr(at_, end - at_));
    const std::size_t close = text_.find(')', end);
    if (close == std::string_view::npos) throw malformed();
    at_ = close + 1;
    return symbol_(name);
  }

  Size integer() {
    std::int64_t value = 0;
    const auto [rest, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) throw malformed();
    at_ = static_cast<std::size_t>(rest - text_.data());
    expect(')');
    return value;
  }

  std::string word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    if (at_ == begin) throw malformed();
    return std::string(text_.substr(begin, at_ - begin));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void spaces() {
    while (peek() == ' ') ++at_;
  }
  void expect(char wanted) {
    if (peek() != wanted) throw malformed();
    ++at_;
  }
  MalformedFile malformed() const { return MalformedFile("a size is no expression of SymPy's: " + shortened(text_)); }

  std::string_view text_;
  const std::function<Size(const std::string&)>& symbol_;
  std::size_t at_ = 0;
};

}  // namespace

Size size_of_expression(std::string_view text, const std::function<Size(const std::string&)>& symbol) {
  return ExpressionParser(text, symbol).parse();
}

}  // namespace h5bridge
