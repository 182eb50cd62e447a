// JSON: round trips of random values, what Python writes, and hostile documents.
#include "h5bridge/json.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "h5bridge/error.h"

using namespace h5bridge;
using Catch::Matchers::Message;

namespace {

std::mt19937_64 random_engine(5);

std::int64_t random_between(std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random_engine);
}

std::string random_string() {
  static const std::vector<std::string> pieces{
      "a", "NaN", "Infinity", "null", "-Infinity", "\"", "\\",         "\n",           "\x01",
      "/", ",",   ":",        "",     "é",         "层", "\U0001F600", "\xe2\x80\xa8", std::string(1, '\0')};
  std::string text;
  for (std::int64_t i = random_between(0, 6); i > 0; --i)
    text += pieces[static_cast<std::size_t>(random_between(0, static_cast<std::int64_t>(pieces.size()) - 1))];
  return text;
}

double random_double() {
  const double value = std::bit_cast<double>(random_engine());
  return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
}

Json random_json(int depth) {
  switch (random_between(0, depth > 0 ? 7 : 5)) {
    case 0: return nullptr;
    case 1: return random_between(0, 1) == 1;
    case 2: return static_cast<std::int64_t>(random_engine());
    case 3: return random_double();
    case 4: return static_cast<double>(random_between(-3, 3));
    case 5: return random_string();
    case 6: {
      Json::Array array;
      for (std::int64_t i = random_between(0, 4); i > 0; --i) array.push_back(random_json(depth - 1));
      return array;
    }
    default: {
      Json::Object object;
      for (std::int64_t i = random_between(0, 4); i > 0; --i) object.set(random_string(), random_json(depth - 1));
      return object;
    }
  }
}

void fails(const std::string& text, const std::string& message) {
  INFO(text.substr(0, 100));
  CHECK_THROWS_MATCHES(Json::parse(text, "config"), MalformedFile,
                       Message("config: not valid JSON at byte " + message));
}

std::string repeated(const std::string& piece, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += piece;
  return text;
}

}  // namespace

TEST_CASE("random values come back from their text", "[json]") {
  for (int repeat = 0; repeat < 3000; ++repeat) {
    const Json value = random_json(4);
    for (const int indent : {0, 1, 4}) {
      const std::string text = value.dump(indent);
      INFO(text);
      const Json back = Json::parse(text);
      REQUIRE(back == value);
      // Equality ignores the order of members; the text does not.
      REQUIRE(back.dump(indent) == text);
    }
    REQUIRE(value.dump().find('\n') == std::string::npos);
  }
}

TEST_CASE("text is as Python's json module writes it", "[json]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Json value = Json::Object{
      {"b", Json::Array{1, 2.0, -0.0, 1e300, 0.1}}, {"a", nullptr}, {"", Json::Object{}}, {"e", Json::Array{}}};
  CHECK(value.dump() == R"({"b": [1, 2.0, -0.0, 1e+300, 0.1], "a": null, "": {}, "e": []})");
  CHECK(Json(Json::Array{infinity, -infinity, std::nan(""), true, "é\n\""}).dump() ==
        R"([Infinity, -Infinity, NaN, true, "é\n\""])");
  CHECK(Json::array(std::vector<std::int64_t>{3, 4}).dump() == "[3, 4]");
  CHECK_THROWS_MATCHES(Json("\xff").dump(), MalformedFile,
                       Message("a string is not valid UTF-8, so JSON cannot hold it"));
}

TEST_CASE("indented text keeps arrays of scalars on one line", "[json]") {
  const Json value = Json::parse(R"({"shape": [1, null, "x"], "nested": [[1, 2], [], {}], "empty": {}})");
  CHECK(value.dump(2) == R"({
  "shape": [1, null, "x"],
  "nested": [
    [1, 2],
    [],
    {}
  ],
  "empty": {}
})");
}

TEST_CASE("NaN and infinities are read as Python reads them", "[json]") {
  const Json value =
      Json::parse(R"( [NaN, Infinity, -Infinity, null, {"NaN": "NaN", "n": NaN}, "\"Infinity", "\\", -Infinity] )");
  const Json::Array& array = value.as_array();
  REQUIRE(array.size() == 8);
  CHECK(std::isnan(array[0].as_float()));
  CHECK(array[1].as_float() == std::numeric_limits<double>::infinity());
  CHECK(array[2].as_float() == -std::numeric_limits<double>::infinity());
  CHECK(array[3].is_null());
  CHECK(array[4].at("NaN").as_string() == "NaN");
  CHECK(std::isnan(array[4].at("n").as_float()));
  CHECK(array[5].as_string() == "\"Infinity");
  CHECK(array[6].as_string() == "\\");
  CHECK(array[7].as_float() < 0);
  for (const char* text :
       {"-NaN", "--Infinity", "nan", "NaNNaN", "Inf", "1NaN", "{NaN: 1}", "nullNaN", "+Infinity", "NaN5"}) {
    INFO(text);
    CHECK_THROWS_AS(Json::parse(text), MalformedFile);
  }
}

TEST_CASE("integers stay integers and floats stay floats", "[json]") {
  const Json value = Json::parse("[1, 1.0, 1e0, -0, -0.0, 9223372036854775807, -9223372036854775808]");
  const Json::Array& array = value.as_array();
  CHECK(array[0].is_integer());
  CHECK(array[1].is_float());
  CHECK(array[2].is_float());
  CHECK(array[3].is_integer());
  CHECK(std::signbit(array[4].as_float()));
  CHECK(array[5].as_integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(array[6].as_integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(array[0] != array[1]);
}

TEST_CASE("objects keep order and names apart", "[json]") {
  Json::Object object{{"z", 1}, {"a", 2}};
  object.set("m", 3);
  object.set("z", 4);
  CHECK(Json(object).dump() == R"({"z": 4, "a": 2, "m": 3})");
  CHECK(object.erase("a"));
  CHECK_FALSE(object.erase("a"));
  CHECK(object.find("a") == nullptr);
  CHECK(object == Json::Object{{"m", 3}, {"z", 4}});
  CHECK_FALSE(object == Json::Object{{"m", 3}, {"z", 5}});
  CHECK_FALSE(object == Json::Object{{"m", 3}});
  CHECK_THROWS_MATCHES((Json::Object{{"a", 1}, {"b", 2}, {"a", 3}}), MalformedFile, Message("duplicate key 'a'"));
}

TEST_CASE("accessors say what they found", "[json]") {
  const auto expected = [](const std::string& message) { return Message("expected " + message); };
  CHECK_THROWS_MATCHES(Json(1).as_string(), MalformedFile, expected("a string, found an integer"));
  CHECK_THROWS_MATCHES(Json(1.5).as_integer(), MalformedFile, expected("an integer, found a float"));
  CHECK_THROWS_MATCHES(Json(true).as_float(), MalformedFile, expected("a number, found a boolean"));
  CHECK_THROWS_MATCHES(Json().as_bool(), MalformedFile, expected("a boolean, found null"));
  CHECK_THROWS_MATCHES(Json("x").as_array(), MalformedFile, expected("an array, found a string"));
  CHECK_THROWS_MATCHES(Json(Json::Array{}).as_object(), MalformedFile, expected("an object, found an array"));
  CHECK_THROWS_MATCHES(Json(Json::Object{}).at("x"), MalformedFile, expected("a member 'x', found none"));
  CHECK_THROWS_MATCHES(Json(1).at("x"), MalformedFile, expected("an object, found an integer"));
  CHECK(Json(3).as_float() == 3.0);
  CHECK(Json(1).find("x") == nullptr);
}

TEST_CASE("malformed documents", "[json]") {
  fails("", "0: syntax error while parsing value - unexpected end of input; expected '[', '{', or a literal");
  fails("[1, 2", "5: syntax error while parsing array - unexpected end of input; expected ']'");
  fails("[1] x", "4: syntax error while parsing value - invalid literal");
  // The offset is the document's own, wherever words were before it.
  fails("[NaN, NaN, x]", "11: syntax error while parsing value - invalid literal");
  fails("[Infinity, -Infinity, x]", "22: syntax error while parsing value - invalid literal");
  fails("[1,]", "3: syntax error while parsing value - unexpected ']'; expected '[', '{', or a literal");
  fails("\"a\nb\"",
        "2: syntax error while parsing value - invalid string: control character U+000A (LF) must be escaped to "
        "\\u000A or \\n");
  fails("\"\xff\"", "1: syntax error while parsing value - invalid string: ill-formed UTF-8 byte");
  fails("\"\xed\xa0\x80\"", "2: syntax error while parsing value - invalid string: ill-formed UTF-8 byte");
  fails(R"("\ud800")",
        "7: syntax error while parsing value - invalid string: surrogate U+D800..U+DBFF must be followed by "
        "U+DC00..U+DFFF");
  fails("\"" + std::string(100'000, 'x'),
        "100001: syntax error while parsing value - invalid string: missing closing quote");
  fails("\"abc\\", "5: syntax error while parsing value - invalid string: forbidden character after backslash");
}

TEST_CASE("hostile documents", "[json]") {
  fails(R"({"a": 1, "b": {"k": 1, "k": 2}})", "29: duplicate key 'k'");
  fails(R"({"a": 1, "\u0061": 1})", "20: duplicate key 'a'");
  fails("9223372036854775808", "18: the integer 9223372036854775808 does not fit 64 bits");
  fails("[-9223372036854775809]", "21: the integer -9223372036854775809 does not fit 64 bits");
  fails(std::string(100, '7'), "99: the integer " + std::string(40, '7') + "... does not fit 64 bits");
  fails(repeated("[", 200'000), "512: nested more than 512 levels deep");
  fails(repeated(R"({"a":)", 200'000), "2560: nested more than 512 levels deep");
  CHECK_THROWS_AS(Json::parse("1e999"), MalformedFile);
  const Json deep = Json::parse(repeated("[", 512) + repeated("]", 512));
  CHECK(deep.dump() == repeated("[", 512) + repeated("]", 512));
  // Many members take no quadratic time.
  std::string many = "{";
  for (int i = 0; i < 300'000; ++i) many += "\"" + std::to_string(i) + "\": 0, ";
  CHECK(Json::parse(many + "\"x\": 0}").as_object().size() == 300'001);
  fails(many + "\"17\": 0}", std::to_string(many.size() + 7) + ": duplicate key '17'");
}

TEST_CASE("random damage is an error or another value, nothing worse", "[json]") {
  const std::string text =
      random_json(5).dump() + R"([{"a": [1, NaN, -Infinity], "b": "\u00e9\n"}, null, 1.5e3, true])";
  for (int repeat = 0; repeat < 20'000; ++repeat) {
    std::string damaged = text.substr(static_cast<std::size_t>(random_between(0, 30)));
    for (std::int64_t i = random_between(0, 3); i > 0; --i)
      damaged[random_engine() % damaged.size()] = static_cast<char>(random_between(0, 255));
    try {
      const std::string again = Json::parse(damaged).dump();
      CHECK(Json::parse(again).dump() == again);
    } catch (const MalformedFile& error) {
      const std::string message = error.what();
      if (message.find('\n') != std::string::npos || !message.starts_with("JSON: not valid JSON at byte "))
        FAIL(message);
    }
  }
}

TEST_CASE("a copy of an object stays what it was, whichever of the two is changed", "[json]") {
  const Json::Object inner{{"axis", -1}};
  Json::Object original{{"name", "a"}, {"inner", inner}};
  Json::Object copy = original;
  CHECK(copy == original);
  original.find("inner")->as_object().set("axis", 2);
  CHECK(*copy.at("inner").find("axis") == Json(-1));
  CHECK(*inner.find("axis") == Json(-1));
  copy.set("name", "b");
  CHECK(copy.erase("inner"));
  CHECK(original == Json::Object{{"name", "a"}, {"inner", Json::Object{{"axis", 2}}}});
  copy = original;
  for (auto& [name, value] : copy) value = nullptr;
  CHECK(*original.find("name") == Json("a"));
  CHECK(Json::Object().empty());
  CHECK(Json::Object().find("name") == nullptr);
}

TEST_CASE("objects of the same text are apart from each other, and from those with other words", "[json]") {
  Json twice = Json::parse(R"([{"a": {"b": null}}, {"a": {"b": null}}])");
  CHECK(twice.as_array()[0] == twice.as_array()[1]);
  twice.as_array()[0].as_object().find("a")->as_object().set("b", 1);
  CHECK(twice.dump() == R"([{"a": {"b": 1}}, {"a": {"b": null}}])");
  for (const char* text : {R"([{"b": null}, {"b": NaN}, {"b": -Infinity}])", R"([{"b": NaN}, {"b": null}])"})
    CHECK(Json::parse(text).dump() == text);
}
