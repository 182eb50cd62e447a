// Integers that are open: in JSON, in shapes, with numbers in their place, and where a number has to be known.
#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "h5bridge/error.h"
#include "passes/fix_sizes.h"
#include "passes/infer_shapes.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

const Size kLength = Size::symbol("length");
const SymbolicShape kInput{Size::symbol("batch"), 4, kLength};

Architecture of(const std::string& type, const Json::Object& attributes) {
  return ArchitectureBuilder(kInput).layer("y", type, attributes).build();
}

SymbolicShape shape_of(const std::string& type, const Json::Object& attributes) {
  return infer_shapes(of(type, attributes)).of({"y"});
}

}  // namespace

TEST_CASE("a document with an open integer is of version 2, and without of version 1") {
  const Architecture open = of("repeat_interleave", {{"repeats", "2*length"}, {"dim", 1}});
  const Json json = architecture_to_json(open);
  CHECK(json.at("h5bridge") == Json(2));
  CHECK(json.at("layers").as_array().at(0).at("attributes").at("repeats") == Json("2*length"));
  CHECK(architecture_from_json(json) == open);
  CHECK(architecture_to_json(fix_sizes(open, {{"length", 3}})).at("h5bridge") == Json(1));
}

TEST_CASE("shapes follow open integers") {
  CHECK(shape_of("repeat_interleave", {{"repeats", "length"}, {"dim", 1}}) ==
        SymbolicShape{kInput[0], Size(4) * kLength, kLength});
  CHECK(shape_of("topk", {{"k", "length//2"}}) == SymbolicShape{kInput[0], 4, kLength.floor_divide(2)});
  CHECK(shape_of("roll", {{"shifts", "length//2"}, {"dims", 2}}) == kInput);
  CHECK(shape_of("unfold", {{"dimension", 2}, {"size", "length"}, {"step", 1}}) ==
        SymbolicShape{kInput[0], 4, 1, kLength});
  CHECK(shape_of("AvgPool1d", {{"kernel_size", "length"}}) == SymbolicShape{kInput[0], 4, 1});
  CHECK(shape_of("AvgPool1d", {{"kernel_size", "length"}, {"ceil_mode", true}}) == SymbolicShape{kInput[0], 4, 1});
  CHECK(shape_of("MaxPool1d", {{"kernel_size", 3}, {"stride", "length"}, {"padding", 1}}) ==
        SymbolicShape{kInput[0], 4, (kLength - Size(1)).floor_divide(kLength) + Size(1)});
  CHECK(shape_of("AdaptiveMaxPool1d", {{"output_size", "length//2"}}) ==
        SymbolicShape{kInput[0], 4, kLength.floor_divide(2)});
  CHECK(shape_of("Conv1d", {{"in_channels", 4}, {"out_channels", 5}, {"kernel_size", 3}, {"dilation", "length//8"}}) ==
        SymbolicShape{kInput[0], 5, kLength - kLength.floor_divide(8) * Size(2)});
  CHECK(infer_shapes(of("split", {{"split_size", Json::Array{"length//2", "length - length//2"}}, {"dim", 2}}))
            .of({"y", 1}) == SymbolicShape{kInput[0], 4, kLength - kLength.floor_divide(2)});
}

TEST_CASE("what an open integer makes of a shape may not be known, and says so") {
  CHECK_THROWS_AS(shape_of("sum", {{"dim", "length"}}), Unsupported);
  CHECK_THROWS_WITH(shape_of("sum", {{"dim", "length"}}),
                    "layer \"y\" (sum): \"dim\" is open (length,), and has to be a number here; "
                    "LoadOptions::fix_sizes may help");
  CHECK_THROWS_WITH(shape_of("Linear", {{"in_features", "length"}, {"out_features", 3}}),
                    Catch::Matchers::Contains("\"in_features\" is open (length), and has to be a number here"));
  CHECK_THROWS_WITH(shape_of("AvgPool1d", {{"kernel_size", "length//2"}, {"ceil_mode", true}}),
                    Catch::Matchers::Contains("with ceil_mode is not known; LoadOptions::fix_sizes may help"));
}

TEST_CASE("an open integer gets a number, which is checked then") {
  const Architecture fixed = fix_sizes(of("AvgPool1d", {{"kernel_size", "length - 2"}}), {{"length", 7}});
  CHECK(fixed.layers.at(0).attributes.integers("kernel_size") == std::vector<std::int64_t>{5});
  CHECK_THROWS_AS(fix_sizes(of("AvgPool1d", {{"kernel_size", "length - 2"}}), {{"length", 2}}), UsageError);
  CHECK_THROWS_WITH(fix_sizes(of("AvgPool1d", {{"kernel_size", "length - 2"}}), {{"length", 2}}),
                    "layer \"y\" (AvgPool1d): \"kernel_size\" is 0, expected at least 1");
}

TEST_CASE("what no input tells is no open integer") {
  const Architecture unknown = of("repeat_interleave", {{"repeats", "width"}, {"dim", 1}});
  CHECK_THROWS_AS(check_graph(unknown), MalformedFile);
  CHECK_THROWS_WITH(check_graph(unknown),
                    "layer \"y\" (repeat_interleave): attribute \"repeats\" is open with \"width\", which is no "
                    "size of an input");
}

TEST_CASE("getters give open integers to who asks for them, and numbers alone to others") {
  Attributes attributes;
  attributes.set("open", kLength);
  attributes.set("known", std::int64_t{3});
  attributes.set("several", SymbolicShape{kLength, 2});
  attributes.set("both", std::vector<std::int64_t>{1, 2});
  CHECK(attributes.open_integer("open") == kLength);
  CHECK(attributes.open_integer("known") == Size(3));
  CHECK(attributes.open_integers("several") == SymbolicShape{kLength, 2});
  CHECK(attributes.open_integers("both") == SymbolicShape{1, 2});
  CHECK_THROWS_AS(attributes.integer("open"), Unsupported);
  CHECK_THROWS_WITH(attributes.integers("several"),
                    "\"several\" is open (length, 2), and has to be a number here; LoadOptions::fix_sizes may help");
}

}  // namespace h5bridge::testing
