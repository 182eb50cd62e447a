// Sizes: canonical forms, and random expressions against plain integers.
#include "h5bridge/size.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "h5bridge/error.h"

using namespace h5bridge;
using Catch::Matchers::Message;

namespace {

std::mt19937 random_engine(99);

std::int64_t random_between(std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random_engine);
}

using Values = std::map<std::string, std::int64_t>;

/// An expression as a Size, as Python's text, and evaluated by plain arithmetic.
struct Expression {
  Size size;
  std::string text;
  std::int64_t value;
};

Expression random_expression(int depth, const Values& values) {
  if (depth == 0) {
    if (random_between(0, 1)) {
      const std::int64_t number = random_between(-6, 6);
      return {number, "(" + std::to_string(number) + ")", number};
    }
    const auto& [name, value] =
        *std::next(values.begin(), random_between(0, static_cast<std::int64_t>(values.size()) - 1));
    return {Size::symbol(name), name, value};
  }
  const Expression a = random_expression(depth - 1, values);
  const Expression b = random_expression(static_cast<int>(random_between(0, depth - 1)), values);
  const auto text = [&](const std::string& sign) { return "(" + a.text + sign + b.text + ")"; };
  switch (random_between(0, 3)) {
    case 0: return {a.size + b.size, text(" + "), a.value + b.value};
    case 1: return {a.size - b.size, text(" - "), a.value - b.value};
    case 2: return {a.size * b.size, text("*"), a.value * b.value};
    default: {
      if (b.value == 0 || b.size == Size(0)) return a;
      const double quotient = static_cast<double>(a.value) / static_cast<double>(b.value);
      return {a.size.floor_divide(b.size), text("//"), static_cast<std::int64_t>(std::floor(quotient))};
    }
  }
}

std::string canonical(const std::string& text) { return Size::parse(text).str(); }

}  // namespace

TEST_CASE("random sizes have the value of their expressions", "[size]") {
  const auto value_of = [](const Values& values, const Expression& expression) {
    return expression.size.bind(values).value();
  };
  int checked = 0;
  for (int repeat = 0; repeat < 20000; ++repeat) {
    const Values values{{"a", random_between(1, 9)}, {"batch", random_between(1, 9)}, {"h_2", random_between(1, 9)}};
    const Expression expression = random_expression(static_cast<int>(random_between(0, 4)), values);
    if (std::abs(expression.value) > 1'000'000'000) continue;
    INFO(expression.text << " as " << expression.size.str());
    REQUIRE(value_of(values, expression) == expression.value);
    REQUIRE(Size::parse(expression.text) == expression.size);
    // The canonical spelling is read back as the same size.
    REQUIRE(Size::parse(expression.size.str()) == expression.size);
    // Bound one symbol at a time.
    Size bound = expression.size;
    for (const auto& [name, value] : values) bound = bound.bind({{name, value}});
    REQUIRE(bound.value() == expression.value);
    ++checked;
  }
  CHECK(checked > 15000);
}

TEST_CASE("equal sizes have one spelling", "[size]") {
  CHECK(canonical("1+batch*2") == "2*batch + 1");
  CHECK(canonical("b*a - a*b") == "0");
  CHECK(canonical("(a + b)*(a - b)") == "a*a - b*b");
  CHECK(canonical("-(a - 3)") == "-a + 3");
  CHECK(canonical("7 // -2") == "-4");
  CHECK(canonical("-7 // 2") == "-4");
  CHECK(canonical("(6*b)//3") == "2*b");
  CHECK(canonical("(x*k)//k") == "x");
  CHECK(canonical("(x*k + 3)//k") == "3//k + x");
  CHECK(canonical("(2*h + 2)//4") == "(h + 1)//2");
  CHECK(canonical("(2*h + 3)//4") == "(h + 1)//2");
  CHECK(canonical("(7*h)//2") == "3*h + h//2");
  CHECK(canonical("(2*h*w)//(4*w)") == "h//2");
  CHECK(canonical("(a*b + a + b + 1)//(b + 1)") == "a + 1");
  CHECK(canonical("(batch*(h//2 + 1)*(w//2 + 1))//((h//2 + 1)*(w//2 + 1))") == "batch");
  CHECK(canonical("h//(-2)") == canonical("-h//2"));
  CHECK(canonical("h//2*2") == "2*(h//2)");
  CHECK(canonical("-(h//2)") == "-(h//2)");
  CHECK(canonical("-h//2") == "-h + h//2");
  CHECK(canonical("a//(b + 1)") == "a//(b + 1)");
  // Two convolutions of stride 2, kernel 3 and padding 1.
  CHECK(canonical("((h - 1)//2 + 1 - 1)//2 + 1") == "(h + 3)//4");
  CHECK(Size::parse("(height + 3)//2") == Size::parse("(height + 1)//2 + 1"));
}

TEST_CASE("numbers and symbols", "[size]") {
  CHECK(Size().value() == 0);
  CHECK(Size(5).value() == 5);
  CHECK(Size(5).str() == "5");
  CHECK_FALSE(Size(5).is_open());
  CHECK(Size::symbol("batch").is_open());
  CHECK(Size::symbol("batch").value() == std::nullopt);
  CHECK((Size::symbol("batch") - Size::symbol("batch")).value() == 0);
  CHECK(Size::parse("(b + a_1)//(c*2) + a_1").symbols() == std::vector<std::string>{"a_1", "b", "c"});
  CHECK(Size::parse("3 + 4").symbols().empty());
  CHECK(Size::parse("-9223372036854775808").str() == "-9223372036854775808");
  CHECK(canonical("a - 1 - 9223372036854775807") == "a + -9223372036854775808");
  CHECK(canonical("a + -9223372036854775808") == "a + -9223372036854775808");
  const SymbolicShape shape{Size::symbol("batch"), 3, 32};
  CHECK(to_string(shape) == "(batch, 3, 32)");
  CHECK(to_string(SymbolicShape{3}) == "(3,)");
  CHECK(fixed(shape) == std::nullopt);
  CHECK(fixed({2, 3}) == std::vector<std::int64_t>{2, 3});
  CHECK_THROWS_MATCHES(Size::symbol("2x"), MalformedFile, Message("expected the name of a size, found '2x'"));
  CHECK_THROWS_MATCHES(Size::symbol(""), MalformedFile, Message("expected the name of a size, found ''"));
}

TEST_CASE("a size that is divided and rounded up", "[size]") {
  for (const std::int64_t number : {0, 1, 6, 7, 8, 9})
    for (const std::int64_t divisor : {1, 2, 3, 8}) {
      const std::int64_t rounded = number / divisor + (number % divisor != 0);
      CHECK(Size(number).ceil_divide(divisor) == Size(rounded));
      CHECK(Size::symbol("n").ceil_divide(divisor).bind({{"n", number}}) == Size(rounded));
    }
  CHECK(Size(-7).ceil_divide(2) == Size(-3));
  CHECK((Size::symbol("n") * Size(4)).ceil_divide(2) == Size::symbol("n") * Size(2));
  for (const std::int64_t divisor : {0, -2}) CHECK_THROWS_AS(Size::symbol("n").ceil_divide(divisor), MalformedFile);
}

TEST_CASE("binding can leave symbols open", "[size]") {
  const Size size = Size::parse("batch*((h + 1)//2) + 1");
  CHECK(size.bind({{"h", 8}}) == Size::parse("4*batch + 1"));
  CHECK(size.bind({{"other", 8}}) == size);
  CHECK_THROWS_MATCHES(Size::parse("h//k").bind({{"k", 0}}), MalformedFile, Message("the size h is divided by zero"));
}

TEST_CASE("what is no size", "[size]") {
  const auto fails = [](const std::string& text, const std::string& reason) {
    CHECK_THROWS_MATCHES(Size::parse(text), MalformedFile, Message("'" + text + "' is no size: " + reason));
  };
  fails("", "expected an integer, a name or a parenthesis at byte 0");
  fails("2*", "expected an integer, a name or a parenthesis at byte 2");
  fails("(a + b", "expected ')' at byte 6");
  fails("a b", "expected an operator or the end at byte 2");
  fails("a / b", "expected an operator or the end at byte 2");
  fails("1.5", "expected an operator or the end at byte 1");
  fails("99999999999999999999", "the integer does not fit 64 bits at byte 0");
  CHECK_THROWS_MATCHES(Size::parse("a//0"), MalformedFile, Message("the size a is divided by zero"));
  CHECK_THROWS_MATCHES(Size::parse("a//(b - b)"), MalformedFile, Message("the size a is divided by zero"));
}

TEST_CASE("hostile sizes", "[size]") {
  const std::string largest = "9223372036854775807";
  const std::vector<std::string> texts{largest + " + 1", "4611686018427387904*a*2", "-(-" + largest + " - 1)",
                                       "(-" + largest + " - 1)//-1"};
  for (const std::string& text : texts) {
    INFO(text);
    CHECK_THROWS_MATCHES(Size::parse(text), MalformedFile, Message("a size overflows 64 bits"));
  }
  CHECK_THROWS_MATCHES(Size::symbol("a").floor_divide(std::numeric_limits<std::int64_t>::min()), MalformedFile,
                       Message("a size overflows 64 bits"));
  for (const char* deep : {"(", "-", "1-"}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += deep;
    CHECK_THROWS_AS(Size::parse(text), MalformedFile);
  }
  CHECK_THROWS_MATCHES(
      Size::parse(std::string(600, '(')), MalformedFile,
      Message("'" + std::string(80, '(') + "...' is no size: it is nested more than 512 levels deep at byte 512"));
  std::string powers = "1";
  for (int i = 0; i < 30; ++i) powers += "*(a" + std::to_string(i) + " + 1)";
  CHECK_THROWS_MATCHES(Size::parse(powers), MalformedFile, Message("a size is too large an expression"));
  std::string nested = "a";
  for (int i = 0; i < 40; ++i) nested = "((" + nested + " + x)*(y + z))//(k + 1)";
  CHECK_THROWS_MATCHES(Size::parse(nested), MalformedFile, Message("a size is too large an expression"));
  std::string divided = "a";
  for (int i = 0; i < 200; ++i) divided = "(" + divided + ")//2";
  CHECK_THROWS_MATCHES(Size::parse(divided), MalformedFile, Message("a size overflows 64 bits"));
}
