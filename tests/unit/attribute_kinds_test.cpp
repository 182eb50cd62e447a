// The kinds of attributes: what each reads, writes, takes from a program, says of itself, and makes of symbols.
#include <catch2/catch.hpp>
#include <complex>
#include <limits>

#include "facets/spec/attributes/epsilon.h"
#include "facets/spec/attributes/vocabulary.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::testing {
namespace {

using List = Json::Array;
using Integers = std::vector<std::int64_t>;
using Numbers = std::vector<double>;

const Json kNull;

AttributeValue read(const AttributeSpec& spec, const Json& json) { return spec.kind->read(json); }
AttributeValue word(const char* text) { return std::string(text); }

// JSON in the form that is written, and what it stands for.
void check_both_ways(const AttributeSpec& spec, const Json& json, const AttributeValue& value) {
  INFO(json.dump());
  CHECK(read(spec, json) == value);
  CHECK(spec.kind->write(value) == json);
  CHECK_NOTHROW(spec.kind->check(value));
}

void refuses(const AttributeSpec& spec, const Json& json, const std::string& message) {
  INFO(json.dump());
  CHECK_THROWS_AS(spec.kind->read(json), MalformedFile);
  CHECK_THROWS_WITH(spec.kind->read(json), message);
}

void refuses_to_set(const AttributeSpec& spec, const AttributeValue& value, const std::string& message) {
  CHECK_THROWS_AS(spec.kind->check(value), MalformedFile);
  CHECK_THROWS_WITH(spec.kind->check(value), message);
}

// An integer, or what it is open with.
const Json kInteger = Json::Object{{"$ref", "#/$defs/size"}};

// The values that a JSON Schema of integers, in lists of `length`, allows.
Json integers_schema(std::int64_t length, const Json& one = kInteger) {
  Json::Object array{{"type", "array"}, {"items", kInteger}};
  if (length > 0) {
    array.set("minItems", length);
    array.set("maxItems", length);
  }
  return Json::Object{{"anyOf", List{one, array}}};
}

}  // namespace

TEST_CASE("a truth value is one in JSON, and no number") {
  const AttributeSpec spec = boolean("bias", true, "whether there is one");
  CHECK(spec.fallback == AttributeValue(true));
  check_both_ways(spec, true, true);
  check_both_ways(spec, false, false);
  refuses(spec, 1, "expected a boolean, found an integer");
  refuses_to_set(spec, std::int64_t{1}, "expected a boolean, found an integer");
  CHECK(spec.kind->schema() == Json(Json::Object{{"type", "boolean"}}));
  CHECK(spec.kind->describe() == "boolean");
}

TEST_CASE("an integer has no fraction") {
  const AttributeSpec spec = required_integer("dim", "the axis");
  CHECK_FALSE(spec.fallback);
  check_both_ways(spec, -3, std::int64_t{-3});
  refuses(spec, 1.5, "expected an integer, found a float");
  refuses(spec, kNull, "expected an integer, found null");
  refuses_to_set(spec, 3.0, "expected an integer, found a float");
  CHECK(spec.kind->schema() == kInteger);
  CHECK(spec.kind->describe() == "integer");
  CHECK(integer("dim", 1, "the axis").fallback == AttributeValue(std::int64_t{1}));
}

TEST_CASE("a number is a float, whichever way JSON has it") {
  const AttributeSpec spec = number("eps", 1e-5, "added to the variance");
  CHECK(spec.fallback == AttributeValue(1e-5));
  check_both_ways(spec, 0.25, 0.25);
  CHECK(read(spec, 2) == AttributeValue(2.0));
  refuses(spec, "2", "expected a number, found a string");
  refuses_to_set(spec, std::int64_t{2}, "is 2 as a std::int64_t, expected a double");
  CHECK(spec.kind->schema() == Json(Json::Object{{"type", "number"}}));
  CHECK(spec.kind->describe() == "number");
}

TEST_CASE("an epsilon is finite and not negative") {
  const AttributeSpec spec = epsilon("eps", 1e-5, "added to the variance");
  check_both_ways(spec, 0.0, 0.0);
  check_both_ways(spec, 0.25, 0.25);
  refuses(spec, -1e-5, "expected a finite number that is not negative, found -1e-05");
  refuses(spec, std::numeric_limits<double>::quiet_NaN(), "expected a finite number that is not negative, found NaN");
  refuses_to_set(spec, -1.0, "expected a finite number that is not negative, found -1.0");
  CHECK(spec.kind->schema() == Json(Json::Object{{"type", "number"}, {"minimum", 0}}));
  CHECK(spec.kind->describe() == "number, not negative");
}

TEST_CASE("a scalar stays the integer or the float that it is") {
  const AttributeSpec spec = scalar("value", std::int64_t{1}, "the factor");
  check_both_ways(spec, 2, std::int64_t{2});
  check_both_ways(spec, 2.5, 2.5);
  CHECK(read(spec, 2.0) == AttributeValue(2.0));
  refuses(spec, true, "expected a number, found a boolean");
  refuses_to_set(spec, true, "expected a number, found a boolean");
  CHECK(spec.kind->schema() == Json(Json::Object{{"anyOf", List{Json::Object{{"type", "number"}}, kInteger}}}));
  CHECK(spec.kind->describe() == "number");
}

TEST_CASE("a text is any, or one of its words") {
  const AttributeSpec any = required_text("equation", "Keras's");
  check_both_ways(any, "ab,bc->ac", word("ab,bc->ac"));
  CHECK(any.kind->schema() == Json(Json::Object{{"type", "string"}}));
  CHECK(any.kind->describe() == "text");

  const AttributeSpec one = text("mode", "zeros", {"zeros", "ones"}, "which");
  check_both_ways(one, "ones", word("ones"));
  refuses(one, "twos", "is \"twos\", expected one of zeros, ones");
  refuses(one, 1, "expected a string, found an integer");
  refuses_to_set(one, word("twos"), "is \"twos\", expected one of zeros, ones");
  CHECK(one.kind->schema() == Json(Json::Object{{"enum", List{"zeros", "ones"}}}));
  CHECK(one.kind->describe() == "`\"zeros\"`, `\"ones\"`");
}

TEST_CASE("a dtype is one of some, by its name") {
  const AttributeSpec spec = dtype_attribute(DType::Int64, {DType::Int64, DType::BFloat16}, "its dtype");
  CHECK(spec.name == "dtype");
  CHECK(spec.fallback == AttributeValue(DType::Int64));
  check_both_ways(spec, "bfloat16", DType::BFloat16);
  refuses(spec, "float32", "is \"float32\", expected one of int64, bfloat16");
  refuses(spec, "float33", "is \"float33\", expected one of int64, bfloat16");
  refuses_to_set(spec, DType::Float32, "is \"float32\", expected one of int64, bfloat16");
  refuses_to_set(spec, word("int64"), "is \"int64\" as a std::string, expected a DType");
  CHECK(spec.kind->schema() == Json(Json::Object{{"enum", List{"int64", "bfloat16"}}}));
  CHECK(spec.kind->describe() == "`\"int64\"`, `\"bfloat16\"`");
}

TEST_CASE("one integer stands for a tuple of them, which is written whole") {
  const AttributeSpec spec = tuple("stride", 2, 1, "the step");
  CHECK(spec.fallback == AttributeValue(Integers{1, 1}));
  check_both_ways(spec, List{2, 3}, Integers{2, 3});
  CHECK(read(spec, 4) == AttributeValue(Integers{4, 4}));
  refuses(spec, List{1, 2, 3}, "has 3 elements, expected 2");
  refuses(spec, List{1, kNull}, "expected an integer, found null");
  refuses_to_set(spec, Integers{1}, "has 1 elements, expected 2");
  refuses_to_set(spec, std::int64_t{4}, "is 4 as a std::int64_t, expected a std::vector<std::int64_t>");
  CHECK(spec.kind->write_short(Integers{4, 4}) == Json(4));
  CHECK(spec.kind->write_short(Integers{4, 5}) == Json(List{4, 5}));
  CHECK(spec.kind->schema() == integers_schema(2));
  CHECK(spec.kind->describe() == "integer or 2 integers");
  CHECK(required_tuple("size", 1, "the size").kind->describe() == "integer or [integer]");
}

TEST_CASE("any number of integers may be none or one") {
  const AttributeSpec spec = required_integers("dim", "the axes");
  check_both_ways(spec, List{}, Integers{});
  check_both_ways(spec, List{0, -1}, Integers{0, -1});
  CHECK(read(spec, 2) == AttributeValue(Integers{2}));
  CHECK(spec.kind->write_short(Integers{2}) == Json(List{2}));
  CHECK(spec.kind->schema() == integers_schema(0));
  CHECK(spec.kind->describe() == "integers");
}

TEST_CASE("integers may be None one by one") {
  const AttributeSpec spec = required_optional_integers("output_size", 2, "None: the input's");
  check_both_ways(spec, List{7, kNull}, Integers{7, kNone});
  CHECK(read(spec, kNull) == AttributeValue(Integers{kNone, kNone}));
  CHECK(spec.kind->describe() == "integer or 2 integers (each may be null)");
  const Json element = Json::Object{{"anyOf", List{kInteger, Json::Object{{"type", "null"}}}}};
  CHECK(spec.kind->schema().at("anyOf").as_array().at(0) == element);
  CHECK(spec.kind->schema().at("anyOf").as_array().at(1).at("items") == element);
}

TEST_CASE("numbers are floats, one by one") {
  const AttributeSpec spec = required_numbers("factor", 2, "how much");
  check_both_ways(spec, List{0.5, -2.5}, Numbers{0.5, -2.5});
  CHECK(read(spec, 3) == AttributeValue(Numbers{3, 3}));
  refuses(spec, List{0.5}, "has 1 elements, expected 2");
  refuses_to_set(spec, Integers{1, 2}, "is [1, 2] as a std::vector<std::int64_t>, expected a std::vector<double>");
  CHECK(spec.kind->takes_array());
  CHECK_FALSE(required_integers("dim", "the axes").kind->takes_array());
  CHECK(spec.kind->describe() == "number or 2 numbers");
  CHECK(required_numbers("data", 0, "its elements").kind->describe() == "numbers");
}

TEST_CASE("padding is integers or a word") {
  const AttributeSpec spec = padding_attribute(2, {"same", "valid"}, "elements before and after");
  CHECK(spec.name == "padding");
  CHECK(spec.fallback == AttributeValue(Integers{0, 0}));
  CHECK(spec.decides == Decides::Margins);
  check_both_ways(spec, List{1, 2}, Integers{1, 2});
  check_both_ways(spec, "same", word("same"));
  CHECK(read(spec, 1) == AttributeValue(Integers{1, 1}));
  CHECK(spec.kind->write_short(Integers{1, 1}) == Json(1));
  CHECK(spec.kind->write_short(word("same")) == Json("same"));
  refuses(spec, "sane", "is \"sane\", expected one of same, valid");
  refuses(spec, true, "expected an integer, found a boolean");
  CHECK(spec.kind->schema() ==
        Json(Json::Object{{"anyOf", List{Json::Object{{"enum", List{"same", "valid"}}},
                                         integers_schema(2, Json::Object{{"type", "integer"}})}}}));
  CHECK(spec.kind->describe() == "integer or 2 integers, or `\"same\"`, `\"valid\"`");
}

TEST_CASE("sizes may be open, and are bound to numbers") {
  const Size open = Size::symbol("batch") * Size(2);
  const AttributeSpec spec = required_sizes("shape", "the new shape");
  check_both_ways(spec, List{open.str(), -1}, SymbolicShape{open, -1});
  CHECK(read(spec, "length") == AttributeValue(SymbolicShape{Size::symbol("length")}));
  CHECK(read(spec, 4) == AttributeValue(SymbolicShape{4}));
  refuses(spec, List{true}, "expected an integer, found a boolean");
  refuses_to_set(spec, Integers{4}, "is [4] as a std::vector<std::int64_t>, expected a SymbolicShape");
  CHECK(spec.kind->bind(SymbolicShape{open, -1}, {{"batch", 3}}) == AttributeValue(SymbolicShape{6, -1}));
  CHECK(spec.kind->bind(SymbolicShape{open, -1}, {{"length", 3}}) == AttributeValue(SymbolicShape{open, -1}));
  CHECK(spec.kind->describe() == "sizes");
  const Json size = Json::Object{{"$ref", "#/$defs/size"}};
  CHECK(spec.kind->schema() ==
        Json(Json::Object{{"anyOf", List{size, Json::Object{{"type", "array"}, {"items", size}}}}}));
}

TEST_CASE("any integer may be open, and is a number or a list of them again when its symbols are bound") {
  const Size twice = Size::symbol("batch") * Size(2);
  const Size length = Size::symbol("length");
  const std::map<std::string, std::int64_t> sizes{{"batch", 3}};
  const auto check = [&](const AttributeSpec& spec, const Json& json, const AttributeValue& open,
                         const AttributeValue& bound) {
    check_both_ways(spec, json, open);
    CHECK(spec.kind->is_open(open));
    CHECK_FALSE(spec.kind->is_open(bound));
    CHECK(spec.kind->since(open) == 2);
    CHECK(spec.kind->since(bound) == 1);
    CHECK(spec.kind->bind(open, sizes) == bound);
    CHECK(spec.kind->bind(open, {{"length", 3}}) == open);
  };
  check(required_integer("repeats", "how often"), "2*batch", twice, std::int64_t{6});
  check(required_scalar("value", "the factor"), "2*batch", twice, std::int64_t{6});
  check(or_none(integer("k", 1, "how many")), "2*batch", twice, std::int64_t{6});
  check(tuple("stride", 2, 1, "the step"), List{"2*batch", 1}, SymbolicShape{twice, 1}, Integers{6, 1});
  check(padding_attribute(2, {"same"}, "elements before and after"), List{1, "2*batch"}, SymbolicShape{1, twice},
        Integers{1, 6});
  check(required_optional_integers("output_size", 2, "None: the input's"), List{kNull, "2*batch"},
        SymbolicShape{kNone, twice}, Integers{kNone, 6});

  // One binding need not tell all.
  const AttributeSpec two = required_integers("shifts", "how far");
  CHECK(two.kind->bind(SymbolicShape{twice, length}, sizes) == AttributeValue(SymbolicShape{6, length}));
  CHECK(two.kind->write_short(SymbolicShape{length, length}) == Json(List{"length", "length"}));
  CHECK(tuple("stride", 2, 1, "the step").kind->write_short(SymbolicShape{length, length}) == Json("length"));

  // What is a number is none of the sizes that are open.
  const AttributeSpec one = required_integer("repeats", "how often");
  CHECK(read(one, "4 + 1") == AttributeValue(std::int64_t{5}));
  refuses_to_set(one, Size(5), "is 5 as a Size, expected a std::int64_t");
  refuses(one, "2*", "'2*' is no size: expected an integer, a name or a parenthesis at byte 2");
  CHECK(one.kind->agree(twice, std::int64_t{7}, 4));
  CHECK(two.kind->agree(SymbolicShape{twice, 3}, Integers{7, 3}, 4));
  CHECK_FALSE(two.kind->agree(SymbolicShape{twice, 3}, Integers{7, 4}, 4));
}

TEST_CASE("one size is a list of one") {
  const AttributeSpec spec = required_size("start", "the first one");
  CHECK(read(spec, "batch") == AttributeValue(SymbolicShape{Size::symbol("batch")}));
  refuses(spec, List{1, 2}, "has 2 elements, expected 1");
  CHECK(spec.kind->describe() == "size");
}

TEST_CASE("None beside another kind is a value, by default or not") {
  const AttributeSpec size = or_none(required_size("end", "the last one"));
  CHECK(size.fallback == AttributeValue());
  check_both_ways(size, kNull, {});
  check_both_ways(size, List{"batch"}, SymbolicShape{Size::symbol("batch")});
  CHECK(size.kind->bind({}, {{"batch", 3}}) == AttributeValue());
  CHECK(size.kind->bind(SymbolicShape{Size::symbol("batch")}, {{"batch", 3}}) == AttributeValue(SymbolicShape{3}));
  CHECK(size.kind->takes_none());
  CHECK(size.kind->describe() == "size, or null");

  const AttributeSpec stride = nullable(tuple("stride", 2, 0, "the step"));
  CHECK(stride.fallback == AttributeValue(Integers{0, 0}));
  check_both_ways(stride, kNull, {});
  CHECK(stride.kind->write_short(Integers{0, 0}) == Json(0));
  CHECK(stride.kind->write_short({}) == kNull);
  refuses(stride, List{1}, "has 1 elements, expected 2");
  refuses_to_set(stride, Numbers{1, 1}, "expected an integer, found a float");
  CHECK(stride.kind->schema() ==
        Json(Json::Object{{"anyOf", List{integers_schema(2), Json::Object{{"type", "null"}}}}}));
  CHECK(nullable(required_numbers("boundaries", 0, "between bins")).kind->takes_array());

  // A buffer's elements, of which version 1 of the JSON has no bytes.
  const AttributeSpec data = or_none(required_elements("data", "its elements"));
  CHECK(data.kind->since(tensor_of(DType::UInt8, {65537}, std::vector<std::uint8_t>(65537))) == 2);
  CHECK(data.kind->since(tensor_of(DType::UInt8, {2}, std::vector<std::uint8_t>(2))) == 1);
  CHECK(data.kind->since({}) == 1);
}

TEST_CASE("elements are numbers in a list, and bytes where a list would not do") {
  const AttributeSpec spec = required_elements("data", "its elements");
  check_both_ways(spec, List{0.5, -2.0}, tensor_of(DType::Float64, {2}, Numbers{0.5, -2}));
  CHECK(read(spec, 3) == AttributeValue(tensor_of(DType::Float64, {1}, Numbers{3})));
  const Tensor truth = tensor_of(DType::Bool, {2, 2}, std::vector<std::uint8_t>{1, 0, 0, 1});
  CHECK(spec.kind->write(truth) == Json(List{1.0, 0.0, 0.0, 1.0}));
  CHECK(spec.kind->write(truth.permute(Integers{1, 0}).slice(0, 0, 1)) == Json(List{1.0, 0.0}));

  // What doubles would round: 2^53 and more.
  const Tensor exact = tensor_of(DType::Int64, {2}, Integers{9007199254740993, -1});
  check_both_ways(spec, Json::Object{{"dtype", "int64"}, {"base64", "AQAAAAAAIAD//////////w=="}}, exact);
  const Tensor at_limit = tensor_of(DType::Float32, {65536}, std::vector<float>(65536, 0.25f));
  CHECK(spec.kind->write(at_limit) == Json(Json::array(Numbers(65536, 0.25))));
  const Tensor above = tensor_of(DType::UInt8, {65537}, std::vector<std::uint8_t>(65537, 7));
  CHECK(spec.kind->write(above).at("dtype") == Json("uint8"));
  CHECK(read(spec, spec.kind->write(above)) == AttributeValue(above));
  check_both_ways(spec, Json::Object{{"dtype", "complex64"}, {"base64", "AACAPwAAAEA="}},
                  tensor_of(DType::Complex64, {1}, std::vector<std::complex<float>>{{1, 2}}));
  check_both_ways(spec, Json::Object{{"dtype", "float8_e5m2"}, {"base64", "PA=="}},
                  tensor_of(DType::Float8E5M2, {1}, std::vector<std::uint8_t>{0x3c}));

  refuses(spec, "AQ==", "expected a number, found a string");
  refuses(spec, List{true}, "expected a number, found a boolean");
  const auto bytes = [](const char* dtype, Json text) {
    return Json(Json::Object{{"dtype", dtype}, {"base64", std::move(text)}});
  };
  refuses(spec, bytes("int23", "AQ=="), "no dtype is called \"int23\"");
  refuses(spec, bytes("int16", "AQ=="), "has 1 bytes, which are no elements of int16");
  refuses(spec, bytes("int8", "AQ"), "base64: has 2 characters of base64, expected a multiple of 4");
  refuses(spec, Json::Object{{"dtype", "int8"}}, "expected a member 'base64', found none");
  refuses(spec, Json::Object{{"dtype", "int8"}, {"base64", ""}, {"shape", List{0}}}, "has an unknown member \"shape\"");
  refuses_to_set(spec, Numbers{1, 2}, "is [1.0, 2.0] as a std::vector<double>, expected a Tensor");
  CHECK(spec.kind->describe() == "numbers, or bytes and their dtype");
  CHECK(spec.kind->schema().at("anyOf").as_array().size() == 3);
}

TEST_CASE("what has no symbols stays as it is when they are bound") {
  const std::map<std::string, std::int64_t> sizes{{"batch", 3}};
  CHECK(required_text("equation", "Keras's").kind->bind(word("batch"), sizes) == word("batch"));
  CHECK(required_integers("dim", "the axes").kind->bind(Integers{0, kNone}, sizes) ==
        AttributeValue(Integers{0, kNone}));
}

TEST_CASE("values agree where layers that have them compute the same") {
  const auto agree = [](const AttributeSpec& spec, const AttributeValue& a, const AttributeValue& b) {
    const bool found = spec.kind->agree(a, b, 4);
    CHECK(spec.kind->agree(b, a, 4) == found);
    return found;
  };
  const AttributeSpec dim = required_integer("dim", "the axis");
  CHECK(agree(dim, std::int64_t{-1}, std::int64_t{3}));
  CHECK_FALSE(agree(dim, std::int64_t{-1}, std::int64_t{2}));
  const AttributeSpec dims = or_none(required_integers("dim", "the axes"));
  CHECK(agree(dims, Integers{-1, 1}, Integers{3, -3}));
  CHECK_FALSE(agree(dims, Integers{1}, Integers{1, 2}));
  CHECK_FALSE(agree(dims, Integers{1}, {}));
  CHECK(agree(dims, {}, {}));

  // What went through float32.
  const AttributeSpec eps = number("eps", 1e-5, "added");
  CHECK(agree(eps, 1e-3, 0.0010000000474974513));
  CHECK_FALSE(agree(eps, 1e-3, 1.1e-3));
  CHECK(agree(required_numbers("scale", 0, "factors"), Numbers{1e-3, 2}, Numbers{0.0010000000474974513, 2}));
  CHECK_FALSE(agree(required_numbers("scale", 0, "factors"), Numbers{1e-3, 2}, Numbers{1e-3}));
  const AttributeSpec value = required_scalar("value", "the factor");
  CHECK(agree(value, std::int64_t{2}, 2.0));
  CHECK_FALSE(agree(value, std::int64_t{2}, 2.5));

  const AttributeSpec padding = padding_attribute(2, {"same", "valid"}, "elements before and after");
  CHECK(agree(padding, word("same"), word("same")));
  CHECK_FALSE(agree(padding, word("same"), Integers{1, 1}));
  CHECK_FALSE(agree(padding, word("same"), word("valid")));
  CHECK_FALSE(agree(padding, Integers{1, 2}, Integers{1, 1}));

  const AttributeSpec shape = required_sizes("shape", "the new shape");
  CHECK(agree(shape, SymbolicShape{Size::symbol("batch"), 3}, SymbolicShape{7, 3}));
  CHECK_FALSE(agree(shape, SymbolicShape{Size::symbol("batch"), 3}, SymbolicShape{7, 4}));
  const AttributeSpec data = required_elements("data", "its elements");
  const auto floats = [](std::vector<float> values) {
    return AttributeValue(tensor_of(DType::Float32, {static_cast<std::int64_t>(values.size())}, values));
  };
  CHECK(agree(data, floats({1, 1e-3f}), floats({1, 1.0000001e-3f})));
  CHECK_FALSE(agree(data, floats({1, 2}), floats({1, 3})));
  CHECK_FALSE(agree(data, floats({1, 2}), floats({1, 2, 3})));
  const auto integer = [](std::int64_t element) {
    return AttributeValue(tensor_of(DType::Int64, {1}, Integers{element}));
  };
  CHECK(agree(data, integer(10000001), integer(10000001)));
  CHECK_FALSE(agree(data, integer(10000001), integer(10000000)));
  CHECK_FALSE(agree(required_text("equation", "Keras's"), word("ab->a"), word("ab->b")));
}

namespace {

// A cell with weights of its own, and another that has none.
std::vector<LayerType> two_types() {
  LayerType cell, other;
  cell.name = "Cell";
  cell.attributes = {required_integer("size", "of its state"), boolean("bias", true, "whether there is one"),
                     deciding(Decides::Training, number("dropout", 0, "in training"))};
  cell.parameters = [](const Attributes& a) { return std::vector<ParameterSpec>{{"weight", {a.integer("size")}}}; };
  other.name = "Other";
  return {cell, other};
}

Json held(const char* type, const Json::Object& attributes) {
  return Json::Object{{"type", type}, {"attributes", attributes}};
}

}  // namespace

TEST_CASE("layers that a layer holds have types, attributes, and what Keras says") {
  const AttributeSpec spec = required_layers("cells", two_types(), "stepped through time");
  const Json json = List{held("Cell", {{"size", 3}, {"bias", false}}), Json::Object{{"type", "Other"}}};
  const AttributeValue value = read(spec, json);
  const auto& layers = std::get<std::vector<Layer>>(value);
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].attributes.integer("size") == 3);
  CHECK_FALSE(layers[0].attributes.boolean("bias"));
  CHECK(layers[0].attributes.number("dropout") == 0);
  check_both_ways(spec, json, value);
  CHECK(spec.kind->since(value) == 2);

  const Json said =
      List{Json::Object{{"type", "Other"}, {"keras", Json::Object{{"name", "mine"}, {"trainable", false}}}}};
  check_both_ways(spec, said, read(spec, said));

  std::vector<std::string> names;
  for (const ParameterSpec& parameter : parameters_of_held("cells", two_types(), layers))
    names.push_back(parameter.name);
  CHECK(names == std::vector<std::string>{"cells.0.weight"});
}

TEST_CASE("layers that a layer holds are refused where they are none of its types") {
  const AttributeSpec spec = required_layers("cells", two_types(), "stepped through time");
  refuses(spec, List{}, "is empty, expected a layer or more");
  refuses(spec, "Cell", "expected an array, found a string");
  refuses(spec, List{held("Conv", {})}, "number 0: is a layer of type \"Conv\", expected one of Cell, Other");
  refuses(spec, List{held("Other", {}), held("Cell", {})}, "number 1: Cell: Cell needs the attribute \"size\"");
  refuses(spec, List{held("Cell", {{"size", "x"}, {"sizes", 1}})},
          "number 0: Cell: Cell has no attribute \"sizes\"; did you mean size?");
  refuses(spec, List{Json::Object{{"type", "Other"}, {"name", "a"}}},
          "number 0: has a member \"name\", expected type, attributes and keras");
  refuses_to_set(spec, word("Cell"), "expected an array, found a string");
}

TEST_CASE("layers that a program sets are completed, and symbols in them become numbers") {
  const AttributeSpec spec = required_layers("cells", two_types(), "stepped through time");
  Layer cell{.name = "", .type = "Cell", .attributes = {}, .keras = {}};
  CHECK_THROWS_AS(spec.kind->complete(std::vector<Layer>{cell}), UsageError);
  cell.attributes.set("size", std::int64_t{4});
  const AttributeValue whole = spec.kind->complete(std::vector<Layer>{cell});
  CHECK(whole == read(spec, List{held("Cell", {{"size", 4}})}));

  const AttributeValue open = read(spec, List{held("Cell", {{"size", "width"}})});
  CHECK(spec.kind->is_open(open));
  CHECK_FALSE(spec.kind->is_open(whole));
  CHECK(spec.kind->bind(open, {{"width", 4}}) == whole);

  const AttributeValue dropped = read(spec, List{held("Cell", {{"size", 4}, {"dropout", 0.5}})});
  CHECK(spec.kind->agree(whole, dropped, 3));  // in evaluation
  CHECK_FALSE(spec.kind->agree(whole, read(spec, List{held("Cell", {{"size", 5}})}), 3));
  CHECK_FALSE(spec.kind->agree(whole, read(spec, List{held("Other", {})}), 3));
}

}  // namespace h5bridge::testing
